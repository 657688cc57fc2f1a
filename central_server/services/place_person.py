"""Where somebody stands: their superior, and the zones they work in."""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select

from central_server.db.models import Employee, EmployeeZone, OrgHierarchy, Site
from central_server.db.unit_of_work import UnitOfWork


def local_today(work: UnitOfWork, site_id: str, now: datetime) -> date:
    site = work.session.get(Site, site_id)
    return now.astimezone(ZoneInfo(site.timezone)).date() if site else now.date()


def set_superior(work: UnitOfWork, employee_id: str, supervisor_id: str, *, now: datetime) -> bool:
    """Make supervisor_id the direct superior from today on; empty: nobody. Tells whether it changed.

    Who it was before stays on record until yesterday. The first superior ever has been it always.
    """
    today = local_today(work, work.session.get_one(Employee, employee_id).site_id, now)
    links = work.session.scalars(
        select(OrgHierarchy).where(OrgHierarchy.employee_id == employee_id, OrgHierarchy.level == 1)
    ).all()
    still = [each for each in links if each.valid_to is None or each.valid_to >= today]
    wanted = [supervisor_id] if supervisor_id else []
    if [each.supervisor_id for each in still if each.valid_to is None] == wanted:
        return False
    for each in still:
        if each.valid_from is None or each.valid_from < today:
            each.valid_to = today - timedelta(days=1)
        else:
            work.session.delete(each)  # it has not begun
    if supervisor_id:
        since = today if links else None
        link = OrgHierarchy(employee_id=employee_id, supervisor_id=supervisor_id, level=1, valid_from=since)
        work.session.add(link)
    return True


def superior_of(work: UnitOfWork, employee_id: str) -> str:
    """Return the direct superior as far as it has no end; nothing: nobody."""
    mine = (OrgHierarchy.employee_id == employee_id, OrgHierarchy.level == 1, OrgHierarchy.valid_to.is_(None))
    found = select(OrgHierarchy.supervisor_id).where(*mine)
    return work.session.scalar(found.order_by(OrgHierarchy.id.desc()).limit(1)) or ""


def zones_of(work: UnitOfWork, employee_id: str) -> tuple[str, ...]:
    found = select(EmployeeZone.zone_id).where(EmployeeZone.employee_id == employee_id)
    return tuple(work.session.scalars(found.order_by(EmployeeZone.zone_id)))


def set_zones(work: UnitOfWork, employee_id: str, zone_ids: Collection[str]) -> bool:
    """Make these, and no others, the zones that somebody works in. Tells whether that changed."""
    before, after = set(zones_of(work, employee_id)), set(zone_ids)
    gone = before - after
    if gone:
        mine = EmployeeZone.employee_id == employee_id
        work.session.execute(delete(EmployeeZone).where(mine, EmployeeZone.zone_id.in_(gone)))
    for zone_id in sorted(after - before):
        work.session.add(EmployeeZone(employee_id=employee_id, zone_id=zone_id))
    return before != after
