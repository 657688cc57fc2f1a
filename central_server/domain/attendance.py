"""One person-day, recomputed from the facts: late, repeated and shuffled sightings change only the truth.

Where nobody watched, the doubt counts for the person: see domain/proof.py.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum

from central_server.domain.intervals import NOTHING, Interval, cut, joined, total
from central_server.domain.proof import (
    arrival_at_best,
    departure_at_best,
    gaps_within,
    is_absence_believable,
    is_absence_certain,
    unseen_at_most,
)
from central_server.domain.shifts import Schedule, ShiftDay


class Status(StrEnum):
    PRESENT = "present"
    LATE = "late"
    ABSENT = "absent"
    INCOMPLETE = "incomplete"  # no hours can be told, and none are invented: somebody must ask
    LEAVE = "leave"
    HOLIDAY = "holiday"
    OFF = "off"  # not a working day


AWAY = frozenset({Status.ABSENT, Status.LEAVE})  # as HR says: not at work


class OvertimeRule(StrEnum):
    """What time outside the shift is worth."""

    APPROVED = "approved"  # it counts as work as far as HR has approved it
    COUNTED = "counted"  # it counts as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance:
    """What one person did on one business date. Provisional until nothing can be added but late news."""

    employee_id: str
    business_date: date
    site_id: str
    shift_id: str | None
    timezone: str  # IANA: of the site that saw the person first, else of their own
    first_in_ts: datetime | None
    last_out_ts: datetime | None  # the instant last seen; None while the person is in the area
    seconds: int  # in the area: sum of intervals
    span_seconds: int  # last seen minus first seen
    break_seconds: int = 0  # unpaid breaks within the span and the shift
    work_seconds: int | None  # span less breaks within the shift, and paid overtime; None: cannot be told
    status: Status
    late_min: int = 0
    early_leave_min: int = 0
    overtime_min: int = 0  # outside the shift, whether or not it counts
    overtime_paid_min: int = 0  # of it, what counts as work
    leave_kind: str = ""  # domain.shifts.LeaveKind, on a day of leave
    is_verified: bool = True  # False: nobody watched when it mattered
    is_provisional: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What HR says instead of the cameras; the last one for a field counts."""

    field: str  # first_in_ts | last_out_ts | status | overtime_min (approved)
    after: str  # an ISO 8601 instant with its offset, a Status, minutes; nothing: no correction after all
    made_at: datetime


@dataclass(frozen=True, slots=True, order=True)
class Punch:
    """Somebody came or went at a kiosk, and said which."""

    at: datetime
    is_in: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFacts:
    """Everything that one person-day follows from."""

    employee_id: str
    site_id: str
    business_date: date
    schedule: Schedule
    seen_at: Sequence[datetime]  # by cameras; UTC, any order, repeated or not
    punches: Sequence[Punch] = ()
    corrections: Sequence[Correction] = ()
    unwatched: Sequence[Interval] = ()  # when somebody could have come or gone without being seen
    as_of: datetime  # how far the record is complete
    is_in_area: bool = False  # now, on this business date
    merge_gap: timedelta = timedelta(minutes=5)  # unseen for less is the same stay
    overtime: OvertimeRule = OvertimeRule.APPROVED
    known_at: datetime | None = None  # since when the person is on record; before, nothing is proven
    timezone: tzinfo | None = None  # of the site that saw the person first, if it is not their own


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAccount:
    """A person-day, and how it came about."""

    attendance: Attendance
    shift_day: ShiftDay | None
    stays: tuple[Interval, ...]  # that count for the day
    odd_stays: tuple[Interval, ...]  # outside the shift's window: presence, but not attendance
    unwatched: tuple[Interval, ...]  # around the shift, as far as the record is complete


def presence_intervals(seen_at: Iterable[datetime], *, gap: timedelta) -> list[Interval]:
    """Join sightings no further apart than gap into intervals of presence."""
    intervals: list[Interval] = []
    start = end = None
    for moment in sorted(set(seen_at)):
        if start is not None and end is not None and moment - end <= gap:
            end = moment
            continue
        if start is not None and end is not None:
            intervals.append(Interval(start, end))
        start = end = moment
    if start is not None and end is not None:
        intervals.append(Interval(start, end))
    return intervals


def punched_intervals(punches: Iterable[Punch]) -> list[Interval]:
    """Return the stays from each `in` to the next `out`; what has no other end is an instant."""
    intervals: list[Interval] = []
    since: datetime | None = None
    for punch in sorted(set(punches)):
        if punch.is_in:
            since = since or punch.at
        else:
            intervals.append(Interval(since or punch.at, punch.at))
            since = None
    return [*intervals, Interval(since, since)] if since else intervals


def is_one_sided(punches: Iterable[Punch], at: datetime, *, is_in: bool, gap: timedelta) -> bool:
    """Tell whether somebody only punched in at an instant, the last of their day (or only out, the first).

    Then nobody knows when they went (or had come). Two of a kind in a row, more than gap apart, are no such
    thing: whoever pressed the wrong button was there at both.
    """
    told = sorted(set(punches))
    if {each.is_in for each in told if each.at == at} != {is_in}:
        return False
    if is_in:
        beside = [each for each in told if at - each.at > gap][-1:]
    else:
        beside = [each for each in told if each.at - at > gap][:1]
    return not any(each.is_in == is_in for each in beside)


def attendance_on(facts: DayFacts) -> Attendance:
    """Return the attendance that follows from the facts, and from nothing else."""
    return day_account(facts).attendance


def day_account(facts: DayFacts) -> DayAccount:
    """Return the attendance that follows from the facts, with what it was made of."""
    if facts.timezone is not None:
        facts = replace(facts, schedule=replace(facts.schedule, timezone=facts.timezone))
    shift_day = facts.schedule.shift_on(facts.business_date)
    is_working = shift_day is not None and not facts.schedule.is_holiday(facts.business_date)
    stays, odd = _stays(facts, shift_day if is_working else None)
    unwatched = _unwatched(facts, shift_day)
    day = _Day(facts, shift_day, is_working, stays, unwatched)
    return DayAccount(
        attendance=day.attendance(),
        shift_day=shift_day,
        stays=tuple(stays),
        odd_stays=tuple(odd),
        unwatched=tuple(unwatched),
    )


def _stays(facts: DayFacts, shift_day: ShiftDay | None) -> tuple[list[Interval], list[Interval]]:
    """Return the stays that count for the day, and those too far from its shift to do so."""
    moments = [*facts.seen_at, *(each.at for each in facts.punches)]
    every = presence_intervals(moments, gap=facts.merge_gap)
    if facts.punches:
        every = joined([*every, *punched_intervals(facts.punches)])
    if shift_day is None:
        return every, []
    window = Interval(shift_day.opens_at, shift_day.closes_at)
    came_at = max((each.at for each in facts.punches), default=None)

    def counts(stay: Interval) -> bool:
        """Who punched in early and not out again may be here still."""
        if stay.touches(window) or came_at is None:
            return stay.touches(window)
        is_early = stay.end < window.start and stay.start <= came_at <= stay.end
        return is_early and is_one_sided(facts.punches, came_at, is_in=True, gap=facts.merge_gap)

    return [each for each in every if counts(each)], [each for each in every if not counts(each)]


def _unwatched(facts: DayFacts, shift_day: ShiftDay | None) -> list[Interval]:
    if shift_day is None or not facts.unwatched or facts.as_of <= shift_day.opens_at:
        return []
    window = Interval(shift_day.opens_at, min(shift_day.closes_at, facts.as_of))
    return joined(cut(facts.unwatched, window))


class _Day:
    """The facts of one person-day at hand, while its figures are worked out."""

    def __init__(
        self,
        facts: DayFacts,
        shift_day: ShiftDay | None,
        is_working: bool,
        stays: list[Interval],
        unwatched: list[Interval],
    ) -> None:
        self.facts, self.shift_day, self.is_working = facts, shift_day, is_working
        self.stays, self.unwatched = stays, unwatched
        self.is_closed = facts.as_of >= facts.schedule.closes_at(facts.business_date)
        self.leave = facts.schedule.leave_on(facts.business_date)
        self.said = _last_said(facts.corrections)
        first, last = self.said.get("first_in_ts"), self.said.get("last_out_ts")
        self.is_here = facts.is_in_area and not self.is_closed and not last
        came, went = _ends(facts, stays)
        self.first = datetime.fromisoformat(first) if first else came
        self.last = (
            datetime.fromisoformat(last) if last else stays[-1].end if self.is_here and stays else went
        )
        self.is_whole = self.first is not None and self.last is not None and self.first < self.last

    def attendance(self) -> Attendance:
        blank = Attendance(
            employee_id=self.facts.employee_id,
            business_date=self.facts.business_date,
            site_id=self.facts.site_id,
            shift_id=self.shift_day.shift.shift_id if self.shift_day else None,
            timezone=str(self.facts.schedule.timezone),
            first_in_ts=self.first,
            last_out_ts=None if self.is_here else self.last,
            seconds=_whole(total(self.stays)),
            span_seconds=max(0, _whole(self.last - self.first)) if self.first and self.last else 0,
            work_seconds=None,
            status=Status.ABSENT,
            leave_kind=self.leave.kind if self.leave else "",
            is_provisional=not self.is_closed,
        )
        corrected = Status(self.said["status"]) if self.said.get("status") else None
        if (
            corrected in AWAY
        ):  # then there are no times and no hours, whatever the cameras took for the person
            return replace(blank, first_in_ts=None, last_out_ts=None, span_seconds=0, status=corrected)
        if self.first is None and self.last is None and not self.stays:
            return self._unseen(blank, corrected)
        counted = self._counted(blank)
        return replace(counted, status=corrected or self._status(counted))

    def _unseen(self, day: Attendance, corrected: Status | None) -> Attendance:
        """Return the day of somebody who was not seen: whether that means anything is the question."""
        if corrected or not self._is_expected():
            return replace(day, status=corrected or self._calm_status())
        assert self.shift_day is not None
        worked = Interval(self.shift_day.starts_at, self.shift_day.ends_at)
        is_absent = is_absence_believable(worked, self.unwatched, as_of=self.facts.as_of)
        return replace(
            day,
            status=Status.ABSENT if is_absent else Status.INCOMPLETE,
            is_verified=is_absence_certain(worked, self.unwatched, unseen_after=self.facts.merge_gap),
        )

    def _is_expected(self) -> bool:
        """Tell whether the person had to come, and was on record in time for it."""
        if self.shift_day is None or not self.is_working or self.leave:
            return False
        known_at, grace = self.facts.known_at, self.shift_day.shift.late_grace
        return known_at is None or known_at <= self.shift_day.starts_at + grace

    def _calm_status(self) -> Status:
        if self.leave:
            return Status.LEAVE
        return Status.HOLIDAY if self.facts.schedule.is_holiday(self.facts.business_date) else Status.OFF

    def _counted(self, day: Attendance) -> Attendance:
        """Return day with its hours and minutes counted against the shift."""
        is_duty = self.is_working and self.shift_day is not None
        late, is_late_proven = self._late() if is_duty else (NOTHING, True)
        if not self.is_whole:  # when they came or went is not known: no hours can be told
            return replace(day, late_min=_minutes(late), is_verified=is_late_proven)
        assert self.first is not None and self.last is not None
        stay = Interval(self.first, self.last)
        if not self.is_working or self.shift_day is None:
            return self._counted_off_duty(day, stay)
        early, is_early_proven = self._early_leave()
        overtime = stay.end - self.shift_day.ends_at if self._was_at_work() else NOTHING
        paid = self._paid(_minutes(overtime))
        [worked] = cut([stay], Interval(self.shift_day.starts_at, self.shift_day.ends_at)) or [None]
        breaks = total(cut(self.shift_day.unpaid_breaks, worked)) if worked else NOTHING
        work = _whole(worked.length - breaks) if worked else 0
        return replace(
            day,
            break_seconds=_whole(breaks),
            work_seconds=work + 60 * paid if self._was_at_work() else None,
            late_min=_minutes(late),
            early_leave_min=_minutes(early),
            overtime_min=_minutes(overtime),
            overtime_paid_min=paid,
            is_verified=is_late_proven and is_early_proven,
        )

    def _counted_off_duty(self, day: Attendance, stay: Interval) -> Attendance:
        """On a day off everything is overtime; who has no working hours at all works when they are here."""
        if not self.facts.schedule.assignments:
            return replace(day, work_seconds=_whole(stay.length))
        overtime = _minutes(stay.length)
        paid = self._paid(overtime)
        return replace(day, work_seconds=60 * paid, overtime_min=overtime, overtime_paid_min=paid)

    def _was_at_work(self) -> bool:
        """Tell whether any of the stay lies within the working time."""
        if self.shift_day is None or self.first is None or self.last is None:
            return False
        return self.first < self.shift_day.ends_at and self.last > self.shift_day.starts_at

    def _late(self) -> tuple[timedelta, bool]:
        """Return by how much the person is proven to have come late, and whether nothing is in doubt."""
        assert self.shift_day is not None
        deadline = self.shift_day.starts_at + self.shift_day.shift.late_grace
        if self.first is None:
            return NOTHING, True
        if self.first <= deadline or self.first >= self.shift_day.ends_at or not self._is_expected():
            return NOTHING, True
        arrived, unseen = self.first, unseen_at_most(self.facts.merge_gap)
        if not self.said.get("first_in_ts"):
            arrived = arrival_at_best(
                self.first, self.unwatched, since=self.shift_day.opens_at, unseen=unseen
            )
        late = arrived - self.shift_day.starts_at if arrived > deadline else NOTHING
        return late, self._is_sure("first_in_ts", self.shift_day.starts_at - unseen, self.first)

    def _early_leave(self) -> tuple[timedelta, bool]:
        """The same of leaving before the shift's end."""
        assert self.shift_day is not None and self.last is not None
        ends_at = self.shift_day.ends_at
        excused_from = ends_at - self.shift_day.shift.early_leave_grace
        has_left = not self.is_here and self.facts.as_of >= ends_at
        if not has_left or self.last >= excused_from or self.leave or not self._was_at_work():
            return NOTHING, True
        left, unseen = self.last, unseen_at_most(self.facts.merge_gap)
        if not self.said.get("last_out_ts"):
            left = departure_at_best(self.last, self.unwatched, until=self.shift_day.closes_at, unseen=unseen)
        early = ends_at - left if left < excused_from else NOTHING
        return early, self._is_sure("last_out_ts", self.last, ends_at + unseen)

    def _is_sure(self, field: str, start: datetime, end: datetime) -> bool:
        """Tell whether HR has said it, or nobody can have come or gone unseen between two instants."""
        return bool(self.said.get(field)) or not gaps_within(self.unwatched, start, end)

    def _paid(self, overtime_min: int) -> int:
        if self.facts.overtime is OvertimeRule.COUNTED:
            return max(0, overtime_min)
        return max(0, min(overtime_min, int(self.said.get("overtime_min") or 0)))

    def _status(self, day: Attendance) -> Status:
        is_duty = self.is_working and not self.leave
        if not self.is_whole and not self.is_here:
            return Status.INCOMPLETE if is_duty else self._calm_status()
        is_over = self.shift_day is not None and self.facts.as_of >= self.shift_day.ends_at
        if is_duty and is_over and not self._was_at_work():
            return Status.INCOMPLETE  # seen only outside the working time
        return Status.LATE if day.late_min else Status.PRESENT


def _ends(facts: DayFacts, stays: Sequence[Interval]) -> tuple[datetime | None, datetime | None]:
    """Return when the person came and went; None: a punch at the other end alone does not tell."""
    if not stays:
        return None, None
    first, last = stays[0].start, stays[-1].end
    seen = set(facts.seen_at)
    is_begun = first in seen or not is_one_sided(facts.punches, first, is_in=False, gap=facts.merge_gap)
    is_ended = last in seen or not is_one_sided(facts.punches, last, is_in=True, gap=facts.merge_gap)
    return first if is_begun else None, last if is_ended else None


def _last_said(corrections: Iterable[Correction]) -> dict[str, str]:
    return {each.field: each.after for each in sorted(corrections, key=lambda one: one.made_at)}


def _whole(duration: timedelta) -> int:
    return int(duration.total_seconds())


def _minutes(duration: timedelta) -> int:
    return max(0, int(duration.total_seconds() // 60))
