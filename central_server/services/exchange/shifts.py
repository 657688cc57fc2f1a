"""Shifts: from when to when, on which days, and how much time around them still belongs to them."""

from collections.abc import Iterator

from sqlalchemy import select

from central_server.db.models import Shift
from central_server.db.queries.working_time import uses_of_shift
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.shifts import WEEKDAYS, weekdays_of
from central_server.services.exchange.table import Column, Context, Problem, Row, Table
from central_server.services.exchange.values import (
    as_text,
    as_time,
    length_problem,
    normal_number,
    normal_time,
    normal_weekdays,
    number_problem,
    slug_problem,
    time_problem,
    weekdays_problem,
    weekdays_text,
)

OFF = "off"  # a day off, in the pattern of a rotation
MOST_MARGIN_MIN = 12 * 60  # sightings further away than half a day belong to no shift
MOST_GRACE_MIN = 240
MINUTES = ("early_in_min", "late_out_min", "late_grace_min", "early_leave_grace_min")


def read(work: UnitOfWork) -> Iterator[Row]:
    for row in work.session.scalars(select(Shift).order_by(Shift.starts, Shift.shift_id)):
        yield {
            "shift_id": row.shift_id,
            "name": row.name,
            "starts": as_text(row.starts),
            "ends": as_text(row.ends),
            "weekdays": weekdays_text(row.weekdays),
            **{column: as_text(getattr(row, column)) for column in MINUTES},
        }


def problems(row: Row, context: Context) -> Iterator[Problem]:
    yield from slug_problem(row, "shift_id")
    if row["shift_id"] == OFF:
        yield Problem("shift_id", "off_is_taken")
    yield from length_problem(row, "name", 120)
    yield from time_problem(row, "starts", "ends")
    yield from weekdays_problem(row, "weekdays")
    for column in MINUTES:
        most = MOST_GRACE_MIN if "grace" in column else MOST_MARGIN_MIN
        yield from number_problem(row, column, low=0, high=most)


def put(row: Row, context: Context) -> None:
    session = context.work.session
    shift = session.get(Shift, row["shift_id"]) or Shift(shift_id=row["shift_id"])
    starts, ends = as_time(row["starts"]), as_time(row["ends"])
    assert starts is not None and ends is not None
    shift.name, shift.starts, shift.ends = row["name"], starts, ends
    shift.weekdays = ",".join(weekdays_of(row.get("weekdays") or "mon-fri"))
    for column in MINUTES:
        if row.get(column):
            setattr(shift, column, int(row[column]))
    session.add(shift)


def remove(row: Row, context: Context) -> None:
    if shift := context.work.session.get(Shift, row["shift_id"]):
        context.work.session.delete(shift)


def bars(row: Row, context: Context) -> Iterator[Problem]:
    if used := uses_of_shift(context.work.session, row["shift_id"]):
        yield Problem("shift_id", "in_use", used)


def weekdays_in(stored: str) -> frozenset[str]:
    """Return the weekdays of a shift or break as it is stored."""
    return frozenset(day for day in WEEKDAYS if day in stored.split(","))


TABLE = Table(
    name="shifts",
    columns=(
        Column("shift_id", is_required=True, example="day"),
        Column("name", is_required=True, example="Day shift"),
        Column("starts", is_required=True, example="08:00", normal=normal_time),
        Column("ends", is_required=True, example="17:00", normal=normal_time),
        Column("weekdays", example="mon-fri", normal=normal_weekdays, empty="mon-fri"),
        Column("early_in_min", example="120", normal=normal_number, empty="120"),
        Column("late_out_min", example="240", normal=normal_number, empty="240"),
        Column("late_grace_min", example="10", normal=normal_number, empty="10"),
        Column("early_leave_grace_min", example="10", normal=normal_number, empty="10"),
    ),
    key=("shift_id",),
    read=read,
    problems=problems,
    put=put,
    remove=remove,
    bars=bars,
)
