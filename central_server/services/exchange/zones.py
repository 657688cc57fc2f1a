"""Zones: parts of a site, with what cameras there may do and how long somebody may be unseen."""

from collections.abc import Iterator

from sqlalchemy import exists, select

from central_server.db.models import Camera, EmployeeZone, Kiosk, Zone
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.exchange import known
from central_server.services.exchange.table import Column, Context, Problem, Row, Table
from central_server.services.exchange.values import (
    NO,
    as_flag,
    as_text,
    flag_problem,
    length_problem,
    normal_flag,
    normal_number,
    number_problem,
    slug_problem,
)

SHORTEST_S, LONGEST_S = 30, 24 * 3600


def read(work: UnitOfWork) -> Iterator[Row]:
    for row in work.session.scalars(select(Zone).order_by(Zone.site_id, Zone.zone_id)):
        yield {
            "zone_id": row.zone_id,
            "site_id": row.site_id,
            "name": row.name,
            "threshold_s": as_text(row.threshold_s),
            "is_public": as_text(row.is_public),
            "is_entrance": as_text(row.is_entrance),
        }


def problems(row: Row, context: Context) -> Iterator[Problem]:
    yield from slug_problem(row, "zone_id")
    yield from length_problem(row, "name", 120)
    yield from number_problem(row, "threshold_s", low=SHORTEST_S, high=LONGEST_S)
    yield from known.site_problem(row, context)
    flags = [*flag_problem(row, "is_public", "is_entrance")]
    yield from flags
    before = context.known.get((row["zone_id"],), {})
    merged = {**before, **row}
    if not flags and as_flag(merged.get("is_public", "")) and as_flag(merged.get("is_entrance", "")):
        yield Problem("is_entrance", "public_entrance")
    if before and before["site_id"] != row["site_id"] and _is_used(row["zone_id"], context):
        yield Problem("site_id", "zone_moves")


def _is_used(zone_id: str, context: Context) -> bool:
    uses = [exists().where(table.zone_id == zone_id) for table in (Camera, Kiosk, EmployeeZone)]
    return any(context.work.session.scalar(select(each)) for each in uses)


def put(row: Row, context: Context) -> None:
    zone = context.work.session.get(Zone, row["zone_id"]) or Zone(zone_id=row["zone_id"])
    zone.site_id, zone.name = row["site_id"], row["name"]
    if "threshold_s" in row:
        zone.threshold_s = int(row["threshold_s"]) if row["threshold_s"] else None
    for flag in ("is_public", "is_entrance"):
        if flag in row:
            setattr(zone, flag, as_flag(row[flag]))
    context.work.session.add(zone)


def remove(row: Row, context: Context) -> None:
    context.work.session.delete(context.work.session.get_one(Zone, row["zone_id"]))


def bars(row: Row, context: Context) -> Iterator[Problem]:
    yield from known.bars("Zone", "zone_id", row["zone_id"], context)


TABLE = Table(
    name="zones",
    columns=(
        Column("zone_id", is_required=True, example="gate"),
        Column("site_id", example="plant", is_site=True),
        Column("name", is_required=True, example="Gerbang"),
        Column("threshold_s", example="300", normal=normal_number),
        Column("is_public", example="no", normal=normal_flag, empty=NO),
        Column("is_entrance", example="yes", normal=normal_flag, empty=NO),
    ),
    key=("zone_id",),
    read=read,
    problems=problems,
    put=put,
    remove=remove,
    bars=bars,
)
