"""Close business dates: mark who was absent, and make final what nothing but late news can change."""

from datetime import date, datetime, timedelta

from sqlalchemy import select

from central_server.config import RulesConfig
from central_server.db.models import Attendance as Row
from central_server.db.stores import attendance, people, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import Attendance
from central_server.domain.people import Person
from central_server.domain.shifts import Schedule
from central_server.services.recompute_attendance import recompute_days, recorded_to

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
    schedules = shifts.schedules(work.session, followed, day_cutoff=rules.day_cutoff)
    complete_to = recorded_to(work, site_id, now)
    touched = []
    last = now.date() if any(each.has_badge for each in followed.values()) else complete_to.date()
    for offset in range(LOOK_BACK.days, -1, -1):
        day = last - timedelta(days=offset)
        known = attendance.of_day(work.session, followed.keys(), day)
        due = {
            (key, day)
            for key, person in followed.items()
            if (now if person.punches_on(day) else complete_to) >= schedules[key].closes_at(day)
            and (known[key].is_provisional if key in known else _was_expected(person, schedules[key], day))
        }
        if due:
            recompute_days(work, due, rules, now=now)
            touched.append(day)
    return touched


def _was_expected(person: Person, schedule: Schedule, day: date) -> bool:
    is_workday = schedule.shift_on(day) is not None and not schedule.is_holiday(day)
    return is_workday and person.can_be_absent_on(day)
