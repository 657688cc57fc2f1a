"""Plan a recompute: what every person-day of some dates comes to, beside what its row says. Stores nothing.

Every event of those dates gets its business date anew first, for when shifts have changed. Who was expected
on a day that is over, and has no row, gets one. A row whose day has nothing left stays, and says so.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine

from central_server.config import RulesConfig
from central_server.db.stores import attendance, events, people, shifts
from central_server.db.stores.person_days import PersonDay
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import Attendance
from central_server.domain.shifts import DAY
from central_server.services.await_agents import recorded_at
from central_server.services.date_events import Dated, Move, date_everybody, date_somebody
from central_server.services.gather_day import Cast, DaySeen, collected
from central_server.services.recompute_attendance import (
    AT_ONCE,
    cast_of,
    is_closed_workday,
    is_kept,
    outcomes,
)

MOST_SHOWN = 200  # changes that are kept word for word; of the others only how many

Progress = Callable[[date, int, int], None]  # the day looked at, its number, and how many there are


@dataclass(frozen=True, slots=True)
class Change:
    """What one person-day says, and would say."""

    before: Attendance | None
    after: Attendance
    fields: Mapping[str, tuple[Any, Any]]


@dataclass
class Plan:
    """What a recompute would change. Small even when that is much."""

    first: date
    last: date
    examined: int = 0  # person-days
    shown: list[Change] = field(default_factory=list)  # the first MOST_SHOWN
    marks: dict[PersonDay, int] = field(default_factory=dict)  # every day that changes: a digest of what to
    moves: dict[Move, "array[int]"] = field(default_factory=dict)
    new: Counter[str] = field(default_factory=Counter)  # rows there are not yet, by status
    fields: Counter[str] = field(default_factory=Counter)  # rows that change, by field
    emptied: int = 0  # rows whose day has nothing left

    @property
    def is_empty(self) -> bool:
        return not self.marks and not self.moves

    @property
    def moved(self) -> int:
        """How many events have another business date."""
        return sum(len(each) for each in self.moves.values())

    def note(self, before: Attendance | None, after: Attendance) -> None:
        """Take in what a person-day says and comes to."""
        self.examined += 1
        if before == after or not is_kept(before, after):
            return
        changed = attendance.differences(before, after)
        self.marks[after.employee_id, after.business_date] = digest(after)
        if before is None:
            self.new[after.status.value] += 1
        else:
            self.fields.update(changed.keys())
            self.emptied += before.first_in_ts is not None and after.first_in_ts is None
        if len(self.shown) < MOST_SHOWN:
            self.shown.append(Change(before, after, changed))


def digest(day: Attendance) -> int:
    """Return a number by which the same outcome is known again, in this process."""
    return hash(day)


def plan_recompute(
    engine: Engine,
    first: date,
    last: date,
    rules: RulesConfig,
    *,
    now: datetime,
    employee_id: str | None = None,
    progress: Progress = lambda *_: None,
) -> Plan:
    """Return what recomputing the business dates first to last would change, of one person or of everybody.

    Days beside those dates are in it when events move there, or from there. Read a date at a time: live
    events are recorded meanwhile, and memory holds one date.
    """
    plan, within = Plan(first, last), (first, last)
    with UnitOfWork(engine, writes=False) as work:
        cast = _cast(work, employee_id, rules)
        complete_to = recorded_at(work, {each.site_id for each in cast.people.values()}, now)
    arrivals: dict[PersonDay, DaySeen] = {}
    departures: dict[PersonDay, set[int]] = {}
    days = [first + n * DAY for n in range((last - first).days + 1)]
    for number, day in enumerate(days, 1):
        progress(day, number, len(days))
        with UnitOfWork(engine, writes=False) as work:
            dated = (date_somebody if employee_id else date_everybody)(work.session, cast, day, within)
            wanted = _worth_looking(work, cast, day, dated, complete_to)
            seen = {(each, day): of_day for each, of_day in dated.seen.items()}
            for some in _portions(sorted(wanted)):
                for outcome in outcomes(work, some, cast, rules, complete_to, seen=seen):
                    plan.note(*outcome)
        plan.moves |= dated.moves
        arrivals |= dated.arrivals
        departures |= dated.departures
    with UnitOfWork(engine, writes=False) as work:
        beside = _beside(work, arrivals, departures)
        for some in _portions(sorted(beside)):
            for outcome in outcomes(work, some, cast, rules, complete_to, seen=beside):
                plan.note(*outcome)
    return plan


def _cast(work: UnitOfWork, employee_id: str | None, rules: RulesConfig) -> Cast:
    if employee_id:
        return cast_of(work, {employee_id}, rules)
    everybody = people.everybody(work.session)
    return Cast(everybody, shifts.schedules(work.session, everybody, day_cutoff=rules.day_cutoff))


def _worth_looking(
    work: UnitOfWork, cast: Cast, day: date, dated: Dated, complete_to: Mapping[str, datetime]
) -> set[PersonDay]:
    """Return whose day has a row, or may deserve one."""
    found = {each for each in attendance.of_day(work.session, day) if each in cast.people}
    found |= {each for each in dated.seen if cast.people[each].is_followed_on(day)}
    found |= {each for each in cast.people if is_closed_workday(cast, each, day, complete_to)}
    return {(each, day) for each in found}


def _beside(
    work: UnitOfWork, arrivals: Mapping[PersonDay, DaySeen], departures: Mapping[PersonDay, set[int]]
) -> dict[PersonDay, DaySeen]:
    """Return what will have been seen on days outside the range that events come to or leave."""
    days = {*arrivals, *departures}
    found = {each: DaySeen() for each in days}
    gone = {event_id for ids in departures.values() for event_id in ids}
    found |= collected(
        ((employee_id, day), at, kind, site_id)
        for event_id, employee_id, day, at, kind, site_id in events.of_days(work.session, days)
        if event_id not in gone
    )
    for whose, more in arrivals.items():
        found[whose].take(more)
    return found


def _portions(days: list[PersonDay]) -> Iterable[list[PersonDay]]:
    return (days[first : first + AT_ONCE] for first in range(0, len(days), AT_ONCE))


def portions_of(plan: Plan, most: int) -> Iterator[tuple[set[PersonDay], dict[Move, "array[int]"]]]:
    """Yield what a plan has to write, in portions of about so many person-days; each person's in one, so that
    nobody ever sees an event on two days, or on none.

    A move of some hundred events is as much work as a day.
    """
    moves: dict[str, dict[Move, array[int]]] = {}
    for move, event_ids in plan.moves.items():
        moves.setdefault(move[0], {})[move] = event_ids
    days: dict[str, set[PersonDay]] = {}
    for whose in plan.marks:
        days.setdefault(whose[0], set()).add(whose)
    portion: tuple[set[PersonDay], dict[Move, array[int]]] = (set(), {})
    for employee_id in sorted({*moves, *days}):
        of_person = moves.get(employee_id, {})
        touched = {(employee_id, on) for _, before, after in of_person for on in (before, after)}
        portion[0].update(touched | days.get(employee_id, set()))
        portion[1].update(of_person)
        if len(portion[0]) + sum(map(len, portion[1].values())) // 200 >= most:
            yield portion
            portion = (set(), {})
    if portion[0]:
        yield portion
