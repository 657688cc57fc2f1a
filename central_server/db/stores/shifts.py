"""Shifts, breaks, holidays and leave, put together as the schedule of each person."""

from collections.abc import Collection, Iterator, Mapping
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import BreakWindow, Holiday, Leave, Rotation, Shift, ShiftAssignment, Site
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
        assignments=tuple(each for _, each in _assigned(session, *default)),
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
    for employee_id, assignment in _assigned(session, ShiftAssignment.employee_id.is_not(None)):
        if employee_id in employee_ids:
            found.setdefault(employee_id, []).append(assignment)
    return found


def _assigned(session: Session, *conditions: Any) -> Iterator[tuple[str, domain.Assignment]]:
    """Yield whose each assignment is ("" for a site's default), and what it says; equal shifts are one."""
    shifts = {row.shift_id: _shift(row) for row in session.scalars(select(Shift))}
    rotations = {row.rotation_id: _rotation(row, shifts) for row in session.scalars(select(Rotation))}
    for row in session.scalars(select(ShiftAssignment).where(*conditions).order_by(ShiftAssignment.id)):
        yield (
            row.employee_id or "",
            domain.Assignment(
                shift=shifts.get(row.shift_id or ""),
                rotation=rotations.get(row.rotation_id or ""),
                is_own=row.employee_id is not None,
                valid_from=row.valid_from,
                valid_to=row.valid_to,
            ),
        )


def _leaves(session: Session, employee_ids: Collection[str]) -> dict[str, list[domain.LeaveSpan]]:
    found: dict[str, list[domain.LeaveSpan]] = {}
    for row in session.scalars(select(Leave)):
        if row.employee_id in employee_ids:
            span = domain.LeaveSpan(first_on=row.first_on, last_on=row.last_on, kind=row.kind)
            found.setdefault(row.employee_id, []).append(span)
    return found


def _shift(row: Shift) -> domain.Shift:
    return domain.Shift(
        shift_id=row.shift_id,
        name=row.name,
        starts=row.starts,
        ends=row.ends,
        weekdays=_weekdays(row.weekdays),
        late_grace=timedelta(minutes=row.late_grace_min),
        early_leave_grace=timedelta(minutes=row.early_leave_grace_min),
        early_in=timedelta(minutes=row.early_in_min),
        late_out=timedelta(minutes=row.late_out_min),
    )


def _rotation(row: Rotation, shifts: Mapping[str, domain.Shift]) -> domain.Rotation:
    """Return the rotation; a day whose shift is gone is a day off."""
    pattern = tuple(shifts.get(name.strip()) for name in row.pattern.split(",") if name.strip())
    return domain.Rotation(
        rotation_id=row.rotation_id, name=row.name, starts_on=row.starts_on, pattern=pattern
    )


def _break(row: BreakWindow) -> domain.Break:
    return domain.Break(
        name=row.name,
        starts=row.starts,
        ends=row.ends,
        shift_id=row.shift_id,
        weekdays=_weekdays(row.weekdays),
        is_paid=row.is_paid,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
    )


def _weekdays(text: str) -> frozenset[str]:
    return frozenset(day.strip().lower() for day in text.split(",") if day.strip())
