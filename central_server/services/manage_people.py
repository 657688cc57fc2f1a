"""Employees as HR keeps them: add, change, consent, supervisor. Every change goes into the audit log."""

import re
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select

from central_server.db.models import Employee, Site, Zone
from central_server.db.stores.people import links_above
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.people import Link, above, closes_circle
from central_server.services.audit import note
from central_server.services.place_person import set_superior, set_zones, superior_of, zones_of
from common.ids import is_employee_id

LENGTHS = {"name": 120, "department": 120, "role": 120, "email": 200}


class PersonRefused(Exception):
    """A change that cannot be made: which field, and a word that the page puts into a sentence."""

    def __init__(self, field: str, problem: str) -> None:
        self.field, self.problem = field, problem
        super().__init__(f"{field}: {problem}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDetails:
    """What HR types in."""

    name: str
    department: str = ""
    phone: str = ""
    email: str = ""
    supervisor_id: str = ""
    started_on: date | None = None
    is_watched: bool = True
    role: str = ""
    site_id: str = ""  # nothing: stays as it is
    zones: tuple[str, ...] | None = None  # None: stay as they are


def normal_phone(text: str) -> str:
    """Return digits with the country code: 0812-3456-7890 and +62 812 3456 7890 are 6281234567890.

    Indonesia is meant unless the number starts with + or 00 and says otherwise. Nothing stays nothing.
    Raises ValueError when it is no phone number.
    """
    if not text.strip():
        return ""
    digits = re.sub(r"[\s().\-/]", "", text)
    is_international = digits.startswith(("+", "00"))
    digits = digits.removeprefix("+").removeprefix("00") if is_international else digits
    if not (digits.isascii() and digits.isdigit()):
        raise ValueError(text)
    if not is_international and digits.startswith(("0", "8")):
        digits = "62" + digits.removeprefix("0")
    digits = re.sub(r"^620+", "62", digits)
    if not 8 <= len(digits) <= 15:
        raise ValueError(text)
    return digits


def normal_email(text: str) -> str:
    """Return the address without space around it; nothing stays nothing. Raises ValueError for none.

    Only its shape is asked: whether anybody reads it, the first message tells.
    """
    address = text.strip()
    if address and not re.fullmatch(r"[^\s@,;<>]+@[^\s@,;<>.]+(\.[^\s@,;<>.]+)+", address):
        raise ValueError(text)
    return address


def add_employee(
    work: UnitOfWork, employee_id: str, details: PersonDetails, *, site_id: str, now: datetime, actor: str
) -> Employee:
    """Add somebody. Raises PersonRefused."""
    employee_id = employee_id.strip()
    if not is_employee_id(employee_id):
        raise PersonRefused("employee_id", "code_wrong")
    if work.session.scalar(select(Employee).where(func.lower(Employee.employee_id) == employee_id.lower())):
        raise PersonRefused("employee_id", "code_taken")  # EMP001 and emp001 are one person to people
    employee = Employee(employee_id=employee_id, site_id=site_id, name="", created_at=now)
    _fill(employee, details)
    work.session.add(employee)
    work.session.flush()
    _place(work, employee_id, details, now)
    note(work, actor, "employee.add", employee_id, now=now, name=employee.name)
    return employee


def change_employee(
    work: UnitOfWork, employee_id: str, details: PersonDetails, *, now: datetime, actor: str
) -> Employee:
    """Change somebody. Raises PersonRefused."""
    employee = _employee(work, employee_id)
    before = _facts(employee)
    _fill(employee, details)
    changed: dict[str, list[object]] = {
        name: [before[name], after] for name, after in _facts(employee).items() if before[name] != after
    }
    for private in {
        "phone",
        "email",
    } & changed.keys():  # the audit outlives them: that they changed is enough
        changed[private] = ["***" if each else each for each in changed[private]]
    changed |= _place(work, employee_id, details, now)
    if changed:
        note(work, actor, "employee.change", employee_id, now=now, **changed)
    return employee


def record_consent(
    work: UnitOfWork, employee_id: str, *, text: str, language: str, now: datetime, by: str
) -> None:
    """Keep that the person agreed to face recognition: who recorded it, when, and the words shown.

    Said once more, it is audited; it has been in force since the first time, and so have the days since.
    """
    employee = _employee(work, employee_id)
    if employee.status == "resigned":
        raise PersonRefused("consent", "resigned")
    if employee.consent_at is None or employee.consent_withdrawn_at is not None:
        employee.consent_at, employee.consent_by, employee.consent_withdrawn_at = now, by, None
    note(work, f"user:{by}", "consent.record", employee_id, now=now, text=text, language=language)


def first_site(work: UnitOfWork, *, timezone: str, name: str) -> str:
    """Return the code of the first site, and make one when there is none yet."""
    found = work.session.scalar(select(Site.site_id).order_by(Site.site_id))
    if found is None:
        work.session.add(Site(site_id="main", name=name, timezone=timezone))
        work.session.flush()
    return found or "main"


def _employee(work: UnitOfWork, employee_id: str) -> Employee:
    employee = work.session.get(Employee, employee_id)
    if employee is None:
        raise PersonRefused("employee_id", "unknown_employee")
    return employee


def _fill(employee: Employee, details: PersonDetails) -> None:
    name = " ".join(details.name.split())
    for field, most in LENGTHS.items():
        if len(getattr(details, field)) > most:
            raise PersonRefused(field, "too_long")
    if not name:
        raise PersonRefused("name", "name_empty")
    try:
        employee.phone = normal_phone(details.phone)
    except ValueError as error:
        raise PersonRefused("phone", "phone_wrong") from error
    employee.name = name
    employee.department = " ".join(details.department.split())
    employee.role = " ".join(details.role.split())
    employee.site_id = details.site_id or employee.site_id
    try:
        employee.email = normal_email(details.email)
    except ValueError as error:
        raise PersonRefused("email", "email_wrong") from error
    employee.started_on = details.started_on
    employee.is_watched = details.is_watched


def _facts(employee: Employee) -> dict[str, object]:
    started = employee.started_on.isoformat() if employee.started_on else None
    return {
        "name": employee.name,
        "department": employee.department,
        "role": employee.role,
        "site": employee.site_id,
        "phone": employee.phone,
        "email": employee.email,
        "started_on": started,
        "is_watched": employee.is_watched,
    }


def _place(work: UnitOfWork, employee_id: str, details: PersonDetails, now: datetime) -> dict[str, list[str]]:
    """Set superior and zones; return what changed. Raises PersonRefused."""
    changed = {}
    if details.zones is not None:
        known = set(work.session.scalars(select(Zone.zone_id)))
        if set(details.zones) - known:
            raise PersonRefused("zones", "unknown_zone")
        before = zones_of(work, employee_id)
        if set_zones(work, employee_id, details.zones):
            changed["zones"] = [";".join(before), ";".join(sorted(details.zones))]
    boss = details.supervisor_id
    if boss == employee_id:
        raise PersonRefused("supervisor_id", "own_supervisor")
    if boss and work.session.get(Employee, boss) is None:
        raise PersonRefused("supervisor_id", "unknown_supervisor")
    before_boss = superior_of(work, employee_id)
    if boss and boss != before_boss:
        link = Link(employee_id=employee_id, supervisor_id=boss, valid_from=now.date())
        if closes_circle(link, above(links_above(work.session, boss))):
            raise PersonRefused("supervisor_id", "circular_supervisor")
    if set_superior(work, employee_id, boss, now=now):
        changed["supervisor"] = [before_boss, boss]
    return changed
