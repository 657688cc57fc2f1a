"""When a person is expected at work, and to which day a moment belongs. Local time is the site's."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum
from itertools import combinations
from typing import TypeVar

from central_server.domain.intervals import Interval

DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)  # the shortest time there is
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_INDONESIAN = ("senin", "selasa", "rabu", "kamis", "jumat", "sabtu", "minggu")
_NAMES = {
    **dict(zip(WEEKDAYS, WEEKDAYS, strict=True)),
    **dict(zip(_INDONESIAN, WEEKDAYS, strict=True)),
    **{name[:3]: day for name, day in zip(_INDONESIAN, WEEKDAYS, strict=True)},
    "jum'at": "fri",
    "ahad": "sun",
}
_SPAN = re.compile(r"([a-z']+)-([a-z']+)")


def weekdays_of(text: str) -> tuple[str, ...]:
    """Return the days of `mon-fri`, `senin-jumat`, `mon,wed,fri` or `sat-thu`, in the week's order.

    Raises ValueError.
    """
    days: set[str] = set()
    for part in text.lower().replace(" ", "").replace(";", ",").split(","):
        span = _SPAN.fullmatch(part)
        first, last = (_NAMES.get(each, "") for each in (span.groups() if span else (part, part)))
        if not first or not last:
            raise ValueError(f"{part!r} is no weekday or span of them: write mon-fri, or mon,wed,fri")
        start, count = WEEKDAYS.index(first), (WEEKDAYS.index(last) - WEEKDAYS.index(first)) % 7 + 1
        days |= {WEEKDAYS[(start + n) % 7] for n in range(count)}
    return tuple(day for day in WEEKDAYS if day in days)


class Standing(StrEnum):
    """What is expected of a person at a moment."""

    ON_DUTY = "on_duty"
    ON_BREAK = "on_break"
    ON_LEAVE = "on_leave"
    OFF_SHIFT = "off_shift"  # outside the shift, or a holiday


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """A pattern of working time, in local wall time; ending at or before its start means the next day."""

    shift_id: str
    name: str
    starts: time
    ends: time
    weekdays: frozenset[str] = frozenset(WEEKDAYS[:5])
    late_grace: timedelta = timedelta(minutes=10)
    early_leave_grace: timedelta = timedelta(minutes=10)
    early_in: timedelta = timedelta(minutes=120)  # sightings so long before belong to this shift
    late_out: timedelta = timedelta(minutes=240)  # and so long after


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    name: str
    starts: time
    ends: time
    shift_id: str | None = None  # None: every shift
    weekdays: frozenset[str] = frozenset(WEEKDAYS)
    is_paid: bool = False  # counts as work, e.g. a prayer
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """Shifts that follow each other day by day, and begin again."""

    rotation_id: str
    name: str
    starts_on: date  # a day on which the pattern begins; it goes on in both directions
    pattern: tuple[Shift | None, ...]  # None: a day off. The weekdays of these shifts do not count

    def shift_on(self, day: date) -> Shift | None:
        return self.pattern[(day - self.starts_on).days % len(self.pattern)] if self.pattern else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """Who works when: a shift on its weekdays, or a rotation."""

    shift: Shift | None = None
    rotation: Rotation | None = None
    is_own: bool = True  # False: the site's default
    valid_from: date | None = None
    valid_to: date | None = None

    def shift_on(self, day: date) -> Shift | None:
        if self.rotation is not None:
            return self.rotation.shift_on(day)
        if self.shift is not None and WEEKDAYS[day.weekday()] in self.shift.weekdays:
            return self.shift
        return None


class LeaveKind(StrEnum):
    """Why somebody is not expected at work. Another word may stand in its place; it is a leave then."""

    LEAVE = "leave"
    ANNUAL = "annual"
    SICK = "sick"
    MATERNITY = "maternity"
    UNPAID = "unpaid"
    TRIP = "trip"  # at work, but elsewhere


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveSpan:
    first_on: date
    last_on: date
    kind: str = LeaveKind.LEAVE


Dated = TypeVar("Dated", Assignment, Break)


@dataclass(frozen=True, slots=True)
class Pause:
    """A break of one shift day, within its working time."""

    name: str
    time: Interval
    is_paid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftDay:
    """A shift on one business date, as instants in UTC."""

    day: date
    shift: Shift
    starts_at: datetime
    ends_at: datetime
    pauses: tuple[Pause, ...] = ()

    @property
    def breaks(self) -> tuple[Interval, ...]:
        """Every break, paid or not: who is not seen then is not missing."""
        return tuple(each.time for each in self.pauses)

    @property
    def unpaid_breaks(self) -> tuple[Interval, ...]:
        """What does not count as work."""
        return tuple(each.time for each in self.pauses if not each.is_paid)

    @property
    def opens_at(self) -> datetime:
        return self.starts_at - self.shift.early_in

    @property
    def closes_at(self) -> datetime:
        return self.ends_at + self.shift.late_out

    def distance(self, moment: datetime) -> timedelta:
        """How far moment lies outside the working time itself."""
        return max(timedelta(0), self.starts_at - moment, moment - self.ends_at)


@dataclass(frozen=True, slots=True)
class Duty:
    """What is expected now, and since when; `before` is what was expected until then."""

    standing: Standing
    since: datetime | None = None  # of ON_DUTY only
    before: Standing = Standing.OFF_SHIFT


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Everything that decides when one person is expected."""

    timezone: tzinfo
    day_cutoff: time = time(4)  # where the business date turns for a moment outside every shift
    assignments: tuple[Assignment, ...] = ()
    breaks: tuple[Break, ...] = ()
    holidays: frozenset[date] = field(default_factory=frozenset)
    leaves: tuple[LeaveSpan, ...] = ()

    def business_date(self, moment: datetime) -> date:
        """Return the day that moment counts for: its shift's first day, else the local date."""
        local = moment.astimezone(self.timezone)
        around = (self._worked_on(local.date() + offset * DAY) for offset in (-2, -1, 0, 1))
        open_ones = [each for each in around if each and each.opens_at <= moment <= each.closes_at]
        if open_ones:
            return min(open_ones, key=lambda each: each.distance(moment)).day
        today = local.date()
        return today if moment >= self._instant(today, self.day_cutoff) else today - DAY

    def shift_on(self, day: date) -> ShiftDay | None:
        """Return the shift that starts on day, whether or not it is a holiday."""
        worked = self._worked_on(day)
        if worked is None or not self.breaks:
            return worked
        pauses = self._pauses(day, worked.shift, Interval(worked.starts_at, worked.ends_at))
        return replace(worked, pauses=tuple(pauses))

    def assignment_on(self, day: date) -> Assignment | None:
        """Return what decides the shift of day: the person's own before the site's, and of those the latest.

        Where several of the latest apply, the one with a shift on that day does. None: nothing applies.
        """
        valid = [each for each in self.assignments if _is_within(day, each.valid_from, each.valid_to)]
        latest = _latest([each for each in valid if each.is_own] or valid)
        return next((each for each in latest if each.shift_on(day)), latest[0] if latest else None)

    def instant_on(self, day: date, at: time) -> datetime:
        """Return the instant that a clock time means on a business date: the next morning's where its shift,
        or without one the day's cut-off, reaches there. UTC.
        """
        same, following = self._instant(day, at), self._instant(day + DAY, at)
        shift_day = self.shift_on(day)
        if shift_day is None:
            return following if at < self.day_cutoff else same
        return following if same < shift_day.opens_at and following <= shift_day.closes_at else same

    def is_holiday(self, day: date) -> bool:
        return day in self.holidays

    def is_leave(self, day: date) -> bool:
        return self.leave_on(day) is not None

    def leave_on(self, day: date) -> LeaveSpan | None:
        return next((each for each in self.leaves if each.first_on <= day <= each.last_on), None)

    def is_workday(self, day: date) -> bool:
        """Tell whether the person is expected on day."""
        return self.shift_on(day) is not None and not self.is_holiday(day) and not self.is_leave(day)

    def closes_at(self, day: date) -> datetime:
        """Return when nothing can be added to a day any more but late news."""
        shift_day = self.shift_on(day)
        return shift_day.closes_at if shift_day else self._instant(day + DAY, self.day_cutoff)

    def duty_at(self, moment: datetime) -> Duty:
        """Return what is expected of the person at moment."""
        day = self.business_date(moment)
        if self.is_leave(day):
            return Duty(Standing.ON_LEAVE)
        shift_day = self.shift_on(day)
        if shift_day is None or self.is_holiday(day):
            return Duty(Standing.OFF_SHIFT)
        if not shift_day.starts_at <= moment < shift_day.ends_at:
            return Duty(Standing.OFF_SHIFT)
        if any(each.start <= moment < each.end for each in shift_day.breaks):
            return Duty(Standing.ON_BREAK)
        ended = [each.end for each in shift_day.breaks if each.end <= moment]
        if ended:
            return Duty(Standing.ON_DUTY, max(ended), Standing.ON_BREAK)
        return Duty(Standing.ON_DUTY, shift_day.starts_at, Standing.OFF_SHIFT)

    def turns(self, first: date, last: date) -> list[tuple[datetime, date]]:
        """Return the business dates around the local dates first to last, each with the instant it begins at.

        For many moments at once: the date of a moment is that of the last turn not after it. It says the
        same as business_date, and holds from the start of first to the end of last.
        """
        span = range((last - first).days + 1)
        near = [self._worked_on(first + n * DAY) for n in range(-2, len(span) + 1)]
        at = {self._instant(first + n * DAY, self.day_cutoff) for n in range(-1, len(span) + 1)}
        at |= {self._instant(first + n * DAY, time(0)) for n in range(len(span) + 1)}  # other shifts are near
        for each in (one for one in near if one):
            at |= {each.opens_at, each.closes_at + INSTANT, each.starts_at, each.ends_at + INSTANT}
        for n in range(len(near)):
            for one, other in combinations([each for each in near[n : n + 4] if each], 2):
                # between two working times the nearer one counts
                at.add(one.ends_at + (other.starts_at - one.ends_at) / 2 + INSTANT)
        found: list[tuple[datetime, date]] = []
        for moment in sorted(at):
            day = self.business_date(moment)
            if not found or found[-1][1] != day:
                found.append((moment, day))
        return found

    def next_change(self, moment: datetime) -> datetime:
        """Return the first instant after moment at which something else may be expected of the person."""
        local = moment.astimezone(self.timezone).date()
        at = {self._instant(local + n * DAY, self.day_cutoff) for n in (-1, 0, 1, 2)}
        at |= {start for start, _ in self.turns(local, local + DAY)}
        for n in (-1, 0, 1):
            if shift_day := self.shift_on(local + n * DAY):
                at |= {shift_day.starts_at, shift_day.ends_at}
                at |= {edge for each in shift_day.breaks for edge in (each.start, each.end)}
        return min(each for each in at if each > moment)

    def shifts_between(self, first: date, last: date) -> tuple[Shift | None, ...]:
        """Return what is worked on each day. Who works alike around some dates has the same turns there."""
        return tuple(self._assigned(first + n * DAY) for n in range((last - first).days + 1))

    def _assigned(self, day: date) -> Shift | None:
        assignment = self.assignment_on(day)
        return assignment.shift_on(day) if assignment else None

    def _worked_on(self, day: date) -> ShiftDay | None:
        """Return the shift that starts on day, without its breaks."""
        shift = self._assigned(day)
        if shift is None:
            return None
        ends_on = day + DAY if shift.ends <= shift.starts else day
        return ShiftDay(
            day=day,
            shift=shift,
            starts_at=(starts_at := self._instant(day, shift.starts)),
            ends_at=max(starts_at, self._instant(ends_on, shift.ends)),  # in an hour that clocks leave out
        )

    def _pauses(self, day: date, shift: Shift, worked: Interval) -> Iterator[Pause]:
        is_over_midnight = {each.ends <= each.starts for each in self.breaks}
        before = [day - DAY] if True in is_over_midnight else []
        after = [day + DAY] if shift.ends <= shift.starts else []
        for begins_on in (*before, day, *after):
            valid = [
                each
                for each in self.breaks
                if each.shift_id in (None, shift.shift_id)
                and WEEKDAYS[begins_on.weekday()] in each.weekdays
                and _is_within(begins_on, each.valid_from, each.valid_to)
            ]
            for name in dict.fromkeys(each.name for each in valid):
                for each in _closest([one for one in valid if one.name == name]):
                    ends_on = begins_on + DAY if each.ends <= each.starts else begins_on
                    start = max(worked.start, self._instant(begins_on, each.starts))
                    end = min(worked.end, self._instant(ends_on, each.ends))
                    if start < end:
                        yield Pause(each.name, Interval(start, end), each.is_paid)

    def _instant(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, tzinfo=self.timezone).astimezone(UTC)


def _is_within(day: date, first: date | None, last: date | None) -> bool:
    return (first is None or first <= day) and (last is None or day <= last)


def _latest(valid: list[Dated]) -> list[Dated]:
    """Return those that began last: what is newly said replaces what was said before, whole."""
    newest = max((each.valid_from or date.min for each in valid), default=date.min)
    return [each for each in valid if (each.valid_from or date.min) == newest]


def _closest(same_name: list[Break]) -> list[Break]:
    """Return the breaks that count of those with one name: the latest, and of those the shift's own."""
    latest = _latest(same_name)
    return [each for each in latest if each.shift_id is not None] or latest
