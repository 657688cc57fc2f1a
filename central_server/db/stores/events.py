"""Events: append-only facts, each stored once whatever arrives how often."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from central_server.db.models import Event, EventMark
from common.events import Clock

MOST_IN_A_QUESTION = 500


def add_all(session: Session, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Store events, each a row of the table; return those that are new, each once."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    table = Event.__table__
    statement = insert(table).on_conflict_do_nothing().returning(table.c.event_id)
    new_ids = set(session.connection().execute(statement, list(rows)).scalars())
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["event_id"] in new_ids:
            found.setdefault(row["event_id"], row)
    return list(found.values())


PUNCHES = ("in", "out")  # the kinds of events that a kiosk makes

IS_DATED = or_(Event.clock != Clock.BAD.value, Event.clock_off_ms != 0)  # as domain.clocks.is_undated says


@dataclass(frozen=True, slots=True)
class Seen:
    """Somebody was seen by a camera, or punched at a kiosk."""

    at: datetime
    kind: str
    site_id: str
    zone_id: str | None
    camera_id: str  # or the kiosk's id

    @property
    def is_punch(self) -> bool:
        return self.kind in PUNCHES


def of_day(session: Session, employee_id: str, day: date) -> list[Seen]:
    """Return when the person was seen on a business date, in no order; without what has no time."""
    columns = (Event.last_seen, Event.kind, Event.site_id, Event.zone_id, Event.camera_id)
    on_day = (Event.employee_id == employee_id, Event.business_date == day, IS_DATED)
    return [Seen(*row) for row in session.execute(select(*columns).where(*on_day))]


def seen_between(session: Session, start: datetime, end: datetime) -> list[tuple[int, str, datetime, date]]:
    """Return (id, employee, seen at, business date) of every recognised event of a span of time."""
    wanted = select(Event.id, Event.employee_id, Event.last_seen, Event.business_date).where(
        Event.ts >= start, Event.ts < end, Event.employee_id.is_not(None)
    )
    return [tuple(row) for row in session.execute(wanted)]


def move_to_day(session: Session, event_id: int, day: date) -> None:
    session.execute(update(Event).where(Event.id == event_id).values(business_date=day))


def note_repeats(session: Session, agent_id: str, epoch: str, count: int) -> None:
    """Count events that came again, for whoever wonders how often that happens."""
    if count and (row := session.get(EventMark, (agent_id, epoch))):
        row.repeats += count


def raise_mark(session: Session, agent_id: str, epoch: str, at_least: int, now: datetime) -> int:
    """Move the mark to at_least, and on over every number that is recorded; return where it stands."""
    row = session.get(EventMark, (agent_id, epoch))
    if row is None:
        row = EventMark(agent_id=agent_id, epoch=epoch, seq=0, repeats=0, updated_at=now)
        session.add(row)
    reached = max(row.seq, at_least)
    row.seq = _contiguous(reached, _numbers_above(session, agent_id, epoch, reached))
    row.updated_at = now
    session.flush()
    return row.seq


def _numbers_above(session: Session, agent_id: str, epoch: str, seq: int) -> Iterator[int]:
    """Yield the recorded numbers above seq in order; a few are asked for at a time, as one hole ends it."""
    while True:
        above = select(Event.seq).where(Event.agent_id == agent_id, Event.epoch == epoch, Event.seq > seq)
        numbers = session.scalars(above.order_by(Event.seq).limit(MOST_IN_A_QUESTION)).all()
        yield from numbers
        if len(numbers) < MOST_IN_A_QUESTION:
            return
        seq = numbers[-1]


def _contiguous(mark: int, numbers: Iterable[int]) -> int:
    for number in numbers:
        if number > mark + 1:
            break
        mark = max(mark, number)
    return mark
