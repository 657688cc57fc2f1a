"""Attendance: one row a person-day, and the corrections laid over it."""

from collections.abc import Collection, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from central_server.db.models import Attendance as Row
from central_server.db.models import AttendanceCorrection, HrisPush
from central_server.db.stores.person_days import PersonDay, blocks, on_days
from central_server.db.stores.plain_rows import plain_rows
from central_server.domain.attendance import Attendance, Correction, Status

GROWS_FOR = timedelta(hours=1)  # a revision, since its last change
_FIELDS = tuple(Attendance.__dataclass_fields__)
_COLUMNS = tuple(getattr(Row, name) for name in _FIELDS)
_ON_DAYS = select(*_COLUMNS).where(*on_days(Row))
_WHOLE = select(Row.id, *_COLUMNS, Row.revision, Row.changes, Row.updated_at).where(*on_days(Row))
_WRITTEN = (*_FIELDS, "revision", "changes", "updated_at")
_WRITE = (
    update(Row.__table__)
    .where(Row.__table__.c.id == bindparam("row_id"))
    .values({name: bindparam(name) for name in _WRITTEN})
)
_SAID = (
    select(
        *(
            getattr(AttendanceCorrection, each)
            for each in ("employee_id", "business_date", "field", "after", "made_at")
        )
    )
    .where(*on_days(AttendanceCorrection))
    .order_by(AttendanceCorrection.id)
)


def get(session: Session, employee_id: str, day: date) -> Attendance | None:
    row = _row(session, employee_id, day)
    return _attendance(row) if row else None


def of_day(session: Session, day: date) -> dict[str, Attendance]:
    """Return every row of a business date, by employee."""
    rows = session.execute(select(*_COLUMNS).where(Row.business_date == day))
    return {each.employee_id: each for each in (_from_columns(tuple(row)) for row in rows)}


def of_days(session: Session, days: Collection[PersonDay]) -> dict[PersonDay, Attendance]:
    """Return the rows of those person-days, as far as there are any."""
    found: dict[PersonDay, Attendance] = {}
    for employee_ids, dates in blocks(days):
        for row in plain_rows(session, _ON_DAYS, {"people": employee_ids, "dates": dates}):
            day = _from_columns(tuple(row))
            found[day.employee_id, day.business_date] = day
    return found


def put(session: Session, day: Attendance, *, now: datetime) -> bool:
    """Store the row if anything in it changed; say whether it did. See put_all."""
    return put_all(session, [day], now=now) == 1


def put_all(session: Session, days: Sequence[Attendance], *, now: datetime) -> int:
    """Store the rows in which anything changed; return how many did.

    What was final, or has been given to the HRIS, becomes a new revision that tells what changed. What comes
    piece by piece, as when an agent sends a backlog, is one revision.
    """
    rows = _rows(session, [(each.employee_id, each.business_date) for each in days])
    new: list[dict[str, Any]] = []
    changed: list[tuple[Any, dict[str, Any], dict[str, list[Any]]]] = []
    for day in days:
        values = {name: getattr(day, name) for name in _FIELDS} | {"status": day.status.value}
        row = rows.get((day.employee_id, day.business_date))
        if row is None:
            new.append(values | {"revision": 1, "changes": {}, "updated_at": now})
        elif changes := _changes(row, values):
            changed.append((row, values, changes))
    pushed = _pushed(session, [row for row, _, _ in changed if not _is_told(row, now)])
    written = [
        values
        | _revised(row, changes, is_told=_is_told(row, now) or _key(row) in pushed)
        | {"row_id": row.id, "updated_at": now}
        for row, values, changes in changed
    ]
    if new:
        session.connection().execute(insert(Row.__table__), new)
    if written:
        session.connection().execute(_WRITE, written)
        _forget(session)
    return len(new) + len(written)


def _forget(session: Session) -> None:
    """Let rows that somebody holds be read again when they are asked."""
    for each in session.identity_map.values():
        if isinstance(each, Row):
            session.expire(each)


def differences(before: Attendance | None, after: Attendance) -> dict[str, tuple[Any, Any]]:
    """Return what a day says otherwise than before; of one without a row, everything but who and when."""
    told = [name for name in _FIELDS if name not in ("employee_id", "business_date")]
    if before is None:
        return {name: (None, getattr(after, name)) for name in told}
    return {
        name: (getattr(before, name), getattr(after, name))
        for name in told
        if getattr(before, name) != getattr(after, name)
    }


def _changes(row: Any, values: dict[str, Any]) -> dict[str, list[Any]]:
    return {
        name: [_plain(getattr(row, name)), _plain(value)]
        for name, value in values.items()
        if getattr(row, name) != value
    }


def _revised(row: Any, changes: dict[str, list[Any]], *, is_told: bool) -> dict[str, Any]:
    """Return which revision the row becomes by what changed, and what that revision tells."""
    if is_told:
        return {"revision": row.revision + 1, "changes": changes}
    if row.revision > 1:  # it goes on growing
        grown = {name: _grown(row.changes, name, changes) for name in row.changes}
        return {"revision": row.revision, "changes": {**changes, **grown}}
    return {"revision": row.revision, "changes": row.changes}


def corrections(session: Session, employee_id: str, day: date) -> list[Correction]:
    return corrections_of(session, [(employee_id, day)]).get((employee_id, day), [])


def corrections_of(session: Session, days: Collection[PersonDay]) -> dict[PersonDay, list[Correction]]:
    """Return what HR says of those person-days, each in the order in which it was said."""
    found: dict[PersonDay, list[Correction]] = {}
    for employee_ids, dates in blocks(days):
        for row in plain_rows(session, _SAID, {"people": employee_ids, "dates": dates}):
            of_day = found.setdefault((row.employee_id, row.business_date), [])
            # What is said later counts, also when the clock was set back meanwhile.
            made_at = max(row.made_at, of_day[-1].made_at) if of_day else row.made_at
            of_day.append(Correction(field=row.field, after=row.after, made_at=made_at))
    return found


def revision(session: Session, employee_id: str, day: date) -> int:
    """Return the row's revision, 0 when there is none."""
    row = _row(session, employee_id, day)
    return row.revision if row else 0


def _row(session: Session, employee_id: str, day: date) -> Row | None:
    return session.scalar(select(Row).where(Row.employee_id == employee_id, Row.business_date == day))


def _is_told(row: Any, now: datetime) -> bool:
    """Tell whether somebody may have looked at the row as it is: it is final, and not just being revised."""
    is_growing = row.revision > 1 and now - row.updated_at <= GROWS_FOR
    return not row.is_provisional and not is_growing


def _rows(session: Session, days: Collection[PersonDay]) -> dict[PersonDay, Any]:
    found: dict[PersonDay, Any] = {}
    for employee_ids, dates in blocks(days):
        rows = plain_rows(session, _WHOLE, {"people": employee_ids, "dates": dates})
        found |= {(row.employee_id, row.business_date): row for row in rows}
    return found


def _key(row: Any) -> tuple[str, date, int]:
    return row.employee_id, row.business_date, row.revision


def _pushed(session: Session, rows: Sequence[Any]) -> set[tuple[str, date, int]]:
    """Return which revisions of those rows have been given to an HRIS."""
    days = [(row.employee_id, row.business_date) for row in rows]
    found: set[tuple[str, date, int]] = set()
    for connector in _connectors(session) if days else ():
        for employee_ids, dates in blocks(days):
            wanted = select(HrisPush.employee_id, HrisPush.business_date, HrisPush.revision).where(
                HrisPush.connector == connector,
                HrisPush.employee_id.in_(employee_ids),
                HrisPush.business_date.in_(dates),
            )
            found |= {(employee_id, day, number) for employee_id, day, number in session.execute(wanted)}
    return found


def _connectors(session: Session) -> list[str]:
    """Return which systems have been pushed to: the index begins with them, and is stepped through."""
    found: list[str] = []
    following = session.scalar(select(func.min(HrisPush.connector)))
    while following is not None:
        found.append(following)
        following = session.scalar(select(func.min(HrisPush.connector)).where(HrisPush.connector > following))
    return found


def _grown(before: dict[str, Any], name: str, changed: dict[str, Any]) -> list[Any]:
    return [before[name][0], changed[name][1]] if name in changed else before[name]


def _attendance(row: Row) -> Attendance:
    return _from_columns(tuple(getattr(row, name) for name in _FIELDS))


def _from_columns(values: tuple[Any, ...]) -> Attendance:
    said = dict(zip(_FIELDS, values, strict=True))
    return Attendance(**said | {"status": Status(said["status"])})


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value
