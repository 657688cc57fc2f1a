"""Employees, the hierarchy and HR's recipients, as facts for the rules."""

from collections.abc import Collection, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, select, true
from sqlalchemy.orm import Session

from central_server.db.models import (
    Badge,
    Employee,
    EmployeeZone,
    FaceTemplate,
    OrgHierarchy,
    ReportRecipient,
    Site,
    Zone,
)
from central_server.db.stores.person_days import MOST_IN_A_QUESTION
from central_server.domain.people import Link, Person, Recipient

_ENROLLED_AT = (
    select(func.min(FaceTemplate.created_at))
    .where(FaceTemplate.employee_id == Employee.employee_id)
    .correlate(Employee)
    .scalar_subquery()
)
_HAS_CONSENT = and_(Employee.consent_at.is_not(None), Employee.consent_withdrawn_at.is_(None))
FACTS = (
    select(
        Employee.employee_id,
        Employee.site_id,
        Employee.name,
        Employee.department,
        Employee.role,
        Employee.phone,
        Employee.email,
        Employee.status,
        Employee.started_on,
        Employee.resigned_on,
        _HAS_CONSENT.label("has_consent"),
        _ENROLLED_AT.label("enrolled_at"),
        Employee.is_watched,
        Employee.created_at,
        Employee.consent_at,
        Employee.consent_withdrawn_at.label("withdrawn_at"),
        Badge.given_at.label("badge_at"),
        Site.timezone,
    )
    .join(Site)
    .outerjoin(Badge, Badge.employee_id == Employee.employee_id)
)
_NAMES = tuple(each.name for each in FACTS.selected_columns)


def by_id(session: Session, employee_ids: Collection[str]) -> dict[str, Person]:
    """Return the people of those codes; a code that nobody has is left out."""
    found: dict[str, Person] = {}
    wanted = list(employee_ids)
    for first in range(0, len(wanted), MOST_IN_A_QUESTION):
        found |= _people(session, Employee.employee_id.in_(wanted[first : first + MOST_IN_A_QUESTION]))
    return found


def everybody(session: Session) -> dict[str, Person]:
    """Return everybody there is or was, whatever their status."""
    return _people(session, true())


def of_site(session: Session, site_id: str) -> dict[str, Person]:
    """Return the people who belong to a site, whatever their status."""
    return _people(session, Employee.site_id == site_id)


def given_zones(session: Session) -> dict[str, frozenset[str]]:
    """Return, by person, the zones that HR gave; none of them public."""
    found: dict[str, set[str]] = {}
    rows = select(EmployeeZone.employee_id, EmployeeZone.zone_id).join(
        Zone, Zone.zone_id == EmployeeZone.zone_id
    )
    for employee_id, zone_id in session.execute(rows.where(Zone.is_public.is_(False))):
        found.setdefault(employee_id, set()).add(zone_id)
    return {employee_id: frozenset(zones) for employee_id, zones in found.items()}


def links(session: Session) -> list[Link]:
    """Return the whole hierarchy."""
    return [_link(row) for row in session.scalars(select(OrgHierarchy))]


def links_above(session: Session, employee_id: str) -> list[Link]:
    """Return the links that lead up from an employee, however far, and no others."""
    found: list[Link] = []
    asked: set[str] = set()
    asking = {employee_id}
    while asking:
        rows = session.scalars(select(OrgHierarchy).where(OrgHierarchy.employee_id.in_(asking)))
        new = [_link(row) for row in rows]
        found += new
        asked |= asking
        asking = {each.supervisor_id for each in new} - asked
    return found


def recipients(session: Session, site_id: str, *roles: str) -> list[Recipient]:
    """Return the site's recipients of those roles, in the order in which they were entered."""
    wanted = select(ReportRecipient).where(ReportRecipient.site_id == site_id)
    if roles:
        wanted = wanted.where(ReportRecipient.role.in_(roles))
    return [
        Recipient(name=row.name, phone=row.phone, email=row.email, language=row.language)
        for row in session.scalars(wanted.order_by(ReportRecipient.id))
    ]


def _link(row: OrgHierarchy) -> Link:
    return Link(
        employee_id=row.employee_id,
        supervisor_id=row.supervisor_id,
        level=row.level,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


def _people(session: Session, condition: object) -> dict[str, Person]:
    rows = session.execute(FACTS.where(condition))  # type: ignore[arg-type]
    return {row[0]: person_of(row) for row in rows}


def person_of(values: Sequence[Any]) -> Person:
    """Return the person of a row of FACTS."""
    row = dict(zip(_NAMES, values, strict=True))
    zone, created_at, consent_at = ZoneInfo(row.pop("timezone")), row.pop("created_at"), row.pop("consent_at")
    badge_at, enrolled_at = row.pop("badge_at"), row.pop("enrolled_at")
    row["has_consent"], row["is_enrolled"] = bool(row["has_consent"]), enrolled_at is not None
    by_face = max(consent_at, enrolled_at) if row["has_consent"] and enrolled_at else None
    ways = [each for each in (by_face, badge_at) if each] or [consent_at or created_at]
    known_at = max(created_at, min(ways))
    return Person(
        **row,
        has_badge=badge_at is not None,
        badge_since=badge_at.astimezone(zone).date() if badge_at else None,
        known_since=known_at.astimezone(zone).date(),
        known_at=known_at,
    )
