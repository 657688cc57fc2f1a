"""Who works which shift or rotation, from when to when. Without an employee it is the default of the site.

Of what is valid on a day, that which began last counts. Several may begin on one day as long as they share
no weekday: Monday to Friday, and a short Saturday. What is given for the same day and weekday later takes
the place of what was there.
"""

from collections.abc import Iterator, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Rotation, Shift, ShiftAssignment
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.shifts import WEEKDAYS
from central_server.services.audit import note
from central_server.services.exchange import known
from central_server.services.exchange.shifts import weekdays_in
from central_server.services.exchange.table import Column, Context, Problem, Row, Table
from central_server.services.exchange.values import as_date, as_text, normal_date, span_problem

KEY = ("site_id", "employee_id", "valid_from", "shift_id", "rotation_id")


def read(work: UnitOfWork) -> Iterator[Row]:
    first = (ShiftAssignment.site_id, ShiftAssignment.employee_id.is_not(None), ShiftAssignment.employee_id)
    order = (*first, ShiftAssignment.valid_from, ShiftAssignment.id)
    for row in work.session.scalars(select(ShiftAssignment).order_by(*order)):
        yield row_of(row)


def row_of(row: ShiftAssignment) -> Row:
    return {
        "site_id": row.site_id,
        "employee_id": row.employee_id or "",
        "shift_id": row.shift_id or "",
        "rotation_id": row.rotation_id or "",
        "valid_from": as_text(row.valid_from),
        "valid_to": as_text(row.valid_to),
    }


def problems(row: Row, context: Context) -> Iterator[Problem]:
    session = context.work.session
    shift_id, rotation_id = row.get("shift_id", ""), row.get("rotation_id", "")
    yield from known.site_problem(row, context)
    yield from known.employee_problem(row, context)
    if shift_id and shift_id not in _shift_days(context):
        yield Problem("shift_id", "no_shift", shift_id)
    if rotation_id and session.get(Rotation, rotation_id) is None:
        yield Problem("rotation_id", "no_rotation", rotation_id)
    if bool(shift_id) == bool(rotation_id):
        yield Problem("shift_id", "one_of_two")
    yield from span_problem(row, "valid_from", "valid_to")
    key = TABLE.key_of(row)
    home = known.people(context).get(row.get("employee_id", ""))
    if home and home != row.get("site_id") and key not in context.known:
        yield Problem("site_id", "other_site", home)
    for other in _given_by_start(context).get(_start_of(key), ()):
        if other != key and _have_common_days(context, key, other):
            yield Problem("valid_from", "same_start", other[3] or other[4])


def put(row: Row, context: Context) -> None:
    session = context.work.session
    key, found = TABLE.key_of(row), None
    for other in _of_start(session, key):
        other_key = TABLE.key_of(row_of(other))
        if other_key == key and found is None:
            found = other
        elif other_key == key:
            session.delete(other)  # a double from before there were keys
        elif other_key not in context.given and _have_common_days(context, key, other_key):
            replaced = dict(row_of(other))  # the row takes its place
            session.delete(other)
            note(context.work, context.actor, "assignments.replace", now=context.now, row=replaced)
    assignment = found or ShiftAssignment(
        site_id=row["site_id"],
        employee_id=row.get("employee_id") or None,
        shift_id=row.get("shift_id") or None,
        rotation_id=row.get("rotation_id") or None,
        valid_from=as_date(row.get("valid_from", "")),
    )
    assignment.valid_to = as_date(row.get("valid_to", ""))
    session.add(assignment)


def remove(row: Row, context: Context) -> None:
    session, key = context.work.session, TABLE.key_of(row)
    for each in _of_start(session, key):
        if TABLE.key_of(row_of(each)) == key:
            session.delete(each)


def _shift_days(context: Context) -> Mapping[str, frozenset[str]]:
    """Return the weekdays of each shift."""
    query = select(Shift.shift_id, Shift.weekdays)
    return context.once(
        "shifts", lambda: {name: weekdays_in(days) for name, days in context.work.session.execute(query)}
    )


def _start_of(key: tuple[str, ...]) -> tuple[str, str, str]:
    """Return for whom and from when: one person, wherever they are, or one site."""
    site_id, employee_id, valid_from = key[:3]
    return "" if employee_id else site_id, employee_id, valid_from


def _given_by_start(context: Context) -> Mapping[tuple[str, str, str], list[tuple[str, ...]]]:
    """Return the keys of this import, by for whom and from when."""

    def find() -> dict[tuple[str, str, str], list[tuple[str, ...]]]:
        found: dict[tuple[str, str, str], list[tuple[str, ...]]] = {}
        for key in sorted(context.given):
            found.setdefault(_start_of(key), []).append(key)
        return found

    return context.once("starts", find)


def _of_start(session: Session, key: tuple[str, ...]) -> list[ShiftAssignment]:
    site_id, employee_id, valid_from = _start_of(key)
    whose = (
        (ShiftAssignment.employee_id == employee_id,)
        if employee_id
        else (ShiftAssignment.employee_id.is_(None), ShiftAssignment.site_id == site_id)
    )
    same_start = ShiftAssignment.valid_from == as_date(valid_from)  # None: IS NULL
    with session.no_autoflush:  # the other rows of an import are of no interest: they stay in any case
        return list(session.scalars(select(ShiftAssignment).where(*whose, same_start)))


def _have_common_days(context: Context, one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return bool(_weekdays(context, one) & _weekdays(context, other))


def _weekdays(context: Context, key: tuple[str, ...]) -> frozenset[str]:
    """Return the weekdays on which it can apply: all of them for a rotation."""
    return frozenset(WEEKDAYS) if key[4] else _shift_days(context).get(key[3], frozenset())


TABLE = Table(
    name="assignments",
    columns=(
        Column("site_id", example="plant", is_site=True),
        Column("employee_id", example="EMP001"),
        Column("shift_id", example="day"),
        Column("rotation_id"),
        Column("valid_from", example="2026-01-01", normal=normal_date),
        Column("valid_to", normal=normal_date),
    ),
    key=KEY,
    read=read,
    problems=problems,
    put=put,
    remove=remove,
)
