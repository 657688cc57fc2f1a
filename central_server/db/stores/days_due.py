"""Person-days whose attendance is still to be recomputed."""

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from central_server.db.models import DayDue


def mark(session: Session, days: Collection[tuple[str, date]], now: datetime) -> None:
    """Note the days; one that is noted already keeps its place."""
    if not days:
        return
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    rows = [
        {"employee_id": employee_id, "business_date": day, "marked_at": now}
        for employee_id, day in sorted(days)
    ]
    session.execute(insert(DayDue).on_conflict_do_nothing(), rows)


def take(session: Session, marked_before: datetime, most: int) -> list[tuple[str, date]]:
    """Return, and forget, up to `most` days noted before an instant, the oldest first."""
    wanted = (
        select(DayDue.employee_id, DayDue.business_date)
        .where(DayDue.marked_at <= marked_before)
        .order_by(DayDue.marked_at, DayDue.employee_id)
        .limit(most)
    )
    days = [(employee_id, day) for employee_id, day in session.execute(wanted)]
    for employee_id, day in days:
        session.execute(delete(DayDue).where(DayDue.employee_id == employee_id, DayDue.business_date == day))
    return days
