"""HR sets a day right. The cameras' facts stay; a correction lies over them, with its reason."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import select

from central_server.config import RulesConfig
from central_server.db.models import AttendanceCorrection, Employee
from central_server.db.stores import people, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import Status
from central_server.domain.shifts import Schedule
from central_server.services.audit import note
from central_server.services.manage_people import PersonRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class DayValues:
    """What a day says; instants are aware."""

    first_in: datetime | None
    last_out: datetime | None
    status: str  # empty: as it follows from the times


def schedule_of(work: UnitOfWork, employee_id: str, rules: RulesConfig) -> Schedule:
    """Return when the person is expected: it decides what a clock time on a business date means."""
    known = people.by_id(work.session, {employee_id})
    return shifts.schedules(work.session, known, day_cutoff=rules.day_cutoff)[employee_id]


def correct_day(
    work: UnitOfWork,
    employee_id: str,
    day: date,
    *,
    before: DayValues,
    after: DayValues,
    reason: str,
    by: str,
    now: datetime,
) -> int:
    """Append a correction for each value that differs, and return how many. Raises PersonRefused.

    The caller recomputes the day afterwards, in the same transaction.
    """
    reason = " ".join(reason.split())
    if not reason:
        raise PersonRefused("reason", "reason_empty")
    if work.session.get(Employee, employee_id) is None:
        raise PersonRefused("employee_id", "unknown_employee")
    if after.status and after.status not in set(Status):
        raise PersonRefused("status", "nothing_changed")
    _check_times(day, before, after, now)
    changes = [
        ("first_in_ts", _text(before.first_in), _text(after.first_in)),
        ("last_out_ts", _text(before.last_out), _text(after.last_out)),
        ("status", before.status, after.status),
    ]
    made = [(field, old, new) for field, old, new in changes if old != new]
    if not made:
        raise PersonRefused("reason", "nothing_changed")
    for field, old, new in made:
        if not new and not value_in_force(work, employee_id, day, field):
            raise PersonRefused(field.removesuffix("_ts"), "camera_value")
        work.session.add(
            AttendanceCorrection(
                employee_id=employee_id,
                business_date=day,
                field=field,
                before=old,
                after=new,
                reason=reason[:400],
                made_by=by,
                made_at=now,
            )
        )
    detail = {field: [old, new] for field, old, new in made}
    note(work, f"user:{by}", "attendance.correct", f"{employee_id} {day}", now=now, reason=reason, **detail)
    work.session.flush()
    return len(made)


def _check_times(day: date, before: DayValues, after: DayValues, now: datetime) -> None:
    """Raise PersonRefused for a day or a time to come, or an end that is not after its beginning."""
    if day > (now + timedelta(days=1)).date():  # somewhere on earth it may be that day already
        raise PersonRefused("status", "in_future")
    for field, old, new in (
        ("first_in", before.first_in, after.first_in),
        ("last_out", before.last_out, after.last_out),
    ):
        if new and new != old and new > now:
            raise PersonRefused(field, "in_future")
    is_new = (before.first_in, before.last_out) != (after.first_in, after.last_out)
    if is_new and after.first_in and after.last_out and after.last_out <= after.first_in:
        raise PersonRefused("last_out", "order_wrong")


def value_in_force(work: UnitOfWork, employee_id: str, day: date, field: str) -> str:
    """Return what HR says of a value, empty when it is left as it follows; only what is said can be taken
    back.
    """
    latest = (
        select(AttendanceCorrection.after)
        .where(
            AttendanceCorrection.employee_id == employee_id,
            AttendanceCorrection.business_date == day,
            AttendanceCorrection.field == field,
        )
        .order_by(AttendanceCorrection.id.desc())
        .limit(1)
    )
    return work.session.scalar(latest) or ""


def _text(instant: datetime | None) -> str:
    return instant.isoformat(timespec="minutes") if instant else ""
