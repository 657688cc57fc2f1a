"""What HR says about everybody at a site, as plain rows: of the same rows the same follows.

To read them costs little beside what is made of them, so that they are read often, and only what has changed
is worked out anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, exists, or_, select
from sqlalchemy.orm import Session

from central_server.db.models import (
    BreakWindow,
    Employee,
    EmployeeZone,
    Holiday,
    Leave,
    Presence,
    RoleThreshold,
    Rotation,
    Shift,
    ShiftAssignment,
    Site,
    Zone,
)
from central_server.db.stores.people import FACTS
from central_server.db.stores.plain_rows import plain_rows

AROUND = timedelta(days=3)  # a leave further away says nothing about now

_SITE = bindparam("site")
_AT_HOME = FACTS.where(Employee.site_id == _SITE)
_VISITING = FACTS.join(Presence, Presence.employee_id == Employee.employee_id).where(
    Presence.site_id == _SITE, Employee.site_id != _SITE
)
_NEWCOMERS = select(Employee.employee_id).where(
    Employee.site_id == _SITE,
    Employee.status == "active",
    ~exists().where(Presence.employee_id == Employee.employee_id),
)
_LEAVES = (
    select(Leave.employee_id, Leave.first_on, Leave.last_on, Leave.kind)
    .where(Leave.last_on >= bindparam("first"), Leave.first_on <= bindparam("last"))
    .order_by(Leave.id)
)
_RULES = [
    select(*table.__table__.c).order_by(*table.__table__.primary_key)
    for table in (Shift, Rotation, ShiftAssignment, BreakWindow, Holiday, EmployeeZone, RoleThreshold)
] + [
    select(Site.site_id, Site.timezone).order_by(Site.site_id),
    select(Zone.zone_id, Zone.threshold_s, Zone.is_public)
    .where(or_(Zone.threshold_s.is_not(None), Zone.is_public))
    .order_by(Zone.zone_id),
]


@dataclass(frozen=True, slots=True)
class Said:
    """What HR says, to be compared with what it said before."""

    people: Mapping[str, Any]  # rows of people.FACTS, by person
    rules: list[list[Any]]  # of working time and places, for everybody

    def changed(self, before: "Said") -> set[str]:
        """Return of whom something else is said, or who is here, or not here any more."""
        everybody = self.people.keys() | before.people.keys()
        return {each for each in everybody if self.people.get(each) != before.people.get(each)}


def said(session: Session, site_id: str, at: datetime) -> Said:
    """Return what is said about those who belong to a site or are there, at an instant."""
    site, today = {"site": site_id}, at.date()
    found = [*plain_rows(session, _AT_HOME, site), *plain_rows(session, _VISITING, site)]
    span = {"first": today - AROUND, "last": today + AROUND}
    rules = [plain_rows(session, each, {}) for each in _RULES] + [plain_rows(session, _LEAVES, span)]
    plain = [list(map(tuple, rows)) for rows in rules]  # which are compared much quicker
    return Said({row[0]: tuple(row) for row in found}, plain)


def newcomers(session: Session, site_id: str) -> set[str]:
    """Return those of a site who work, and of whom it is not known where they are or were."""
    return {row.employee_id for row in plain_rows(session, _NEWCOMERS, {"site": site_id})}
