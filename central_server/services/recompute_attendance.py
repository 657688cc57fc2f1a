"""Recompute person-days from their events, corrections and rules. Doing it twice changes nothing."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from central_server.config import RulesConfig
from central_server.db.stores import attendance, days_due, people, shifts
from central_server.db.stores.person_days import PersonDay
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import Attendance, Status
from central_server.domain.day_figures import attendance_on
from central_server.services.await_agents import complete_for, recorded_at, recorded_to
from central_server.services.gather_day import Cast, DaySeen, facts_of_days

__all__ = ["PersonDay", "outcomes", "recompute_days", "recompute_days_due", "recorded_to"]

AT_ONCE = 500  # person-days whose facts are in memory together
_NOT_WORTH_A_ROW = {Status.OFF, Status.HOLIDAY, Status.NOT_STARTED}

Outcome = tuple[Attendance | None, Attendance]  # the row there is, if any, and what the day comes to


def recompute_days(
    work: UnitOfWork,
    days: Collection[PersonDay],
    rules: RulesConfig,
    *,
    now: datetime,
    cast: Cast | None = None,
) -> list[Attendance]:
    """Store what those person-days come to, and return it; days of unknown people are left out.

    cast: the people and their schedules, for who has them at hand from the same transaction.
    """
    if not days:
        return []
    cast = cast or cast_of(work, {employee_id for employee_id, _ in days}, rules)
    wanted = sorted(each for each in days if each[0] in cast.people)
    complete_to = recorded_at(work, {cast.people[each].site_id for each, _ in wanted}, now)
    results: list[Attendance] = []
    for first in range(0, len(wanted), AT_ONCE):
        found = list(outcomes(work, wanted[first : first + AT_ONCE], cast, rules, complete_to))
        changed = [after for before, after in found if after != before and is_kept(before, after)]
        attendance.put_all(work.session, changed, now=now)
        results += [after for _, after in found]
    return results


def cast_of(work: UnitOfWork, employee_ids: Collection[str], rules: RulesConfig) -> Cast:
    """Return those people who are known, with their schedules."""
    followed = people.by_id(work.session, employee_ids)
    return Cast(followed, shifts.schedules(work.session, followed, day_cutoff=rules.day_cutoff))


def outcomes(
    work: UnitOfWork,
    days: Sequence[PersonDay],
    cast: Cast,
    rules: RulesConfig,
    complete_to: Mapping[str, datetime],
    *,
    seen: Mapping[PersonDay, DaySeen] | None = None,
) -> Iterator[Outcome]:
    """Yield what each of some person-days says, and what it comes to; nothing is stored.

    complete_to: by site, how far the record is complete. seen: what was seen on the days, for who knows.
    """
    known = attendance.of_days(work.session, days)
    as_of: dict[PersonDay, datetime] = {}
    for employee_id, day in days:
        end = complete_for(cast.people[employee_id], day, complete_to)
        before = known.get((employee_id, day))
        if before is not None and not before.is_provisional:  # what was closed stays closed
            end = max(end, cast.schedules[employee_id].closes_at(day))
        as_of[employee_id, day] = end
    for facts in facts_of_days(work, as_of, cast, rules, seen=seen):
        yield known.get((facts.employee_id, facts.business_date)), attendance_on(facts)


def is_kept(before: Attendance | None, after: Attendance) -> bool:
    """Tell whether a day has, or is worth, a row. A row there is stays, also when nothing is left of its day:
    whoever has been told of the day must be told what became of it.
    """
    is_seen = after.first_in_ts is not None or after.last_out_ts is not None
    return before is not None or is_seen or after.status not in _NOT_WORTH_A_ROW


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


def is_closed_workday(cast: Cast, employee_id: str, day: date, complete_to: Mapping[str, datetime]) -> bool:
    """Tell whether somebody was expected on a day that is over, so that not having come is worth a row."""
    person, schedule = cast.people[employee_id], cast.schedules[employee_id]
    is_workday = schedule.shift_on(day) is not None and not schedule.is_holiday(day)
    if not (is_workday and person.can_be_absent_on(day)):
        return False
    return complete_for(person, day, complete_to) >= schedule.closes_at(day)
