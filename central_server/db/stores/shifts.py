"""Shifts, breaks, holidays and leave, put together as the schedule of each person."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import BreakWindow, Holiday, Leave, Rotation, Shift, ShiftAssignment, Site
from central_server.db.stores.person_days import MOST_IN_A_QUESTION
from central_server.domain import shifts as domain
from central_server.domain.people import Person


def schedules(
    session: Session, people: Mapping[str, Person], *, day_cutoff: time
) -> dict[str, domain.Schedule]:
    """Return the schedule of each person; people of a site who work and are away alike share one object."""
    sites = {person.site_id for person in people.values()}
    patterns = _Patterns(session)
    own = patterns.of_people(people.keys())
    leaves = _leaves(session, people.keys())
    of_sites = {each: schedule for each in sites if (schedule := _of_site(patterns, each, day_cutoff))}
    shared: dict[Any, domain.Schedule] = {}
    found = {}
    for person in people.values():
        assigned = tuple(own.get(person.employee_id, ()))
        away = tuple(leaves.get(person.employee_id, ()))
        alike = (person.site_id, assigned, away)
        if alike not in shared:
            site = of_sites[person.site_id]
            shared[alike] = replace(site, assignments=site.assignments + assigned, leaves=away)
        found[person.employee_id] = shared[alike]
    return found


def of_site(session: Session, site_id: str, day_cutoff: time) -> domain.Schedule | None:
    """Return the schedule of a person of the site with nothing of their own; None: no such site."""
    return _of_site(_Patterns(session), site_id, day_cutoff)


def _of_site(patterns: "_Patterns", site_id: str, day_cutoff: time) -> domain.Schedule | None:
    session = patterns.session
    site = session.get(Site, site_id)
    if site is None:
        return None
    breaks = session.scalars(select(BreakWindow).where(BreakWindow.site_id == site_id))
    holidays = select(Holiday.day).where((Holiday.site_id == site_id) | Holiday.site_id.is_(None))
    return domain.Schedule(
        timezone=ZoneInfo(site.timezone),
        day_cutoff=day_cutoff,
        assignments=tuple(patterns.of_site(site_id)),
        breaks=tuple(_break(row) for row in breaks),
        holidays=frozenset(session.scalars(holidays)),
    )


class _Patterns:
    """The shifts and rotations there are, read once; equal shifts are one."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.shifts = {row.shift_id: _shift(row) for row in session.scalars(select(Shift))}
        rotations = session.scalars(select(Rotation))
        self.rotations = {row.rotation_id: _rotation(row, self.shifts) for row in rotations}

    def of_site(self, site_id: str) -> list[domain.Assignment]:
        """Return the site's defaults."""
        rows = self._rows(ShiftAssignment.site_id == site_id, ShiftAssignment.employee_id.is_(None))
        return [each for _, each in rows]

    def of_people(self, employee_ids: Collection[str]) -> dict[str, list[domain.Assignment]]:
        """Return what people have of their own; who has nothing is not in it."""
        found: dict[str, list[domain.Assignment]] = {}
        for employee_id, assignment in self._rows(*_of_people(ShiftAssignment.employee_id, employee_ids)):
            if employee_id in employee_ids:
                found.setdefault(employee_id, []).append(assignment)
        return found

    def _rows(self, *conditions: Any) -> Iterator[tuple[str, domain.Assignment]]:
        """Yield whose each assignment is, "" for a site's default, and what it says."""
        columns = (
            ShiftAssignment.employee_id,
            ShiftAssignment.shift_id,
            ShiftAssignment.rotation_id,
            ShiftAssignment.valid_from,
            ShiftAssignment.valid_to,
        )
        rows = self.session.execute(select(*columns).where(*conditions).order_by(ShiftAssignment.id))
        for employee_id, shift_id, rotation_id, valid_from, valid_to in rows:
            yield (
                employee_id or "",
                domain.Assignment(
                    shift=self.shifts.get(shift_id or ""),
                    rotation=self.rotations.get(rotation_id or ""),
                    is_own=employee_id is not None,
                    valid_from=valid_from,
                    valid_to=valid_to,
                ),
            )


def _of_people(column: Any, employee_ids: Collection[str]) -> list[Any]:
    """Return the conditions for some people's rows; for very many people, all: look whose each is."""
    few = len(employee_ids) <= MOST_IN_A_QUESTION
    return [column.in_(employee_ids)] if few else [column.is_not(None)]


def _leaves(session: Session, employee_ids: Collection[str]) -> dict[str, list[domain.LeaveSpan]]:
    found: dict[str, list[domain.LeaveSpan]] = {}
    columns = (Leave.employee_id, Leave.first_on, Leave.last_on, Leave.kind)
    rows = session.execute(select(*columns).where(*_of_people(Leave.employee_id, employee_ids)))
    for employee_id, first_on, last_on, kind in rows:
        if employee_id in employee_ids:
            span = domain.LeaveSpan(first_on=first_on, last_on=last_on, kind=kind)
            found.setdefault(employee_id, []).append(span)
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
