"""A table as lines of text, ready for a spreadsheet; what is written down when somebody takes it along."""

from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy import select

from central_server.db.models import Employee
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note
from central_server.services.exchange.table import Row, Table


def heading(table: Table) -> list[str]:
    return [each.name for each in table.columns]


def lines(table: Table, rows: Iterable[Row]) -> Iterator[list[str]]:
    for row in rows:
        yield [row.get(each.name, "") for each in table.columns]


def example(table: Table) -> list[str]:
    """Return one line to replace, in an otherwise empty table."""
    return [each.example for each in table.columns]


def export_rows(
    table: Table, work: UnitOfWork, *, site_id: str = "", now: datetime, actor: str
) -> list[list[str]]:
    """Return the table's lines; with a site, those of the site, of its people, and those of every site."""
    rows = list(table.read(work))
    if site_id:
        of_site = select(Employee.employee_id).where(Employee.site_id == site_id)
        people = frozenset(work.session.scalars(of_site))
        rows = [row for row in rows if _is_of(row, site_id, people)]
    note(work, actor, f"{table.name}.export", site_id, now=now, rows=len(rows))
    return list(lines(table, rows))


def _is_of(row: Row, site_id: str, people: frozenset[str]) -> bool:
    if "site_id" in row:
        return row["site_id"] in (site_id, "")
    return "employee_id" not in row or not row["employee_id"] or row["employee_id"] in people
