"""Close business dates: mark who was absent, and make final what nothing but late news can change."""

from collections.abc import Collection, Mapping
from datetime import date, datetime, timedelta

from sqlalchemy import Engine, select

from central_server.config import RulesConfig
from central_server.db.models import Attendance as Row
from central_server.db.stores import attendance, people, shifts
from central_server.db.stores.person_days import PersonDay
from central_server.db.unit_of_work import UnitOfWork, let_others_write
from central_server.domain.attendance import Attendance
from central_server.services.await_agents import complete_for, recorded_at
from central_server.services.gather_day import Cast
from central_server.services.recompute_attendance import is_closed_workday, recompute_days

LOOK_BACK = timedelta(days=7)
MOST_AT_ONCE = 200  # person-days in one transaction: what is live waits for no more


def compute_day(
    work: UnitOfWork, site_id: str, day: date, rules: RulesConfig, *, now: datetime
) -> dict[str, Attendance]:
    """Recompute a business date for everybody followed at a site, so that the absent have a row too."""
    days = recompute_days(work, _of_site(work, site_id, day), rules, now=now)
    return {each.employee_id: each for each in days}


def compute_in_portions(
    engine: Engine, site_id: str, day: date, rules: RulesConfig, *, now: datetime
) -> None:
    """Do the same in short transactions, between which others write."""
    with UnitOfWork(engine, writes=False) as work:
        days = _of_site(work, site_id, day)
    _recompute_in_portions(engine, days, rules, now=now)


def days_of(work: UnitOfWork, site_id: str, day: date) -> dict[str, Attendance]:
    """Return the rows of a business date of everybody followed or seen at a site, as they are."""
    wanted = {employee_id for employee_id, _ in _of_site(work, site_id, day)}
    return {key: each for key, each in attendance.of_day(work.session, day).items() if key in wanted}


def close_in_portions(engine: Engine, site_id: str, rules: RulesConfig, *, now: datetime) -> list[date]:
    """Close a site's days whose shifts are over, as far as the record is complete; return those touched.

    In short transactions, between which others write: when a shift ends, many days do. A day that was closed
    before is left alone: late news reopen it by themselves.
    """
    with UnitOfWork(engine, writes=False) as work:
        due = due_days(work, site_id, rules, now=now)
    _recompute_in_portions(engine, due, rules, now=now)
    return sorted({day for _, day in due})


def due_days(work: UnitOfWork, site_id: str, rules: RulesConfig, *, now: datetime) -> set[PersonDay]:
    """Return the person-days of a site that are over, and not closed yet."""
    followed = people.of_site(work.session, site_id)
    cast = Cast(followed, shifts.schedules(work.session, followed, day_cutoff=rules.day_cutoff))
    complete_to = recorded_at(work, [site_id], now)
    last = max(complete_to.values()).date()  # of who punches, today may be over already
    due: set[PersonDay] = set()
    for offset in range(LOOK_BACK.days, -1, -1):
        day = last - timedelta(days=offset)
        known = attendance.of_day(work.session, day)
        due |= {(key, day) for key in followed if _is_due(cast, key, day, known.get(key), complete_to)}
    return due


def _is_due(
    cast: Cast, employee_id: str, day: date, known: Attendance | None, complete_to: Mapping[str, datetime]
) -> bool:
    if known is None:
        return is_closed_workday(cast, employee_id, day, complete_to)
    end = complete_for(cast.people[employee_id], day, complete_to)
    return known.is_provisional and end >= cast.schedules[employee_id].closes_at(day)


def _of_site(work: UnitOfWork, site_id: str, day: date) -> set[PersonDay]:
    """Return whose business date it is at a site: everybody followed there, and who has a row."""
    everybody = people.of_site(work.session, site_id)
    followed = {key for key, each in everybody.items() if each.can_be_absent_on(day)}
    seen = select(Row.employee_id).where(Row.site_id == site_id, Row.business_date == day)
    return {(key, day) for key in followed | set(work.session.scalars(seen))}


def _recompute_in_portions(
    engine: Engine,
    days: Collection[PersonDay],
    rules: RulesConfig,
    *,
    now: datetime,
) -> None:
    wanted = sorted(days)
    for first in range(0, len(wanted), MOST_AT_ONCE):
        if first:
            let_others_write()
        with UnitOfWork(engine) as work:
            recompute_days(work, wanted[first : first + MOST_AT_ONCE], rules, now=now)
