"""HR sets a day right. The cameras' facts stay; a correction lies over them, with its reason."""

from dataclasses import dataclass
from datetime import date, datetime

from central_server.db.models import AttendanceCorrection, Employee
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import Status
from central_server.services.audit import note
from central_server.services.manage_people import PersonRefused


@dataclass(frozen=True, slots=True, kw_only=True)
class DayValues:
    """What a day says; instants are aware."""

    first_in: datetime | None
    last_out: datetime | None
    status: str  # empty: as it follows from the times


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
    if after.first_in and after.last_out and after.last_out < after.first_in:
        raise PersonRefused("last_out", "order_wrong")
    changes = [
        ("first_in_ts", _text(before.first_in), _text(after.first_in)),
        ("last_out_ts", _text(before.last_out), _text(after.last_out)),
        ("status", before.status, after.status),
    ]
    made = [(field, old, new) for field, old, new in changes if old != new]
    if not made:
        raise PersonRefused("reason", "nothing_changed")
    for field, old, new in made:
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


def _text(instant: datetime | None) -> str:
    return instant.isoformat(timespec="minutes") if instant else ""
