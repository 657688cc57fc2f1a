"""Close business dates: mark who was absent, and make final what nothing but late news can change."""

from datetime import date, datetime, timedelta

from sqlalchemy import select

from central_server.config import RulesConfig
from central_server.db.models import Attendance as Row
from central_server.db.stores import attendance, people, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import Attendance
from central_server.services.await_agents import recorded_to
from central_server.services.gather_day import Cast
from central_server.services.recompute_attendance import is_closed_workday, recompute_days

LOOK_BACK = timedelta(days=7)


def compute_day(
    work: UnitOfWork, site_id: str, day: date, rules: RulesConfig, *, now: datetime
) -> dict[str, Attendance]:
    """Recompute a business date for everybody followed at a site, so that the absent have a row too."""
    followed = {
        key for key, each in people.of_site(work.session, site_id).items() if each.can_be_absent_on(day)
    }
    seen = set(
        work.session.scalars(select(Row.employee_id).where(Row.site_id == site_id, Row.business_date == day))
    )
    days = recompute_days(work, {(key, day) for key in followed | seen}, rules, now=now)
    return {each.employee_id: each for each in days}


def close_due_days(work: UnitOfWork, site_id: str, rules: RulesConfig, *, now: datetime) -> list[date]:
    """Close a site's days whose shifts are over, as far as the record is complete; return those touched.

    A day that was closed before is left alone: late news reopen it by themselves.
    """
    followed = people.of_site(work.session, site_id)
    cast = Cast(followed, shifts.schedules(work.session, followed, day_cutoff=rules.day_cutoff))
    complete_to = recorded_to(work, site_id, now)
    touched = []
    last = complete_to.date()
    for offset in range(LOOK_BACK.days, -1, -1):
        day = last - timedelta(days=offset)
        known = attendance.of_day(work.session, day)
        due = {(key, day) for key in followed if _is_due(cast, key, day, known.get(key), complete_to)}
        if due:
            recompute_days(work, due, rules, now=now)
            touched.append(day)
    return touched


def _is_due(cast: Cast, employee_id: str, day: date, known: Attendance | None, complete_to: datetime) -> bool:
    """Tell whether a day is over, and is not closed yet."""
    if known is None:
        site_id = cast.people[employee_id].site_id
        return is_closed_workday(cast, employee_id, day, {site_id: complete_to})
    return known.is_provisional and complete_to >= cast.schedules[employee_id].closes_at(day)
