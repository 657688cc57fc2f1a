"""HR approves the overtime of a day, or part of it. As a correction: with a reason, and kept for good."""

from datetime import date, datetime, timedelta

from sqlalchemy import select

from central_server.config import RulesConfig
from central_server.db.models import Attendance, AttendanceCorrection, Employee
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.overtime import OvertimeDay, week_of
from central_server.domain.shifts import Schedule
from central_server.services.audit import note
from central_server.services.correct_attendance import schedule_of, value_in_force
from central_server.services.manage_people import PersonRefused

FIELD = "overtime_min"
MOST_MIN = 24 * 60


def approve_overtime(
    work: UnitOfWork,
    employee_id: str,
    day: date,
    minutes: int | None,
    *,
    reason: str,
    by: str,
    now: datetime,
) -> None:
    """Append what HR approves; None takes an approval back, 0 refuses it. Raises PersonRefused.

    What counts in the end is never more than what was worked. The caller recomputes the day.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise PersonRefused("reason", "reason_empty")
    if work.session.get(Employee, employee_id) is None:
        raise PersonRefused("employee_id", "unknown_employee")
    if day > (now + timedelta(days=1)).date():  # somewhere on earth it may be that day already
        raise PersonRefused("minutes", "in_future")
    if minutes is not None and not 0 <= minutes <= MOST_MIN:
        raise PersonRefused("minutes", "minutes_wrong")
    before = value_in_force(work, employee_id, day, FIELD)
    after = "" if minutes is None else str(minutes)
    if before == after:
        raise PersonRefused("minutes", "nothing_changed")
    work.session.add(
        AttendanceCorrection(
            employee_id=employee_id,
            business_date=day,
            field=FIELD,
            before=before,
            after=after,
            reason=reason[:400],
            made_by=by,
            made_at=now,
        )
    )
    subject = f"{employee_id} {day}"
    note(work, f"user:{by}", "attendance.overtime", subject, now=now, reason=reason, minutes=[before, after])
    work.session.flush()


def overtime_of_week(
    work: UnitOfWork, employee_id: str, day: date, rules: RulesConfig
) -> tuple[OvertimeDay, ...]:
    """Return the overtime that counts of every day of day's week, as it is stored."""
    schedule = schedule_of(work, employee_id, rules)
    monday, sunday = week_of(day)
    rows = work.session.execute(
        select(Attendance.business_date, Attendance.overtime_paid_min).where(
            Attendance.employee_id == employee_id,
            Attendance.business_date.between(monday, sunday),
        )
    )
    return tuple(OvertimeDay(on, minutes, is_counted(schedule, on)) for on, minutes in rows)


def is_counted(schedule: Schedule, day: date) -> bool:
    """Tell whether overtime on day counts towards the caps: not on a rest day, and not on a holiday."""
    return schedule.shift_on(day) is not None and not schedule.is_holiday(day)
