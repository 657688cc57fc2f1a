"""Events: append-only facts, each stored once whatever arrives how often."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from central_server.db.models import Event, EventMark

MOST_IN_A_QUESTION = 500


def add_all(session: Session, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Store events, each a row of the table; return those that are new, in the order given.

    One whose number is recorded already is not new, whatever it says. One whose id belongs to an event of
    another agent is: it is stored under the id that its number gives.
    """
    new_ids = _insert(session, rows)
    new = _firsts(rows, new_ids)
    if len(new) == len(rows):
        return new
    known = _numbers(session, [row for row in rows if row["event_id"] not in new_ids])
    others = [
        row | {"event_id": f"{row['agent_id']}-{row['epoch']}-{row['seq']}"}
        for row in rows
        if row["event_id"] not in new_ids and (row["agent_id"], row["epoch"], row["seq"]) not in known
    ]
    if others:
        new += _firsts(others, _insert(session, others))
    return new


def _firsts(rows: Sequence[Mapping[str, Any]], event_ids: set[str]) -> list[Mapping[str, Any]]:
    """Return the row of each id: the first, if an event came twice in one batch."""
    found: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        if row["event_id"] in event_ids:
            found.setdefault(row["event_id"], row)
    return list(found.values())


def _insert(session: Session, rows: Sequence[Mapping[str, Any]]) -> set[str]:
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    table = Event.__table__
    statement = insert(table).on_conflict_do_nothing().returning(table.c.event_id)
    return set(session.connection().execute(statement, list(rows)).scalars())


def _numbers(session: Session, rows: Sequence[Mapping[str, Any]]) -> set[tuple[str, str, int]]:
    """Return which of the rows' numbers are recorded: (agent, epoch, seq)."""
    by_epoch: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        by_epoch.setdefault((row["agent_id"], row["epoch"]), []).append(row["seq"])
    found: set[tuple[str, str, int]] = set()
    for (agent_id, epoch), numbers in by_epoch.items():
        for start in range(0, len(numbers), MOST_IN_A_QUESTION):
            some = numbers[start : start + MOST_IN_A_QUESTION]
            same = (Event.agent_id == agent_id, Event.epoch == epoch, Event.seq.in_(some))
            found |= {(agent_id, epoch, seq) for seq in session.scalars(select(Event.seq).where(*same))}
    return found


def seen_at(session: Session, employee_id: str, day: date) -> list[datetime]:
    """Return when the person was seen on a business date, in no order."""
    on_day = select(Event.last_seen).where(Event.employee_id == employee_id, Event.business_date == day)
    return list(session.scalars(on_day))


def seen_between(session: Session, start: datetime, end: datetime) -> list[tuple[int, str, datetime, date]]:
    """Return (id, employee, seen at, business date) of every recognised event of a span of time."""
    wanted = select(Event.id, Event.employee_id, Event.last_seen, Event.business_date).where(
        Event.ts >= start, Event.ts < end, Event.employee_id.is_not(None)
    )
    return [tuple(row) for row in session.execute(wanted)]


def move_to_day(session: Session, event_id: int, day: date) -> None:
    session.execute(update(Event).where(Event.id == event_id).values(business_date=day))


def mark(session: Session, agent_id: str, epoch: str) -> int:
    """Return the number up to which every event of the epoch is recorded."""
    row = session.get(EventMark, (agent_id, epoch))
    return row.seq if row else 0


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


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Event)) or 0
