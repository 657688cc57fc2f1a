"""Events: append-only facts, each stored once whatever arrives how often."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from central_server.db.models import Event, EventMark


def add(session: Session, row: Mapping[str, Any]) -> bool:
    """Store the event; False when it is there already."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    new = insert(Event).values(**row).on_conflict_do_nothing().returning(Event.id)
    return session.scalar(new) is not None


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


def raise_mark(session: Session, agent_id: str, epoch: str, at_least: int, now: datetime) -> int:
    """Move the mark to at_least, and on over every number that is recorded; return where it stands."""
    row = session.get(EventMark, (agent_id, epoch))
    if row is None:
        row = EventMark(agent_id=agent_id, epoch=epoch, seq=0, updated_at=now)
        session.add(row)
    row.seq = _contiguous(max(row.seq, at_least), _numbers_above(session, agent_id, epoch, row.seq))
    row.updated_at = now
    session.flush()
    return row.seq


def _numbers_above(session: Session, agent_id: str, epoch: str, seq: int) -> Iterable[int]:
    above = select(Event.seq).where(Event.agent_id == agent_id, Event.epoch == epoch, Event.seq > seq)
    return session.scalars(above.order_by(Event.seq))


def _contiguous(mark: int, numbers: Iterable[int]) -> int:
    for number in numbers:
        if number > mark + 1:
            break
        mark = max(mark, number)
    return mark


def count(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(Event)) or 0
