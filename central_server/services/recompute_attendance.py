"""Recompute person-days from their events, corrections and rules. Doing it twice changes nothing."""

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

from central_server.config import RulesConfig
from central_server.db.stores import attendance, coverage, days_due, events, people, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import Attendance, Status, attendance_on
from central_server.domain.people import Person
from central_server.domain.shifts import Schedule
from central_server.services.gather_day import facts_of_day

MOST_WAITING = timedelta(days=1)  # for a site that no longer reports; then its days close all the same
_NOT_WORTH_A_ROW = {Status.OFF, Status.HOLIDAY}

PersonDay = tuple[str, date]  # employee_id, business_date


def recompute_days(
    work: UnitOfWork, days: Collection[PersonDay], rules: RulesConfig, *, now: datetime
) -> list[Attendance]:
    """Store what those person-days come to, and return it; days of unknown people are left out."""
    if not days:
        return []
    followed = people.by_id(work.session, {employee_id for employee_id, _ in days})
    schedules = shifts.schedules(work.session, followed, day_cutoff=rules.day_cutoff)
    complete_to = {
        site_id: recorded_to(work, site_id, now) for site_id in {each.site_id for each in followed.values()}
    }
    results = []
    for employee_id, day in sorted(days):
        if person := followed.get(employee_id):
            results.append(
                _recompute(work, person, day, schedules[employee_id], rules, complete_to[person.site_id], now)
            )
    return results


def recompute_range(
    work: UnitOfWork, first: date, last: date, rules: RulesConfig, *, now: datetime
) -> list[Attendance]:
    """Give every event of those days its business date again, then recompute the days.

    For when shifts or the rules themselves have changed. Returns the days, changed or not.
    """
    start = datetime.combine(first, datetime.min.time(), UTC) - timedelta(days=2)
    end = datetime.combine(last, datetime.min.time(), UTC) + timedelta(days=3)
    recognised = events.seen_between(work.session, start, end)
    known = people.by_id(work.session, {employee_id for _, employee_id, _, _ in recognised})
    schedules = shifts.schedules(work.session, known, day_cutoff=rules.day_cutoff)
    days: set[PersonDay] = set()
    for event_id, employee_id, seen_at, before in recognised:
        if employee_id not in known:
            continue
        day = schedules[employee_id].business_date(seen_at)
        if day != before:
            events.move_to_day(work.session, event_id, day)
        days |= {(employee_id, day), (employee_id, before)}
    return recompute_days(work, {each for each in days if first <= each[1] <= last}, rules, now=now)


def recompute_days_due(
    work: UnitOfWork,
    rules: RulesConfig,
    *,
    now: datetime,
    after: timedelta = timedelta(0),
    most: int = 1_000_000,
) -> int:
    """Recompute days that were put off at least so long ago; return how many."""
    days = days_due.take(work.session, now - after, most)
    recompute_days(work, days, rules, now=now)
    return len(days)


def recorded_to(work: UnitOfWork, site_id: str, now: datetime) -> datetime:
    """Return how far the record of a site is complete: its watermark, or a day ago when it is silent."""
    watermark = coverage.of_site(work.session, site_id, now).watermark
    return max(watermark or now - MOST_WAITING, now - MOST_WAITING)


def _recompute(
    work: UnitOfWork,
    person: Person,
    day: date,
    schedule: Schedule,
    rules: RulesConfig,
    complete_to: datetime,
    now: datetime,
) -> Attendance:
    if person.punches_on(day):
        complete_to = now  # the server itself is the kiosk: nothing is on its way
    before = attendance.get(work.session, person.employee_id, day)
    if before is not None and not before.is_provisional:
        complete_to = max(complete_to, schedule.closes_at(day))  # what was closed stays closed
    result = attendance_on(facts_of_day(work, person, day, schedule, rules, complete_to=complete_to))
    is_seen = result.first_in_ts or result.last_out_ts
    if before is not None or is_seen or result.status not in _NOT_WORTH_A_ROW:
        attendance.put(work.session, result, now=now)
    return result
