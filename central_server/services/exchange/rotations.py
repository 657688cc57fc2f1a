"""Rotations: shifts that follow each other day by day, and begin again."""

from collections.abc import Iterator

from sqlalchemy import select

from central_server.db.models import Rotation, Shift
from central_server.db.queries.working_time import uses_of_rotation
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.exchange.shifts import OFF
from central_server.services.exchange.table import Column, Context, Problem, Row, Table
from central_server.services.exchange.values import (
    as_date,
    as_text,
    date_problem,
    length_problem,
    normal_date,
    slug_problem,
)
from central_server.services.exchange.words import DAYS_OFF

MOST_LETTERS = 1000  # of a pattern


def pattern_days(text: str) -> tuple[str, ...]:
    """Return a shift's id or `off` for each day of a pattern, whatever separates them."""
    days = text.lower().replace(",", " ").replace(";", " ").split()
    return tuple(OFF if each in DAYS_OFF else each for each in days)


def normal_pattern(text: str) -> str:
    return ",".join(pattern_days(text))


def read(work: UnitOfWork) -> Iterator[Row]:
    for row in work.session.scalars(select(Rotation).order_by(Rotation.rotation_id)):
        yield {
            "rotation_id": row.rotation_id,
            "name": row.name,
            "starts_on": as_text(row.starts_on),
            "pattern": normal_pattern(row.pattern),
        }


def problems(row: Row, context: Context) -> Iterator[Problem]:
    yield from slug_problem(row, "rotation_id")
    yield from length_problem(row, "name", 120)
    yield from date_problem(row, "starts_on")
    yield from length_problem(row, "pattern", MOST_LETTERS)
    days = pattern_days(row["pattern"])
    if not days:
        yield Problem("pattern", "empty")
    for name in dict.fromkeys(days):
        if name != OFF and context.work.session.get(Shift, name[:32]) is None:
            yield Problem("pattern", "no_shift", name)


def put(row: Row, context: Context) -> None:
    session = context.work.session
    rotation = session.get(Rotation, row["rotation_id"]) or Rotation(rotation_id=row["rotation_id"])
    starts_on = as_date(row["starts_on"])
    assert starts_on is not None
    rotation.name, rotation.starts_on, rotation.pattern = (
        row["name"],
        starts_on,
        normal_pattern(row["pattern"]),
    )
    session.add(rotation)


def remove(row: Row, context: Context) -> None:
    if rotation := context.work.session.get(Rotation, row["rotation_id"]):
        context.work.session.delete(rotation)


def bars(row: Row, context: Context) -> Iterator[Problem]:
    if used := uses_of_rotation(context.work.session, row["rotation_id"]):
        yield Problem("rotation_id", "in_use", used)


TABLE = Table(
    name="rotations",
    columns=(
        Column("rotation_id", is_required=True, example="2-2-2"),
        Column("name", is_required=True, example="Two mornings, two nights, two days off"),
        Column("starts_on", is_required=True, example="2026-01-05", normal=normal_date),
        Column("pattern", is_required=True, example="day,day,night,night,off,off", normal=normal_pattern),
    ),
    key=("rotation_id",),
    read=read,
    problems=problems,
    put=put,
    remove=remove,
    bars=bars,
)
