"""Take employees over from a table, e.g. HR's spreadsheet saved as CSV: all rows, or none."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from central_server.db.models import Employee, OrgHierarchy, Site
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note
from central_server.services.manage_people import normal_phone
from common.ids import is_employee_id

REQUIRED = ("employee_id", "name")
KNOWN = (*REQUIRED, "department", "phone", "email", "started_on", "supervisor_id", "site_id")


@dataclass(frozen=True, slots=True)
class BadRow:
    line: int  # as a spreadsheet counts: the heading is line 1
    problem: str


@dataclass(frozen=True, slots=True)
class Imported:
    added: int
    changed: int
    bad: tuple[BadRow, ...]


def import_people(
    work: UnitOfWork,
    rows: Iterable[Mapping[str, str]],
    *,
    site_id: str,
    now: datetime,
    actor: str,
    dry_run: bool = False,
) -> Imported:
    """Add or change employees from rows with the columns KNOWN. With a bad row, or dry_run, nothing changes.

    Consent is never imported: it is recorded for each person.
    """
    numbered = [(line, _clean(row)) for line, row in enumerate(rows, start=2)]
    bad = list(_problems(work, numbered, site_id))
    added = (
        sum(work.session.get(Employee, row["employee_id"]) is None for _, row in numbered) if not bad else 0
    )
    imported = Imported(added, len(numbered) - added if not bad else 0, tuple(bad))
    if bad or dry_run:
        return imported
    for _, row in numbered:
        _put(work, row, site_id, now)
    work.session.flush()
    for _, row in numbered:
        _set_supervisor(work, row, now.date())
    note(work, actor, "people.import", site_id, now=now, added=imported.added, changed=imported.changed)
    return imported


def _clean(row: Mapping[str | None, str | None]) -> dict[str, str]:
    return {str(name).strip().lower(): (value or "").strip() for name, value in row.items() if name in KNOWN}


def _problems(work: UnitOfWork, numbered: list[tuple[int, dict[str, str]]], site_id: str) -> Iterable[BadRow]:
    codes: dict[str, int] = {}
    given = {row.get("employee_id") for _, row in numbered}
    for line, row in numbered:
        code = row.get("employee_id", "")
        if not is_employee_id(code):
            yield BadRow(line, f"employee_id {code!r} is not a code of 1 to 64 characters without / or \\")
        elif code in codes:
            yield BadRow(line, f"employee_id {code} is on line {codes[code]} already")
        codes.setdefault(code, line)
        if not row.get("name"):
            yield BadRow(line, "name is empty")
        if problem := _field_problem(row):
            yield BadRow(line, problem)
        boss = row.get("supervisor_id", "")
        if boss and (boss == code or (boss not in given and work.session.get(Employee, boss) is None)):
            yield BadRow(line, f"supervisor_id {boss} is nobody else here")
        if work.session.get(Site, row.get("site_id") or site_id) is None:
            yield BadRow(line, f"there is no site {row.get('site_id') or site_id}")


def _field_problem(row: Mapping[str, str]) -> str:
    try:
        normal_phone(row.get("phone", ""))
    except ValueError:
        return f"phone {row['phone']!r} is no phone number"
    try:
        date.fromisoformat(row.get("started_on") or "2000-01-01")
    except ValueError:
        return f"started_on {row['started_on']!r} is not a date like 2026-11-23"
    return ""


def _put(work: UnitOfWork, row: Mapping[str, str], site_id: str, now: datetime) -> None:
    employee = work.session.get(Employee, row["employee_id"])
    if employee is None:
        employee = Employee(employee_id=row["employee_id"], created_at=now, site_id=site_id)
        work.session.add(employee)
    employee.site_id = row.get("site_id") or employee.site_id
    employee.name = row["name"]
    for name in ("department", "email"):
        if name in row:
            setattr(employee, name, row[name])
    if "phone" in row:
        employee.phone = normal_phone(row["phone"])
    if row.get("started_on"):
        employee.started_on = date.fromisoformat(row["started_on"])


def _set_supervisor(work: UnitOfWork, row: Mapping[str, str], today: date) -> None:
    """Make the given supervisor the one from today on."""
    boss = row.get("supervisor_id")
    if not boss:
        return
    links = work.session.query(OrgHierarchy).filter_by(employee_id=row["employee_id"], level=1).all()
    current = [link for link in links if link.valid_to is None or link.valid_to >= today]
    if any(link.supervisor_id == boss for link in current):
        return
    for link in current:
        work.session.delete(link)
    work.session.add(OrgHierarchy(employee_id=row["employee_id"], supervisor_id=boss, level=1))
