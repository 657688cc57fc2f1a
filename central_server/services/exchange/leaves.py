"""Leaves and business trips: whole days on which somebody is not expected, or is at work elsewhere."""

from collections.abc import Iterator, Mapping
from datetime import date

from sqlalchemy import Select, select

from central_server.db.models import Attendance, Leave
from central_server.db.stores import days_due
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.shifts import DAY, LeaveKind
from central_server.services.exchange import known
from central_server.services.exchange.table import Column, Context, Problem, Row, Table
from central_server.services.exchange.values import (
    as_date,
    as_text,
    choice_problem,
    length_problem,
    normal_date,
    span_problem,
)
from central_server.services.exchange.words import normal_leave_kind

KINDS = tuple(str(each) for each in LeaveKind)
Span = tuple[date, date]


def read(work: UnitOfWork) -> Iterator[Row]:
    yield from _rows(work, select(Leave))


def near(work: UnitOfWork, row: Row) -> Iterator[Row]:
    yield from _rows(work, select(Leave).where(Leave.employee_id == row.get("employee_id", "")))


def _rows(work: UnitOfWork, wanted: Select[tuple[Leave]]) -> Iterator[Row]:
    for row in work.session.scalars(wanted.order_by(Leave.employee_id, Leave.first_on, Leave.id)):
        yield {
            "employee_id": row.employee_id,
            "kind": row.kind,
            "first_on": as_text(row.first_on),
            "last_on": as_text(row.last_on),
            "note": row.note,
        }


def problems(row: Row, context: Context) -> Iterator[Problem]:
    wrong = [
        *known.employee_problem(row, context),
        *choice_problem(row, "kind", KINDS),
        *span_problem(row, "first_on", "last_on"),
        *length_problem(row, "note", 200),
    ]
    yield from wrong
    if wrong or not (row["first_on"] and row["last_on"]):
        return
    first, last = _span(row)
    for other_first, other_last in context.once("spans", lambda: _spans(context))[
        row["employee_id"]
    ].values():
        if other_first != first and other_first <= last and first <= other_last:
            yield Problem("first_on", "overlaps", as_text(other_first))


def _span(row: Row) -> Span:
    first, last = as_date(row.get("first_on", "")), as_date(row.get("last_on", ""))
    if first is None or last is None:
        raise ValueError("a leave has two days")
    return first, last


def _spans(context: Context) -> Mapping[str, Mapping[date, Span]]:
    """Return the leaves of each person as they will be; a row that makes no sense is told of elsewhere."""
    found: dict[str, dict[date, Span]] = {}
    for row in (*context.known.values(), *context.rows):
        try:
            span = _span(row)
        except ValueError:
            continue
        found.setdefault(row.get("employee_id", ""), {})[span[0]] = span
    return found


def put(row: Row, context: Context) -> None:
    first, last = _span(row)
    leave = _of(row, context) or Leave(employee_id=row["employee_id"], first_on=first)
    leave.last_on, leave.kind = last, row.get("kind") or str(LeaveKind.LEAVE)
    leave.note = row.get("note", "")
    context.work.session.add(leave)
    before = context.known.get(TABLE.key_of(row))
    _recompute_later(row["employee_id"], first, max(last, _span(before)[1]) if before else last, context)


def remove(row: Row, context: Context) -> None:
    if leave := _of(row, context):
        _recompute_later(leave.employee_id, leave.first_on, leave.last_on, context)
        context.work.session.delete(leave)


def _recompute_later(employee_id: str, first: date, last: date, context: Context) -> None:
    """Have the days judged anew that have been judged already: a leave is often told of afterwards."""
    if first > context.now.date() + DAY:
        return
    span = (Attendance.business_date >= first, Attendance.business_date <= last)
    judged = select(Attendance.business_date).where(Attendance.employee_id == employee_id, *span)
    with context.work.session.no_autoflush:  # a write for each of thousands of rows would be slow
        days = [(employee_id, day) for day in context.work.session.scalars(judged)]
    if days:
        days_due.mark(context.work.session, days, context.now)


def _of(row: Row, context: Context) -> Leave | None:
    if TABLE.key_of(row) not in context.known:
        return None  # new: no need to ask for each of thousands
    same = (Leave.employee_id == row["employee_id"], Leave.first_on == as_date(row["first_on"]))
    return context.work.session.scalar(select(Leave).where(*same).limit(1))


TABLE = Table(
    name="leaves",
    columns=(
        Column("employee_id", is_required=True, example="EMP001"),
        Column(
            "kind", example="annual", normal=normal_leave_kind, empty=str(LeaveKind.LEAVE), is_private=True
        ),
        Column("first_on", is_required=True, example="2026-12-21", normal=normal_date),
        Column("last_on", is_required=True, example="2026-12-24", normal=normal_date),
        Column("note", example="Pulang kampung", is_private=True),
    ),
    key=("employee_id", "first_on"),
    read=read,
    near=near,
    problems=problems,
    put=put,
    remove=remove,
)
