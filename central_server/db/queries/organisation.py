"""The organisation as its pages show it: sites with zones and cameras, roles, and one person's rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from central_server.db.models import (
    Camera,
    Employee,
    EmployeeZone,
    Leave,
    OrgHierarchy,
    RoleThreshold,
    Site,
    Zone,
)


@dataclass(frozen=True, slots=True)
class CameraLine:
    camera_id: str
    name: str
    state: str
    agent_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneLine:
    zone_id: str
    name: str
    threshold_s: int | None
    is_public: bool
    is_entrance: bool
    cameras: tuple[CameraLine, ...]
    people: int  # who were said to work here


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLine:
    site_id: str
    name: str
    timezone: str
    report_at: time
    people: int
    zones: tuple[ZoneLine, ...]
    unplaced: tuple[CameraLine, ...]  # cameras without a zone


@dataclass(frozen=True, slots=True)
class SuperiorLine:
    supervisor_id: str
    name: str
    level: int
    valid_from: date | None
    valid_to: date | None
    is_gone: bool  # has left the company


def site_lines(session: Session) -> tuple[SiteLine, ...]:
    """Return every site with its zones and their cameras, by name."""
    cameras: dict[tuple[str, str | None], list[CameraLine]] = {}
    for each in session.scalars(select(Camera).order_by(Camera.name, Camera.camera_id)):
        line = CameraLine(each.camera_id, each.name or each.camera_id, each.state, each.agent_id)
        cameras.setdefault((each.site_id, each.zone_id), []).append(line)
    working = select(EmployeeZone.zone_id, func.count()).group_by(EmployeeZone.zone_id)
    workers = dict(session.execute(working).all())
    zones: dict[str, list[ZoneLine]] = {}
    for zone in session.scalars(select(Zone).order_by(Zone.name, Zone.zone_id)):
        line = ZoneLine(
            zone_id=zone.zone_id,
            name=zone.name,
            threshold_s=zone.threshold_s,
            is_public=zone.is_public,
            is_entrance=zone.is_entrance,
            cameras=tuple(cameras.get((zone.site_id, zone.zone_id), ())),
            people=workers.get(zone.zone_id, 0),
        )
        zones.setdefault(zone.site_id, []).append(line)
    employed = select(Employee.site_id, func.count()).where(Employee.status != "resigned")
    people = dict(session.execute(employed.group_by(Employee.site_id)).all())
    return tuple(
        SiteLine(
            site_id=each.site_id,
            name=each.name,
            timezone=each.timezone,
            report_at=each.report_at,
            people=people.get(each.site_id, 0),
            zones=tuple(zones.get(each.site_id, ())),
            unplaced=tuple(cameras.get((each.site_id, None), ())),
        )
        for each in session.scalars(select(Site).order_by(Site.name, Site.site_id))
    )


def role_lines(session: Session) -> tuple[tuple[str, int | None, int], ...]:
    """Return every role that somebody has or that has a threshold: the role, its seconds, how many people."""
    held = select(Employee.role, func.count()).where(Employee.role != "", Employee.status != "resigned")
    people = dict(session.execute(held.group_by(Employee.role)).all())
    limits = {each.role: each.threshold_s for each in session.scalars(select(RoleThreshold))}
    names = sorted(people.keys() | limits.keys(), key=str.casefold)
    return tuple((name, limits.get(name), people.get(name, 0)) for name in names)


def superiors_of(session: Session, employee_id: str) -> tuple[SuperiorLine, ...]:
    """Return who is or was above somebody: the newest of each level first."""
    found = (
        select(OrgHierarchy, Employee.name, Employee.status)
        .join(Employee, Employee.employee_id == OrgHierarchy.supervisor_id)
        .where(OrgHierarchy.employee_id == employee_id)
    )
    lines = [
        SuperiorLine(
            link.supervisor_id, name, link.level, link.valid_from, link.valid_to, status == "resigned"
        )
        for link, name, status in session.execute(found)
    ]
    return tuple(sorted(lines, key=lambda each: (each.level, -(each.valid_from or date.min).toordinal())))


def leaves_of(session: Session, employee_id: str, since: date | None = None) -> Sequence[Leave]:
    """Return somebody's leaves, the newest first; since: only those that end on or after that day."""
    found = select(Leave).where(Leave.employee_id == employee_id)
    if since is not None:
        found = found.where(Leave.last_on >= since)
    return session.scalars(found.order_by(Leave.first_on.desc())).all()


def zones_of(session: Session, employee_id: str) -> tuple[tuple[str, str], ...]:
    """Return the zones that somebody works in: short name and name."""
    found = (
        select(Zone.zone_id, Zone.name)
        .join(EmployeeZone, EmployeeZone.zone_id == Zone.zone_id)
        .where(EmployeeZone.employee_id == employee_id)
    )
    return tuple((each.zone_id, each.name) for each in session.execute(found.order_by(Zone.name)))


def roles_in_use(session: Session) -> tuple[str, ...]:
    return tuple(name for name, _limit, _people in role_lines(session))
