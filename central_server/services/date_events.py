"""Find the business date of many sightings at once, and those whose date is another one by now.

A sighting gets its business date when it comes in. When shifts are changed afterwards it may belong to
another date: then it is moved, and both dates come to something else.
"""

from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any

from sqlalchemy.orm import Session

from central_server.db.stores import events
from central_server.db.stores.person_days import PersonDay
from central_server.domain.shifts import DAY, Schedule
from central_server.services.gather_day import Cast, DaySeen

REACH = timedelta(hours=1)  # what was seen last this long before it was told is looked for too
_AROUND = 2  # a change of shifts moves a sighting by at most so many days

Move = tuple[str, date, date]  # employee_id, from, to


class Calendar:
    """The business dates around one day, for everybody who works alike then."""

    def __init__(self, schedule: Schedule, day: date) -> None:
        self._schedule, self._day = schedule, day
        turns = schedule.turns(day - DAY, day + DAY)
        self._starts = [start for start, _ in turns]
        self._dates = [on for _, on in turns]
        self._from, self._to = (_midnight(day + n * DAY, schedule.timezone) for n in (-1, 2))

    def date_of(self, moment: datetime) -> date:
        if self._from <= moment < self._to:
            return self._dates[bisect_right(self._starts, moment) - 1]
        return self._schedule.business_date(moment)

    def span(self) -> tuple[datetime, datetime]:
        """Return from when to when moments can belong to the day."""
        ends = [*self._starts[1:], self._to]
        of_day = [each for each in zip(self._starts, ends, self._dates, strict=True) if each[2] == self._day]
        if not of_day:  # the day before takes all of it
            return self._from + DAY, self._from + DAY
        return min(start for start, _, _ in of_day), max(end for _, end, _ in of_day)


def calendars(schedules: Mapping[str, Schedule], day: date) -> dict[str, Calendar]:
    """Return each person's calendar around a day; who works alike shares one."""
    known: dict[Any, Calendar] = {}
    found = {}
    for employee_id, schedule in schedules.items():
        pattern = schedule.shifts_between(day - 4 * DAY, day + 4 * DAY)
        alike = (str(schedule.timezone), tuple(map(id, pattern)))
        if alike not in known:
            known[alike] = Calendar(schedule, day)
        found[employee_id] = known[alike]
    return found


@dataclass
class Dated:
    """What was seen of people on one business date, and which of it must be moved.

    moves: ids of events. arrivals and departures: of days outside `within`, what comes to them and what goes.
    """

    day: date
    within: tuple[date, date]
    calendars: Mapping[str, Calendar]
    seen: dict[str, DaySeen] = field(default_factory=dict)
    stored: Counter[str] = field(default_factory=Counter)  # found with this date already, by person
    moves: dict[Move, "array[int]"] = field(default_factory=dict)
    arrivals: dict[PersonDay, DaySeen] = field(default_factory=dict)
    departures: dict[PersonDay, set[int]] = field(default_factory=dict)

    def take(self, told: Iterable[events.Told]) -> None:
        """Sort sightings in; those that neither are nor were on the day are left out."""
        day, calendars_, seen, stored = self.day, self.calendars, self.seen, self.stored
        for event_id, employee_id, before, at, kind, site_id in told:
            calendar = calendars_.get(employee_id)
            if calendar is None:
                continue
            after = calendar.date_of(at)
            if before == day:
                stored[employee_id] += 1
            if after == day:
                of_day = seen.get(employee_id)
                if of_day is None:
                    of_day = seen[employee_id] = DaySeen()
                of_day.add(at, kind, site_id)
            if after != before and day in (after, before):
                self._move(event_id, employee_id, before, after, (at, kind, site_id))

    def _move(
        self, event_id: int, employee_id: str, before: date, after: date, what: tuple[datetime, str, str]
    ) -> None:
        first, last = self.within
        if before != self.day and first <= before <= last:
            return  # it is noted with the day that it leaves
        self.moves.setdefault((employee_id, before, after), array("q")).append(event_id)
        if not first <= after <= last:
            self.arrivals.setdefault((employee_id, after), DaySeen()).add(*what)
        if not first <= before <= last:
            self.departures.setdefault((employee_id, before), set()).add(event_id)


def date_everybody(session: Session, cast: Cast, day: date, within: tuple[date, date]) -> Dated:
    """Return what was seen of everybody in the cast on a business date by their schedules as they are now.

    The sightings around the day are read in the order in which they happened, as they lie in the database.
    within: the dates, all included, that are looked at by and by.
    """
    dated = Dated(day, within, calendars(cast.schedules, day))
    spans = {id(each): each.span() for each in dated.calendars.values()}.values()
    if not spans:
        return dated
    start, end = min(each for each, _ in spans) - REACH, max(each for _, each in spans) + REACH
    dated.take(events.seen_between(session, start, end))
    counts = events.counts(session, cast.people.keys(), day)
    strays = [(each, day) for each, count in counts.items() if count != dated.stored[each]]
    dated.take(events.of_days(session, strays, outside=(start, end)))
    return dated


def date_somebody(session: Session, cast: Cast, day: date, within: tuple[date, date]) -> Dated:
    """Return the same of a few people, whose sightings are looked up."""
    dated = Dated(day, within, calendars(cast.schedules, day))
    around = [day + n * DAY for n in range(-_AROUND, _AROUND + 1)]
    dated.take(events.of_days(session, [(each, on) for each in cast.people for on in around]))
    return dated


def still_moving(
    session: Session, moves: Mapping[Move, "array[int]"], schedules: Mapping[str, Schedule]
) -> Iterator[tuple[Move, "array[int]"]]:
    """Yield the moves that are right by these schedules, without the events that have another date by now."""
    for (employee_id, before, after), event_ids in moves.items():
        if (schedule := schedules.get(employee_id)) is None:
            continue
        calendar = Calendar(schedule, after)
        told = events.of_ids(session, event_ids)
        right = array(
            "q", [id_ for id_, _, on, at, *_ in told if on == before and calendar.date_of(at) == after]
        )
        if right:
            yield (employee_id, before, after), right


def _midnight(day: date, timezone: tzinfo) -> datetime:
    return datetime.combine(day, time(), timezone).astimezone(UTC)
