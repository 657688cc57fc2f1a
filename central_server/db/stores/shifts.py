"""Shifts, breaks, holidays and leave, put together as the schedule of each person."""

from collections.abc import Collection, Mapping
from datetime import time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import BreakWindow, Holiday, Leave, Shift, ShiftAssignment, Site
from central_server.domain import shifts as domain
from central_server.domain.people import Person


def schedules(
    session: Session, people: Mapping[str, Person], *, day_cutoff: time
) -> dict[str, domain.Schedule]:
    """Return the schedule of each person; people of a site without anything of their own share one object."""
    sites = {person.site_id for person in people.values()}
    shared = {site_id: schedule for site_id in sites if (schedule := of_site(session, site_id, day_cutoff))}
    own = _assignments(session, people.keys())
    leaves = _leaves(session, people.keys())
    found = {}
    for person in people.values():
        schedule = shared[person.site_id]
        if person.employee_id in own or person.employee_id in leaves:
            schedule = domain.Schedule(
                timezone=schedule.timezone,
                day_cutoff=schedule.day_cutoff,
                assignments=schedule.assignments + tuple(own.get(person.employee_id, ())),
                breaks=schedule.breaks,
                holidays=schedule.holidays,
                leaves=tuple(leaves.get(person.employee_id, ())),
            )
        found[person.employee_id] = schedule
    return found


def of_site(session: Session, site_id: str, day_cutoff: time) -> domain.Schedule | None:
    """Return the schedule of a person of the site with nothing of their own; None: no such site."""
    site = session.get(Site, site_id)
    if site is None:
        return None
    default = (ShiftAssignment.site_id == site_id, ShiftAssignment.employee_id.is_(None))
    return domain.Schedule(
        timezone=ZoneInfo(site.timezone),
        day_cutoff=day_cutoff,
        assignments=tuple(
            _assignment(row, shift)
            for row, shift in session.execute(
                select(ShiftAssignment, Shift).join(Shift).where(*default).order_by(ShiftAssignment.id)
            )
        ),
        breaks=tuple(
            _break(row) for row in session.scalars(select(BreakWindow).where(BreakWindow.site_id == site_id))
        ),
        holidays=frozenset(
            session.scalars(
                select(Holiday.day).where((Holiday.site_id == site_id) | Holiday.site_id.is_(None))
            )
        ),
    )


def _assignments(session: Session, employee_ids: Collection[str]) -> dict[str, list[domain.Assignment]]:
    found: dict[str, list[domain.Assignment]] = {}
    wanted = select(ShiftAssignment, Shift).join(Shift).where(ShiftAssignment.employee_id.is_not(None))
    for row, shift in session.execute(wanted.order_by(ShiftAssignment.id)):
        if row.employee_id in employee_ids:
            found.setdefault(row.employee_id, []).append(_assignment(row, shift))
    return found


def _leaves(session: Session, employee_ids: Collection[str]) -> dict[str, list[domain.LeaveSpan]]:
    found: dict[str, list[domain.LeaveSpan]] = {}
    for row in session.scalars(select(Leave)):
        if row.employee_id in employee_ids:
            span = domain.LeaveSpan(first_on=row.first_on, last_on=row.last_on, kind=row.kind)
            found.setdefault(row.employee_id, []).append(span)
    return found


def _assignment(row: ShiftAssignment, shift: Shift) -> domain.Assignment:
    return domain.Assignment(
        shift=domain.Shift(
            shift_id=shift.shift_id,
            name=shift.name,
            starts=shift.starts,
            ends=shift.ends,
            weekdays=_weekdays(shift.weekdays),
            late_grace=timedelta(minutes=shift.late_grace_min),
            early_leave_grace=timedelta(minutes=shift.early_leave_grace_min),
            early_in=timedelta(minutes=shift.early_in_min),
            late_out=timedelta(minutes=shift.late_out_min),
        ),
        is_own=row.employee_id is not None,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


def _break(row: BreakWindow) -> domain.Break:
    return domain.Break(
        name=row.name,
        starts=row.starts,
        ends=row.ends,
        shift_id=row.shift_id,
        weekdays=_weekdays(row.weekdays),
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


def _weekdays(text: str) -> frozenset[str]:
    return frozenset(day.strip().lower() for day in text.split(",") if day.strip())
