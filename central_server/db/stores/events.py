"""Events: append-only facts, each stored once whatever arrives how often."""

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from central_server.db.models import Event, EventMark
from central_server.db.stores.person_days import MOST_IN_A_QUESTION, PersonDay, blocks, on_days
from central_server.db.stores.plain_rows import plain_rows
from common.events import Clock


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


# One sighting as plain values, for many of them: (id, employee, business date, seen at, kind, site).
Told = tuple[int, str, date, datetime, str, str]
_TOLD = [
    Event.__table__.c[name] for name in ("id", "employee_id", "business_date", "last_seen", "kind", "site_id")
]
_ON_DAYS = select(*_TOLD).where(*on_days(Event), IS_DATED)
_AT_A_TIME = 10_000  # rows that are fetched, so that a day of a big company is never in memory twice


def of_days(
    session: Session, days: Collection[PersonDay], *, outside: tuple[datetime, datetime] | None = None
) -> Iterator[Told]:
    """Yield when those people were seen on those business dates, in no order; without what has no time.

    outside: leave out what happened in that span of time.
    """
    wanted = _ON_DAYS
    if outside:
        wanted = wanted.where(or_(Event.ts < outside[0], Event.ts >= outside[1]))
    for employee_ids, dates in blocks(days):
        yield from plain_rows(session, wanted, {"people": employee_ids, "dates": dates})


def of_ids(session: Session, event_ids: "Sequence[int] | array[int]") -> Iterator[Told]:
    """Yield those sightings, in no order."""
    for first in range(0, len(event_ids), MOST_IN_A_QUESTION):
        some = list(event_ids[first : first + MOST_IN_A_QUESTION])
        yield from _told(session, select(*_TOLD).where(Event.id.in_(some)))


def seen_between(session: Session, start: datetime, end: datetime) -> Iterator[Told]:
    """Yield every sighting of a span of time, in no order; without what has no time."""
    within = (Event.ts >= start, Event.ts < end, Event.employee_id.is_not(None), IS_DATED)
    yield from _told(session, select(*_TOLD).where(*within), at_a_time=_AT_A_TIME)


def counts(session: Session, employee_ids: Collection[str], day: date) -> dict[str, int]:
    """Return how many events each of those people has on a business date, with a time or without; nobody who
    has none is in it.
    """
    found: dict[str, int] = {}
    for people, dates in blocks((each, day) for each in employee_ids):
        on_day = (Event.employee_id.in_(people), Event.business_date.in_(dates))
        rows = session.execute(
            select(Event.employee_id, func.count()).where(*on_day).group_by(Event.employee_id)
        )
        found |= {employee_id: count for employee_id, count in rows if employee_id}
    return found


def move_to_day(session: Session, event_ids: "Sequence[int] | array[int]", day: date) -> None:
    """Give those events another business date."""
    for first in range(0, len(event_ids), MOST_IN_A_QUESTION):
        some = list(event_ids[first : first + MOST_IN_A_QUESTION])
        session.execute(
            update(Event).where(Event.id.in_(some)).values(business_date=day),
            execution_options={"synchronize_session": False},
        )


def _told(session: Session, wanted: Select[Any], *, at_a_time: int = 0) -> Iterator[Told]:
    """Yield the rows; at_a_time: fetch so many, for who reads very many. 0: all, which is quicker."""
    session.flush()
    if at_a_time:
        wanted = wanted.execution_options(yield_per=at_a_time)
    yield from session.connection().execute(wanted)  # type: ignore[misc]


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
