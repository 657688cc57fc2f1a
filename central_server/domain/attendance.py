"""One person-day, recomputed from the facts: late, repeated and shuffled sightings change only the truth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from central_server.domain.shifts import Interval, Schedule, ShiftDay

NOTHING = timedelta(0)


class Status(StrEnum):
    PRESENT = "present"
    LATE = "late"
    ABSENT = "absent"
    INCOMPLETE = "incomplete"  # seen at one instant only: no hours can be told, and none are invented
    LEAVE = "leave"
    HOLIDAY = "holiday"
    OFF = "off"  # not a working day


AWAY = frozenset({Status.ABSENT, Status.LEAVE})  # as HR says: not at work


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance:
    """What one person did on one business date. Provisional until nothing can be added but late news."""

    employee_id: str
    business_date: date
    site_id: str
    shift_id: str | None
    first_in_ts: datetime | None
    last_out_ts: datetime | None  # the instant last seen; None while the person is in the area
    seconds: int  # in the area: sum of intervals
    span_seconds: int  # last seen minus first seen
    work_seconds: int | None  # span within the shift less breaks; None: cannot be told
    status: Status
    late_min: int = 0
    early_leave_min: int = 0
    overtime_min: int = 0
    is_provisional: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What HR says instead of the cameras; the last one for a field counts."""

    field: str  # first_in_ts | last_out_ts | status
    after: str  # an ISO 8601 instant with its offset, a Status, or nothing: no correction after all
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFacts:
    """Everything that one person-day follows from."""

    employee_id: str
    site_id: str
    business_date: date
    schedule: Schedule
    seen_at: Sequence[datetime]  # UTC, any order, repeated or not
    corrections: Sequence[Correction] = ()
    as_of: datetime  # how far the record is complete
    is_in_area: bool = False  # now, on this business date
    merge_gap: timedelta = timedelta(minutes=5)  # unseen for less is the same stay


def presence_intervals(seen_at: Iterable[datetime], *, gap: timedelta) -> list[Interval]:
    """Join sightings no further apart than gap into intervals of presence."""
    intervals: list[Interval] = []
    for moment in sorted(set(seen_at)):
        if intervals and moment - intervals[-1].end <= gap:
            intervals[-1] = Interval(intervals[-1].start, moment)
        else:
            intervals.append(Interval(moment, moment))
    return intervals


def attendance_on(facts: DayFacts) -> Attendance:
    """Return the attendance that follows from the facts, and from nothing else."""
    day = facts.business_date
    shift_day = facts.schedule.shift_on(day)
    is_closed = facts.as_of >= facts.schedule.closes_at(day)
    first_in, last_seen = _first_and_last(facts)
    is_here = facts.is_in_area and not is_closed and not _is_said(facts, "last_out_ts")
    stays = presence_intervals(facts.seen_at, gap=facts.merge_gap)
    blank = Attendance(
        employee_id=facts.employee_id,
        business_date=day,
        site_id=facts.site_id,
        shift_id=shift_day.shift.shift_id if shift_day else None,
        first_in_ts=first_in,
        last_out_ts=None if is_here else last_seen,
        seconds=_whole(sum((each.end - each.start for each in stays), NOTHING)),
        span_seconds=_whole(last_seen - first_in) if first_in and last_seen else 0,
        work_seconds=None,
        status=Status.ABSENT,
        is_provisional=not is_closed,
    )
    corrected = _corrected_status(facts)
    if corrected in AWAY:  # then there are no times and no hours, whatever the cameras took for the person
        return replace(blank, first_in_ts=None, last_out_ts=None, span_seconds=0, status=corrected)
    counted = _counted(blank, facts, shift_day, last_seen)
    return replace(counted, status=corrected or _status(counted, facts, shift_day, last_seen))


def _first_and_last(facts: DayFacts) -> tuple[datetime | None, datetime | None]:
    first, last = min(facts.seen_at, default=None), max(facts.seen_at, default=None)
    said = _last_said(facts.corrections)
    if value := said.get("first_in_ts"):
        first = datetime.fromisoformat(value)
    if value := said.get("last_out_ts"):
        last = datetime.fromisoformat(value)
    return first, last


def _counted(
    day: Attendance, facts: DayFacts, shift_day: ShiftDay | None, last: datetime | None
) -> Attendance:
    """Return day with its hours and minutes counted against the shift."""
    first = day.first_in_ts
    if first is None or last is None or last < first:
        return day
    stay = Interval(first, last)
    work = None if first == last else _whole(_worked(stay, shift_day))
    if shift_day is None or facts.schedule.is_holiday(day.business_date):
        return replace(day, work_seconds=None if first == last else _whole(last - first))
    late, early = first - shift_day.starts_at, shift_day.ends_at - last
    has_ended = day.last_out_ts is not None and facts.as_of >= shift_day.ends_at
    is_excused = facts.schedule.is_leave(day.business_date)
    return replace(
        day,
        work_seconds=work,
        late_min=_minutes(late) if late > shift_day.shift.late_grace and not is_excused else 0,
        early_leave_min=(
            _minutes(early)
            if has_ended and early > shift_day.shift.early_leave_grace and not is_excused
            else 0
        ),
        overtime_min=_minutes(-early) if last > shift_day.ends_at else 0,
    )


def _worked(stay: Interval, shift_day: ShiftDay | None) -> timedelta:
    if shift_day is None:
        return stay.end - stay.start
    worked = Interval(max(stay.start, shift_day.starts_at), min(stay.end, shift_day.ends_at))
    if worked.end <= worked.start:
        return NOTHING
    pauses = presence_union(shift_day.breaks)
    return worked.end - worked.start - sum((worked.overlap(each) for each in pauses), NOTHING)


def presence_union(intervals: Iterable[Interval]) -> list[Interval]:
    """Join intervals that touch, so that overlapping breaks are taken off once."""
    joined: list[Interval] = []
    for each in sorted(intervals, key=lambda one: one.start):
        if joined and each.start <= joined[-1].end:
            joined[-1] = Interval(joined[-1].start, max(joined[-1].end, each.end))
        else:
            joined.append(each)
    return joined


def _status(day: Attendance, facts: DayFacts, shift_day: ShiftDay | None, last: datetime | None) -> Status:
    if day.first_in_ts is not None:
        if day.first_in_ts == last and not (facts.is_in_area and day.is_provisional):
            return Status.INCOMPLETE
        return Status.LATE if day.late_min else Status.PRESENT
    if facts.schedule.is_leave(day.business_date):
        return Status.LEAVE
    if facts.schedule.is_holiday(day.business_date):
        return Status.HOLIDAY
    return Status.ABSENT if shift_day else Status.OFF


def _corrected_status(facts: DayFacts) -> Status | None:
    value = _last_said(facts.corrections).get("status")
    return Status(value) if value else None


def _is_said(facts: DayFacts, field: str) -> bool:
    """Tell whether HR has given this value."""
    return bool(_last_said(facts.corrections).get(field))


def _last_said(corrections: Iterable[Correction]) -> dict[str, str]:
    return {each.field: each.after for each in sorted(corrections, key=lambda one: one.made_at)}


def _whole(duration: timedelta) -> int:
    return int(duration.total_seconds())


def _minutes(duration: timedelta) -> int:
    return int(duration.total_seconds() // 60)
