"""Attendance: one row a person-day, and the corrections laid over it."""

from collections.abc import Collection
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Attendance as Row
from central_server.db.models import AttendanceCorrection, HrisPush
from central_server.domain.attendance import Attendance, Correction, Status

_KEY = ("employee_id", "business_date")
GROWS_FOR = timedelta(hours=1)  # a revision, since its last change


def get(session: Session, employee_id: str, day: date) -> Attendance | None:
    row = _row(session, employee_id, day)
    return _attendance(row) if row else None


def of_day(session: Session, employee_ids: Collection[str], day: date) -> dict[str, Attendance]:
    """Return the rows of those people on a business date."""
    rows = session.scalars(select(Row).where(Row.business_date == day))
    return {row.employee_id: _attendance(row) for row in rows if row.employee_id in employee_ids}


def put(session: Session, day: Attendance, *, now: datetime) -> bool:
    """Store the row if anything in it changed; say whether it did.

    What was final, or has been given to the HRIS, becomes a new revision that tells what changed. What comes
    piece by piece, as when an agent sends a backlog, is one revision.
    """
    row = _row(session, day.employee_id, day.business_date)
    values = asdict(day) | {"status": day.status.value}
    if row is None:
        session.add(Row(**values, revision=1, changes={}, updated_at=now))
        return True
    changed = {
        name: [_plain(getattr(row, name)), _plain(value)]
        for name, value in values.items()
        if getattr(row, name) != value
    }
    if not changed:
        return False
    if _is_told(row, now) or _is_pushed(session, row):
        row.revision, row.changes = row.revision + 1, changed
    elif row.revision > 1:  # it goes on growing
        row.changes = {**changed, **{name: _grown(row.changes, name, changed) for name in row.changes}}
    for name, value in values.items():
        setattr(row, name, value)
    row.updated_at = now
    return True


def corrections(session: Session, employee_id: str, day: date) -> list[Correction]:
    rows = session.scalars(
        select(AttendanceCorrection)
        .where(AttendanceCorrection.employee_id == employee_id, AttendanceCorrection.business_date == day)
        .order_by(AttendanceCorrection.id)
    )
    return [Correction(field=row.field, after=row.after, made_at=row.made_at) for row in rows]


def revision(session: Session, employee_id: str, day: date) -> int:
    """Return the row's revision, 0 when there is none."""
    row = _row(session, employee_id, day)
    return row.revision if row else 0


def _row(session: Session, employee_id: str, day: date) -> Row | None:
    return session.scalar(select(Row).where(Row.employee_id == employee_id, Row.business_date == day))


def _is_told(row: Row, now: datetime) -> bool:
    """Tell whether somebody may have looked at the row as it is: it is final, and not just being revised."""
    is_growing = row.revision > 1 and now - row.updated_at <= GROWS_FOR
    return not row.is_provisional and not is_growing


def _is_pushed(session: Session, row: Row) -> bool:
    same = (
        HrisPush.employee_id == row.employee_id,
        HrisPush.business_date == row.business_date,
        HrisPush.revision == row.revision,
    )
    return session.scalar(select(HrisPush.id).where(*same).limit(1)) is not None


def _grown(before: dict[str, Any], name: str, changed: dict[str, Any]) -> list[Any]:
    return [before[name][0], changed[name][1]] if name in changed else before[name]


def _attendance(row: Row) -> Attendance:
    values: dict[str, Any] = {name: getattr(row, name) for name in Attendance.__dataclass_fields__}
    return Attendance(**values | {"status": Status(row.status)})


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value
