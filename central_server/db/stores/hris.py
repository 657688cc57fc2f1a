"""The outbox of the HRIS push: one row a person-day and revision."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Exists, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from central_server.db.models import Attendance, HrisPush


def enqueue(session: Session, row: Mapping[str, Any]) -> bool:
    """Put a revision into the outbox; False when it is there already."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    new = insert(HrisPush).values(**row).on_conflict_do_nothing()
    return session.scalar(new.returning(HrisPush.id)) is not None


def unqueued(session: Session, connector: str, site_id: str, day: date) -> list[Attendance]:
    """Return the site's rows of a day whose newest revision, or whose closing, is not in the outbox."""
    of_day = (Attendance.site_id == site_id, Attendance.business_date == day)
    return list(session.scalars(select(Attendance).where(*of_day, ~_is_queued(connector))))


def revised_since(session: Session, connector: str, first: date) -> list[Attendance]:
    """Return the rows that have been pushed once, and whose newest revision is not in the outbox."""
    pushed = select(HrisPush.id).where(
        HrisPush.connector == connector,
        HrisPush.employee_id == Attendance.employee_id,
        HrisPush.business_date == Attendance.business_date,
    )
    newer = (Attendance.business_date >= first, pushed.exists(), ~_is_queued(connector))
    return list(session.scalars(select(Attendance).where(*newer)))


def take_due(
    session: Session, connector: str, *, now: datetime, until: datetime, most: int
) -> list[HrisPush]:
    """Lease the rows that are due, oldest first, and return them."""
    free = or_(HrisPush.leased_until.is_(None), HrisPush.leased_until < now)
    due = (
        select(HrisPush.id)
        .where(
            HrisPush.connector == connector,
            HrisPush.state == "pending",
            HrisPush.next_attempt_at <= now,
            free,
        )
        .order_by(HrisPush.next_attempt_at, HrisPush.id)
        .limit(most)
    )
    ours = (
        update(HrisPush)
        .where(HrisPush.id.in_(due), HrisPush.state == "pending", free)
        .values(leased_until=until, attempts=HrisPush.attempts + 1, updated_at=now)
        .returning(HrisPush.id)
    )
    taken = list(session.scalars(ours))
    wanted = select(HrisPush).where(HrisPush.id.in_(taken)).order_by(HrisPush.id)
    return list(session.scalars(wanted.execution_options(populate_existing=True)))


def settle(
    session: Session, push_id: int, *, state: str, error: str, next_attempt_at: datetime, now: datetime
) -> None:
    session.execute(
        update(HrisPush)
        .where(HrisPush.id == push_id)
        .values(
            state=state, error=error[:400], next_attempt_at=next_attempt_at, leased_until=None, updated_at=now
        )
    )


def _is_queued(connector: str) -> Exists:
    """The condition that a row's newest revision is in the outbox."""
    same = select(HrisPush.id).where(
        HrisPush.connector == connector,
        HrisPush.employee_id == Attendance.employee_id,
        HrisPush.business_date == Attendance.business_date,
        HrisPush.revision == Attendance.revision,
    )
    return same.exists()
