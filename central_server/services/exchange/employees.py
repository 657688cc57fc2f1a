"""Employees. Consent is never imported: it is recorded for each person. Nor does anybody leave by a table."""

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import select

from central_server.db.models import Employee, EmployeeZone, OrgHierarchy
from central_server.db.stores.people import links
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.people import Link, above, closes_circle
from central_server.services.exchange import known
from central_server.services.exchange.table import Column, Context, Problem, Row, Table
from central_server.services.exchange.values import (
    YES,
    as_date,
    as_flag,
    as_text,
    date_problem,
    flag_problem,
    length_problem,
    normal_date,
    normal_flag,
)
from central_server.services.manage_people import LENGTHS, normal_email, normal_phone
from central_server.services.place_person import set_superior, set_zones
from common.ids import is_employee_id


def normal_zones(text: str) -> str:
    """Return zones in one order, each once, with `;` between them."""
    return ";".join(sorted({each.strip() for each in text.replace(",", ";").split(";") if each.strip()}))


def read(work: UnitOfWork) -> Iterator[Row]:
    zones = _zones(work)
    superiors = _superiors(work)
    for row in work.session.scalars(select(Employee).order_by(Employee.employee_id)):
        yield {
            "employee_id": row.employee_id,
            "name": row.name,
            "department": row.department,
            "role": row.role,
            "phone": f"+{row.phone}" if row.phone else "",
            "email": row.email,
            "site_id": row.site_id,
            "started_on": as_text(row.started_on),
            "resigned_on": as_text(row.resigned_on),
            "is_watched": as_text(row.is_watched),
            "zones": ";".join(zones.get(row.employee_id, ())),
            "supervisor_id": superiors.get(row.employee_id, ""),
        }


def _zones(work: UnitOfWork) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    order = select(EmployeeZone).order_by(EmployeeZone.employee_id, EmployeeZone.zone_id)
    for each in work.session.scalars(order):
        found.setdefault(each.employee_id, []).append(each.zone_id)
    return found


def _superiors(work: UnitOfWork) -> Mapping[str, str]:
    """Return the direct superior of each as far as it has no end: what the column supervisor_id says."""
    open_ones = select(OrgHierarchy).where(OrgHierarchy.level == 1, OrgHierarchy.valid_to.is_(None))
    found = work.session.scalars(open_ones.order_by(OrgHierarchy.id))
    return {each.employee_id: each.supervisor_id for each in found}


def problems(row: Row, context: Context) -> Iterator[Problem]:
    yield from _code_problem(row, context)
    for column, most in LENGTHS.items():
        yield from length_problem(row, column, most)
    yield from _reach_problem(row)
    yield from date_problem(row, "started_on", "resigned_on")
    yield from flag_problem(row, "is_watched")
    yield from known.site_problem(row, context)
    for zone in filter(None, row.get("zones", "").split(";")):
        if zone not in known.zones(context):
            yield Problem("zones", "no_zone", zone)
    before = context.known.get((row["employee_id"],), {})
    if row.get("resigned_on", "") != before.get("resigned_on", "") and "resigned_on" in row:
        yield Problem("resigned_on", "only_shown", row["resigned_on"])
    yield from _superior_problem(row, context)


def _code_problem(row: Row, context: Context) -> Iterator[Problem]:
    """Yield what is wrong with the code; EMP001 and emp001 are one person to people."""
    code = row["employee_id"]
    if not is_employee_id(code):
        yield Problem("employee_id", "no_code", code)
    elif (spelt := context.once("codes", lambda: _spelt(context))[code.casefold()]) != code:
        yield Problem("employee_id", "taken", spelt)


def _spelt(context: Context) -> dict[str, str]:
    """Return the one spelling of each code: as it is there already, else as it stands first in the table."""
    spelt: dict[str, str] = {}
    for row in (*context.known.values(), *context.rows):
        spelt.setdefault(row.get("employee_id", "").casefold(), row.get("employee_id", ""))
    return spelt


def _reach_problem(row: Row) -> Iterator[Problem]:
    try:
        normal_phone(row.get("phone", ""))
    except ValueError:
        yield Problem("phone", "no_phone", row["phone"])
    try:
        normal_email(row.get("email", ""))
    except ValueError:
        yield Problem("email", "no_email", row["email"])


def _superior_problem(row: Row, context: Context) -> Iterator[Problem]:
    code, boss = row["employee_id"], row.get("supervisor_id", "")
    if not boss or boss == context.known.get((code,), {}).get("supervisor_id"):
        return
    if boss == code:
        yield Problem("supervisor_id", "own_superior")
    elif (boss,) not in context.given and boss not in known.people(context):
        yield Problem("supervisor_id", "no_employee", boss)
    elif closes_circle(_from_now(code, boss, context), context.once("above", lambda: _above(context))):
        yield Problem("supervisor_id", "circular", boss)


def _above(context: Context) -> Mapping[str, list[Link]]:
    """Return who will be above whom: superiors named here take the place of open ones."""
    named = {each["employee_id"]: each["supervisor_id"] for each in context.rows if each.get("supervisor_id")}
    kept = [
        each
        for each in links(context.work.session)
        if not (each.employee_id in named and each.level == 1 and each.valid_to is None)
    ]
    return above([*kept, *(_from_now(code, boss, context) for code, boss in named.items())])


def _from_now(code: str, boss: str, context: Context) -> Link:
    return Link(employee_id=code, supervisor_id=boss, valid_from=context.now.date())


def put(row: Row, context: Context) -> None:
    session, code = context.work.session, row["employee_id"]
    before = context.known.get((code,))  # of somebody new nothing is asked: there may be thousands
    if before is None:
        employee = Employee(employee_id=code, created_at=context.now)
        session.add(employee)
    else:
        employee = session.get_one(Employee, code)
    employee.site_id, employee.name = row["site_id"], row["name"]
    for column in ("department", "role", "email"):
        if column in row:
            setattr(employee, column, row[column])
    if "phone" in row:
        employee.phone = normal_phone(row["phone"])
    if "started_on" in row:
        employee.started_on = as_date(row["started_on"])
    if "is_watched" in row:
        employee.is_watched = as_flag(row["is_watched"])
    zones = [each for each in row.get("zones", "").split(";") if each]
    if before is None:
        session.add_all(EmployeeZone(employee_id=code, zone_id=zone) for zone in zones)
    elif row.get("zones", "") != before["zones"]:
        set_zones(context.work, code, zones)


def finish(rows: Sequence[Row], context: Context) -> None:
    """Name the superiors, once everybody is there."""
    for row in rows:
        code, boss = row["employee_id"], row.get("supervisor_id", "")
        before = context.known.get((code,))
        if before is None and boss:
            context.work.session.add(OrgHierarchy(employee_id=code, supervisor_id=boss, level=1))
        elif before is not None and boss != before["supervisor_id"]:
            set_superior(context.work, code, boss, now=context.now)


def _phone(text: str) -> str:
    return f"+{normal_phone(text)}"


TABLE = Table(
    name="employees",
    columns=(
        Column("employee_id", is_required=True, example="EMP001"),
        Column("name", is_required=True, example="Budi Santoso"),
        Column("department", example="Gudang"),
        Column("role", example="Satpam"),
        Column("phone", example="0812-3456-7890", normal=_phone, is_private=True),
        Column("email", example="budi@example.com", is_private=True),
        Column("site_id", example="plant", is_site=True),
        Column("started_on", example="2024-01-31", normal=normal_date),
        Column("resigned_on", normal=normal_date),
        Column("is_watched", example="yes", normal=normal_flag, empty=YES),
        Column("zones", example="gate;hall", normal=normal_zones),
        Column("supervisor_id", example="EMP002"),
    ),
    key=("employee_id",),
    read=read,
    problems=problems,
    put=put,
    finish=finish,
)
