"""Holidays: national ones, collective leave and the company's own, of one site or of all."""

from collections.abc import Iterator

from sqlalchemy import select

from central_server.db.models import Holiday, Site
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.exchange.table import Column, Context, Problem, Row, Table
from central_server.services.exchange.values import (
    as_date,
    as_flag,
    as_text,
    choice_problem,
    date_problem,
    flag_problem,
    length_problem,
    normal_date,
    normal_flag,
)
from central_server.services.exchange.words import normal_holiday_kind

KINDS = ("national", "collective", "company")


def read(work: UnitOfWork) -> Iterator[Row]:
    for row in work.session.scalars(select(Holiday).order_by(Holiday.day, Holiday.site_id, Holiday.id)):
        yield row_of(row)


def row_of(row: Holiday) -> Row:
    return {
        "day": as_text(row.day),
        "site_id": row.site_id or "",
        "name": row.name,
        "kind": row.kind,
        "is_certain": as_text(row.is_certain),
    }


def problems(row: Row, context: Context) -> Iterator[Problem]:
    yield from date_problem(row, "day")
    yield from length_problem(row, "name", 120)
    yield from choice_problem(row, "kind", KINDS)
    yield from flag_problem(row, "is_certain")
    if row.get("site_id") and context.work.session.get(Site, row["site_id"]) is None:
        yield Problem("site_id", "no_site", row["site_id"])


def put(row: Row, context: Context) -> None:
    holiday = _of(row, context) or Holiday(day=as_date(row["day"]), site_id=row.get("site_id") or None)
    holiday.name = row["name"]
    holiday.kind = row.get("kind") or "national"
    holiday.is_certain = as_flag(row.get("is_certain") or "yes")
    context.work.session.add(holiday)


def remove(row: Row, context: Context) -> None:
    if holiday := _of(row, context):
        context.work.session.delete(holiday)


def _of(row: Row, context: Context) -> Holiday | None:
    site_id = row.get("site_id") or None
    same = (Holiday.day == as_date(row["day"]), Holiday.site_id == site_id)  # None: IS NULL
    return context.work.session.scalar(select(Holiday).where(*same).limit(1))


TABLE = Table(
    name="holidays",
    columns=(
        Column("day", is_required=True, example="2026-08-17", normal=normal_date),
        Column("name", is_required=True, example="Hari Kemerdekaan"),
        Column("kind", example="national", normal=normal_holiday_kind, empty="national"),
        Column("site_id"),
        Column("is_certain", example="yes", normal=normal_flag, empty="yes"),
    ),
    key=("day", "site_id"),
    read=read,
    problems=problems,
    put=put,
    remove=remove,
)
