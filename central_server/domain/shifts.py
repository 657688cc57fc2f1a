"""When a person is expected at work, and to which day a moment belongs. Local time is the site's."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

DAY = timedelta(days=1)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


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
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    shift: Shift
    is_own: bool = True  # False: the site's default
    valid_from: date | None = None
    valid_to: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveSpan:
    first_on: date
    last_on: date
    kind: str = "leave"


@dataclass(frozen=True, slots=True)
class Interval:
    start: datetime
    end: datetime

    def overlap(self, other: "Interval") -> timedelta:
        return max(timedelta(0), min(self.end, other.end) - max(self.start, other.start))


@dataclass(frozen=True, slots=True, kw_only=True)
class ShiftDay:
    """A shift on one business date, as instants in UTC."""

    day: date
    shift: Shift
    starts_at: datetime
    ends_at: datetime
    breaks: tuple[Interval, ...] = ()

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
        around = (self.shift_on(local.date() + offset * DAY) for offset in (-1, 0, 1))
        open_ones = [each for each in around if each and each.opens_at <= moment <= each.closes_at]
        if open_ones:
            return min(open_ones, key=lambda each: each.distance(moment)).day
        cutoff = timedelta(hours=self.day_cutoff.hour, minutes=self.day_cutoff.minute)
        return (local - cutoff).date()

    def shift_on(self, day: date) -> ShiftDay | None:
        """Return the shift that starts on day, whether or not it is a holiday."""
        shift = self._assigned(day)
        if shift is None:
            return None
        starts_at = self._instant(day, shift.starts)
        ends_at = self._instant(day + DAY if shift.ends <= shift.starts else day, shift.ends)
        breaks = tuple(self._breaks(day, shift, Interval(starts_at, ends_at)))
        return ShiftDay(day=day, shift=shift, starts_at=starts_at, ends_at=ends_at, breaks=breaks)

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
        return any(each.first_on <= day <= each.last_on for each in self.leaves)

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

    def _assigned(self, day: date) -> Shift | None:
        """Return the shift worked on day: the person's own, latest assignment first, before the site's."""
        valid = [each for each in self.assignments if _is_within(day, each.valid_from, each.valid_to)]
        own = [each for each in valid if each.is_own] or valid
        working = [each for each in own if WEEKDAYS[day.weekday()] in each.shift.weekdays]
        return max(working, key=lambda each: each.valid_from or date.min).shift if working else None

    def _breaks(self, day: date, shift: Shift, worked: Interval) -> Iterator[Interval]:
        for each in self.breaks:
            if each.shift_id not in (None, shift.shift_id):
                continue
            for begins_on in (day, day + DAY):
                if WEEKDAYS[begins_on.weekday()] not in each.weekdays:
                    continue
                if not _is_within(begins_on, each.valid_from, each.valid_to):
                    continue
                ends_on = begins_on + DAY if each.ends <= each.starts else begins_on
                start = max(worked.start, self._instant(begins_on, each.starts))
                end = min(worked.end, self._instant(ends_on, each.ends))
                if start < end:
                    yield Interval(start, end)

    def _instant(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, tzinfo=self.timezone).astimezone(UTC)


def _is_within(day: date, first: date | None, last: date | None) -> bool:
    return (first is None or first <= day) and (last is None or day <= last)
