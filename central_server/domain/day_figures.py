"""One person-day, recomputed from the facts: late, repeated and shuffled sightings change only the truth.

Where nobody watched, the doubt counts for the person: see domain/proof.py.
"""

from dataclasses import replace
from datetime import timedelta

from central_server.domain.attendance import AWAY, Attendance, DayAccount, DayFacts, OvertimeRule, Status
from central_server.domain.day_at_hand import DayAtHand
from central_server.domain.intervals import NOTHING, Interval, cut, joined, total
from central_server.domain.proof import is_absence_believable, is_absence_certain
from central_server.domain.punctuality import early_by, late_by
from central_server.domain.shifts import ShiftDay
from central_server.domain.stays import stays_of


def attendance_on(facts: DayFacts) -> Attendance:
    """Return the attendance that follows from the facts, and from nothing else."""
    return day_account(facts).attendance


def day_account(facts: DayFacts) -> DayAccount:
    """Return the attendance that follows from the facts, with what it was made of."""
    if facts.timezone is not None:
        facts = replace(facts, schedule=replace(facts.schedule, timezone=facts.timezone))
    shift_day = facts.schedule.shift_on(facts.business_date)
    is_working = shift_day is not None and not facts.schedule.is_holiday(facts.business_date)
    stays, odd = stays_of(facts, shift_day if is_working else None)
    unwatched = _unwatched(facts, shift_day)
    day = DayAtHand(facts, shift_day, is_working, stays, unwatched)
    return DayAccount(
        attendance=_attendance(day),
        shift_day=shift_day,
        stays=tuple(stays),
        odd_stays=tuple(odd),
        unwatched=tuple(unwatched),
    )


def _unwatched(facts: DayFacts, shift_day: ShiftDay | None) -> list[Interval]:
    if shift_day is None or not facts.unwatched or facts.as_of <= shift_day.opens_at:
        return []
    window = Interval(shift_day.opens_at, min(shift_day.closes_at, facts.as_of))
    return joined(cut(facts.unwatched, window))


def _attendance(day: DayAtHand) -> Attendance:
    blank = Attendance(
        employee_id=day.facts.employee_id,
        business_date=day.facts.business_date,
        site_id=day.facts.site_id,
        shift_id=day.shift_day.shift.shift_id if day.shift_day else None,
        timezone=str(day.facts.schedule.timezone),
        first_in_ts=day.first,
        last_out_ts=None if day.is_here else day.last,
        seconds=_whole(total(day.stays)),
        span_seconds=max(0, _whole(day.last - day.first)) if day.first and day.last else 0,
        work_seconds=None,
        status=Status.ABSENT,
        leave_kind=day.leave.kind if day.leave else "",
        is_provisional=not day.is_closed,
    )
    corrected = Status(day.said["status"]) if day.said.get("status") else None
    if corrected in AWAY:  # then there are no times and no hours, whatever the cameras saw
        return replace(blank, first_in_ts=None, last_out_ts=None, span_seconds=0, status=corrected)
    if day.first is None and day.last is None and not day.stays:
        return _unseen(day, blank, corrected)
    counted = _counted(day, blank)
    return replace(counted, status=corrected or _status(day, counted))


def _unseen(day: DayAtHand, row: Attendance, corrected: Status | None) -> Attendance:
    """Return the day of somebody who was not seen: whether that means anything is the question."""
    if corrected or not day.is_expected():
        return replace(row, status=corrected or day.calm_status())
    assert day.shift_day is not None
    if day.is_early():
        return replace(row, status=Status.NOT_STARTED)
    worked = Interval(day.shift_day.starts_at, day.shift_day.ends_at)
    is_absent = is_absence_believable(worked, day.unwatched, as_of=day.facts.as_of)
    return replace(
        row,
        status=Status.ABSENT if is_absent else Status.INCOMPLETE,
        is_verified=is_absence_certain(worked, day.unwatched, unseen_after=day.facts.merge_gap),
    )


def _counted(day: DayAtHand, row: Attendance) -> Attendance:
    """Return row with its hours and minutes counted against the shift."""
    is_duty = day.is_working and day.shift_day is not None
    late, is_late_proven = late_by(day) if is_duty else (NOTHING, True)
    if not day.is_whole:  # when they came or went is not known: no hours can be told
        return replace(row, late_min=_minutes(late), is_verified=is_late_proven)
    assert day.first is not None and day.last is not None
    stay = Interval(day.first, day.last)
    if not day.is_working or day.shift_day is None:
        return _counted_off_duty(day, row, stay)
    early, is_early_proven = early_by(day)
    overtime = stay.end - day.shift_day.ends_at if day.was_at_work() else NOTHING
    paid = _paid(day, _minutes(overtime))
    [worked] = cut([stay], Interval(day.shift_day.starts_at, day.shift_day.ends_at)) or [None]
    breaks = total(cut(day.shift_day.unpaid_breaks, worked)) if worked else NOTHING
    work = _whole(worked.length - breaks) if worked else 0
    return replace(
        row,
        break_seconds=_whole(breaks),
        work_seconds=work + 60 * paid if day.was_at_work() else None,
        late_min=_minutes(late),
        early_leave_min=_minutes(early),
        overtime_min=_minutes(overtime),
        overtime_paid_min=paid,
        is_verified=is_late_proven and is_early_proven,
    )


def _counted_off_duty(day: DayAtHand, row: Attendance, stay: Interval) -> Attendance:
    """On a day off everything is overtime; who has no working hours at all works when they are here."""
    if not day.facts.schedule.assignments:
        return replace(row, work_seconds=_whole(stay.length))
    overtime = _minutes(stay.length)
    paid = _paid(day, overtime)
    return replace(row, work_seconds=60 * paid, overtime_min=overtime, overtime_paid_min=paid)


def _paid(day: DayAtHand, overtime_min: int) -> int:
    if day.facts.overtime is OvertimeRule.COUNTED:
        return max(0, overtime_min)
    return max(0, min(overtime_min, int(day.said.get("overtime_min") or 0)))


def _status(day: DayAtHand, row: Attendance) -> Status:
    is_duty = day.is_working and not day.leave
    if not day.is_whole and not day.is_here:
        return Status.INCOMPLETE if is_duty else day.calm_status()
    is_over = day.shift_day is not None and day.facts.as_of >= day.shift_day.ends_at
    if is_duty and is_over and not day.was_at_work():
        return Status.INCOMPLETE  # seen only outside the working time
    return Status.LATE if row.late_min else Status.PRESENT


def _whole(duration: timedelta) -> int:
    return int(duration.total_seconds())


def _minutes(duration: timedelta) -> int:
    return max(0, int(duration.total_seconds() // 60))
