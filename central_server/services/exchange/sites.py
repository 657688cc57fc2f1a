"""Sites: places with a time zone and a daily report of their own."""

from collections.abc import Iterator
from datetime import time
from zoneinfo import ZoneInfo

from sqlalchemy import select

from central_server.db.models import Site
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.exchange import known
from central_server.services.exchange.table import Column, Context, Problem, Row, Table
from central_server.services.exchange.values import (
    as_text,
    as_time,
    length_problem,
    normal_time,
    slug_problem,
    time_problem,
)

INDONESIA = {"WIB": "Asia/Jakarta", "WITA": "Asia/Makassar", "WIT": "Asia/Jayapura"}
REPORT_AT = "17:30"


def normal_timezone(text: str) -> str:
    """Return the IANA name, also of WIB, WITA and WIT."""
    return INDONESIA.get(text.upper(), text)


def is_timezone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return False
    return bool(name)


def read(work: UnitOfWork) -> Iterator[Row]:
    for row in work.session.scalars(select(Site).order_by(Site.site_id)):
        yield {
            "site_id": row.site_id,
            "name": row.name,
            "timezone": row.timezone,
            "report_at": as_text(row.report_at),
        }


def problems(row: Row, context: Context) -> Iterator[Problem]:
    yield from slug_problem(row, "site_id")
    yield from length_problem(row, "name", 120)
    yield from time_problem(row, "report_at")
    if not is_timezone(row["timezone"]):
        yield Problem("timezone", "no_timezone", row["timezone"])


def put(row: Row, context: Context) -> None:
    site = context.work.session.get(Site, row["site_id"]) or Site(site_id=row["site_id"])
    site.name, site.timezone = row["name"], row["timezone"]
    if "report_at" in row or site.report_at is None:
        site.report_at = as_time(row.get("report_at", REPORT_AT)) or time(17, 30)
    context.work.session.add(site)


def remove(row: Row, context: Context) -> None:
    context.work.session.delete(context.work.session.get_one(Site, row["site_id"]))


def bars(row: Row, context: Context) -> Iterator[Problem]:
    yield from known.bars("Site", "site_id", row["site_id"], context)


TABLE = Table(
    name="sites",
    columns=(
        Column("site_id", is_required=True, example="plant"),
        Column("name", is_required=True, example="Pabrik Satu"),
        Column("timezone", is_required=True, example="WIB", normal=normal_timezone),
        Column("report_at", example="17:30", normal=normal_time, empty=REPORT_AT),
    ),
    key=("site_id",),
    read=read,
    problems=problems,
    put=put,
    remove=remove,
    bars=bars,
)
