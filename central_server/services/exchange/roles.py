"""Roles: how long somebody who works as this may be unseen, where that differs from what the zone says."""

from collections.abc import Iterator

from sqlalchemy import select

from central_server.db.models import RoleThreshold
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.exchange.table import Column, Context, Problem, Row, Table
from central_server.services.exchange.values import as_text, length_problem, normal_number, number_problem
from central_server.services.exchange.zones import LONGEST_S, SHORTEST_S


def read(work: UnitOfWork) -> Iterator[Row]:
    for row in work.session.scalars(select(RoleThreshold).order_by(RoleThreshold.role)):
        yield {"role": row.role, "threshold_s": as_text(row.threshold_s)}


def problems(row: Row, context: Context) -> Iterator[Problem]:
    yield from length_problem(row, "role", 120)
    yield from number_problem(row, "threshold_s", low=SHORTEST_S, high=LONGEST_S)
    if (other := context.once("roles", lambda: _spelt(context))[row["role"].casefold()]) != row["role"]:
        yield Problem("role", "taken", other)


def _spelt(context: Context) -> dict[str, str]:
    """Return the one spelling of each role: as it is there already, else as it stands first in the table."""
    spelt: dict[str, str] = {}
    for row in (*context.known.values(), *context.rows):
        spelt.setdefault(row.get("role", "").casefold(), row.get("role", ""))
    return spelt


def put(row: Row, context: Context) -> None:
    if not row.get("threshold_s"):  # as elsewhere, empty empties: then the role has no time of its own
        if row["role"] in {each["role"] for each in context.known.values()}:
            remove(row, context)
        return
    role = context.work.session.get(RoleThreshold, row["role"]) or RoleThreshold(role=row["role"])
    role.threshold_s = int(row["threshold_s"])
    context.work.session.add(role)


def remove(row: Row, context: Context) -> None:
    context.work.session.delete(context.work.session.get_one(RoleThreshold, row["role"]))


TABLE = Table(
    name="roles",
    columns=(
        Column("role", is_required=True, example="Satpam"),
        Column("threshold_s", example="900", normal=normal_number),
    ),
    key=("role",),
    read=read,
    problems=problems,
    put=put,
    remove=remove,
)
