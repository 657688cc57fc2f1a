"""What rows of several tables are held against: sites, zones and people, each asked for once an import."""

from collections.abc import Iterator, Mapping

from sqlalchemy import func, select

from central_server.db.base import Base
from central_server.db.models import Employee, Site, Zone
from central_server.services.exchange.table import Context, Problem, Row


def sites(context: Context) -> frozenset[str]:
    found = select(Site.site_id)
    return context.once("sites", lambda: frozenset(context.work.session.scalars(found)))


def zones(context: Context) -> Mapping[str, str]:
    """Return the site of each zone."""
    found = select(Zone.zone_id, Zone.site_id)
    return context.once(
        "zones", lambda: {each.zone_id: each.site_id for each in context.work.session.execute(found)}
    )


def people(context: Context) -> Mapping[str, str]:
    """Return the site of everybody by their code, also of who left."""
    found = select(Employee.employee_id, Employee.site_id)
    return context.once(
        "people", lambda: {each.employee_id: each.site_id for each in context.work.session.execute(found)}
    )


def site_problem(row: Row, context: Context) -> Iterator[Problem]:
    """Yield what is wrong with the site of a row that needs one."""
    site_id = row.get("site_id", "")
    if not site_id:
        yield Problem("site_id", "no_site_named")
    elif site_id not in sites(context):
        yield Problem("site_id", "no_site", site_id)


def employee_problem(row: Row, context: Context, column: str = "employee_id") -> Iterator[Problem]:
    if row.get(column) and row[column] not in people(context):
        yield Problem(column, "no_employee", row[column])


def bars(table: str, column: str, value: str, context: Context) -> Iterator[Problem]:
    """Yield which tables still refer to a row: while they do, it cannot be removed."""
    using = []
    for other in Base.metadata.sorted_tables:
        for mine in other.columns:
            if any(key.column.table.name == table and key.column.name == column for key in mine.foreign_keys):
                count = context.work.session.scalar(select(func.count()).where(mine == value)) or 0
                if count:
                    using.append(other.name)
    if using:
        yield Problem("", "in_use", ", ".join(dict.fromkeys(using)))
