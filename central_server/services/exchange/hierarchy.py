"""The OrgHierarchy: who is told about whom, from when to when. Level 1 is the superior, 2 theirs."""

from collections.abc import Iterator, Mapping

from sqlalchemy import select

from central_server.db.models import OrgHierarchy
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.people import Link, above, closes_circle
from central_server.services.exchange import known
from central_server.services.exchange.table import Column, Context, Problem, Row, Table
from central_server.services.exchange.values import (
    as_date,
    as_text,
    normal_date,
    normal_number,
    number_problem,
    span_problem,
)

HIGHEST = 9
KEY = ("employee_id", "level", "supervisor_id", "valid_from")


def read(work: UnitOfWork) -> Iterator[Row]:
    order = (OrgHierarchy.employee_id, OrgHierarchy.level, OrgHierarchy.valid_from, OrgHierarchy.id)
    for row in work.session.scalars(select(OrgHierarchy).order_by(*order)):
        yield {
            "employee_id": row.employee_id,
            "supervisor_id": row.supervisor_id,
            "level": as_text(row.level),
            "valid_from": as_text(row.valid_from),
            "valid_to": as_text(row.valid_to),
        }


def problems(row: Row, context: Context) -> Iterator[Problem]:
    wrong = [
        *known.employee_problem(row, context),
        *known.employee_problem(row, context, "supervisor_id"),
        *number_problem(row, "level", low=1, high=HIGHEST),
        *span_problem(row, "valid_from", "valid_to"),
    ]
    if row["supervisor_id"] and row["supervisor_id"] == row["employee_id"]:
        wrong.append(Problem("supervisor_id", "own_superior"))
    yield from wrong
    if wrong:
        return
    link, links = _link(row), context.once("links", lambda: _links(context))
    for key, other in links.get(link.employee_id, {}).items():
        if key != _key(row) and other.level == link.level and _meet(link, other):
            yield Problem("supervisor_id", "level_taken", other.supervisor_id)
    upwards = context.once("above", lambda: above(each for mine in links.values() for each in mine.values()))
    if closes_circle(link, upwards):
        yield Problem("supervisor_id", "circular", link.supervisor_id)


def _key(row: Row) -> tuple[str, ...]:
    return tuple(row.get(name, "") for name in KEY)


def _links(context: Context) -> Mapping[str, Mapping[tuple[str, ...], Link]]:
    """Return the links of each employee as they will be; a row that makes no sense is told of elsewhere."""
    found: dict[str, dict[tuple[str, ...], Link]] = {}
    for row in (*context.known.values(), *context.rows):
        try:
            link = _link({**context.known.get(_key(row), {}), **row})
        except (KeyError, ValueError):
            continue
        found.setdefault(link.employee_id, {})[_key(row)] = link
    return found


def _link(row: Row) -> Link:
    return Link(
        employee_id=row["employee_id"],
        supervisor_id=row["supervisor_id"],
        level=int(row["level"]),
        valid_from=as_date(row.get("valid_from", "")),
        valid_to=as_date(row.get("valid_to", "")),
    )


def _meet(one: Link, other: Link) -> bool:
    """Tell whether both are valid on some day."""
    begins = [each.valid_from for each in (one, other) if each.valid_from]
    ends = [each.valid_to for each in (one, other) if each.valid_to]
    return not begins or not ends or max(begins) <= min(ends)


def put(row: Row, context: Context) -> None:
    link = _link(row)
    kept = _of(row, context) or OrgHierarchy(
        employee_id=link.employee_id,
        supervisor_id=link.supervisor_id,
        level=link.level,
        valid_from=link.valid_from,
    )
    kept.valid_to = link.valid_to
    context.work.session.add(kept)


def remove(row: Row, context: Context) -> None:
    if kept := _of(row, context):
        context.work.session.delete(kept)


def _of(row: Row, context: Context) -> OrgHierarchy | None:
    if _key(row) not in context.known:
        return None  # new: no need to ask for each of thousands
    same = (
        OrgHierarchy.employee_id == row["employee_id"],
        OrgHierarchy.supervisor_id == row["supervisor_id"],
        OrgHierarchy.level == int(row["level"]),
        OrgHierarchy.valid_from == as_date(row.get("valid_from", "")),  # None: IS NULL
    )
    return context.work.session.scalar(select(OrgHierarchy).where(*same).limit(1))


TABLE = Table(
    name="hierarchy",
    columns=(
        Column("employee_id", is_required=True, example="EMP001"),
        Column("supervisor_id", is_required=True, example="EMP002"),
        Column("level", example="1", normal=normal_number, empty="1"),
        Column("valid_from", example="2026-01-01", normal=normal_date),
        Column("valid_to", normal=normal_date),
    ),
    key=KEY,
    read=read,
    problems=problems,
    put=put,
    remove=remove,
)
