"""Working time as pages show it: who uses a shift, whose hours are dated, and who works on which day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, time, timedelta
from typing import Any

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from central_server.db.models import BreakWindow, Employee, Holiday, Rotation, Shift, ShiftAssignment
from central_server.db.queries.teams import Team
from central_server.db.stores import people as people_store
from central_server.db.stores import shifts as shifts_store
from central_server.domain.shifts import ShiftDay


def uses_of_rotation(session: Session, rotation_id: str) -> str:
    """Return who still works it; "" if it can be taken away."""
    return _assigned(session, ShiftAssignment.rotation_id == rotation_id)


def uses_of_shift(session: Session, shift_id: str) -> str:
    """Return what still refers to a shift, by the names; "" if it can be taken away."""
    rotations = [
        row.name
        for row in session.scalars(select(Rotation))
        if shift_id in row.pattern.replace(" ", "").split(",")
    ]
    breaks = list(session.scalars(select(BreakWindow.name).where(BreakWindow.shift_id == shift_id)))
    assigned = _assigned(session, ShiftAssignment.shift_id == shift_id)
    return ", ".join([*rotations, *breaks, *([assigned] if assigned else [])])


def _assigned(session: Session, condition: Any) -> str:
    """Return the first few for whom something is assigned: codes, or the site of a default."""
    query = select(ShiftAssignment.employee_id, ShiftAssignment.site_id).where(condition).limit(4)
    found = [employee or site for employee, site in session.execute(query)]
    return ", ".join(dict.fromkeys(found[:3])) + (", …" if len(found) > 3 else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class AssignmentLine:
    assignment_id: int
    shift_id: str
    rotation_id: str
    works: str  # the name of the shift or rotation
    valid_from: date | None
    valid_to: date | None
    is_own: bool


def assignments_of(session: Session, site_id: str, employee_id: str | None) -> tuple[AssignmentLine, ...]:
    """Return the assignments of a person, else the defaults of the site; the newest first."""
    whose = (
        (ShiftAssignment.employee_id == employee_id,)
        if employee_id
        else (ShiftAssignment.employee_id.is_(None), ShiftAssignment.site_id == site_id)
    )
    query = (
        select(ShiftAssignment, Shift.name, Rotation.name)
        .outerjoin(Shift, Shift.shift_id == ShiftAssignment.shift_id)
        .outerjoin(Rotation, Rotation.rotation_id == ShiftAssignment.rotation_id)
        .where(*whose)
    )
    lines = [
        AssignmentLine(
            assignment_id=row.id,
            shift_id=row.shift_id or "",
            rotation_id=row.rotation_id or "",
            works=shift or rotation or "",
            valid_from=row.valid_from,
            valid_to=row.valid_to,
            is_own=row.employee_id is not None,
        )
        for row, shift, rotation in session.execute(query)
    ]
    return tuple(
        sorted(lines, key=lambda each: (each.valid_from or date.min, each.assignment_id), reverse=True)
    )


def own_hours_query(site_id: str, words: str, team: Team) -> Select[Any]:
    """Return the question for the people of a site who have hours of their own, by name."""
    has_own = exists().where(ShiftAssignment.employee_id == Employee.employee_id)
    return roster_query(site_id, words, "", team).where(has_own)


def count_assigned(session: Session, ids: Sequence[str]) -> dict[str, int]:
    """Return how many assignments of their own each of these people has."""
    query = select(ShiftAssignment.employee_id, func.count()).where(ShiftAssignment.employee_id.in_(ids))
    return {
        code: count for code, count in session.execute(query.group_by(ShiftAssignment.employee_id)) if code
    }


def roster_query(site_id: str, words: str, department: str, team: Team) -> Select[Any]:
    """Return the question for a page of the people of a site who have not left, by name."""
    query = select(Employee).where(Employee.status != "resigned")
    if site_id:
        query = query.where(Employee.site_id == site_id)
    if words:
        query = query.where(
            or_(
                Employee.name.icontains(words, autoescape=True),
                Employee.employee_id.icontains(words, autoescape=True),
            )
        )
    if department:
        query = query.where(Employee.department == department)
    if team is not None:
        query = query.where(Employee.employee_id.in_(team))
    return query.order_by(Employee.name, Employee.employee_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One person on one day. kind: work | off | holiday | leave | gone."""

    day: date
    kind: str
    shift_day: ShiftDay | None = None
    leave_kind: str = ""
    holiday: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterLine:
    employee_id: str
    name: str
    department: str
    cells: tuple[Cell, ...]


def roster(
    session: Session, rows: Iterable[Employee], days: Sequence[date], *, day_cutoff: time
) -> tuple[RosterLine, ...]:
    """Return who of these people works when on those days, with the same questions whatever their number."""
    people = people_store.by_id(session, [each.employee_id for each in rows])
    schedules = shifts_store.schedules(session, people, day_cutoff=day_cutoff)
    named = holiday_names(session, days[0], days[-1])
    lines = []
    for person in people.values():
        schedule = schedules[person.employee_id]
        cells = []
        for day in days:
            shift_day, leave = schedule.shift_on(day), schedule.leave_on(day)
            holiday = named.get((day, person.site_id)) or named.get((day, "")) or ""
            kind = "work" if shift_day else "off"
            if schedule.is_holiday(day):
                kind = "holiday"
            if leave:
                kind = "leave"
            if not person.is_employed_on(day):
                kind = "gone"
            cells.append(
                Cell(
                    day=day,
                    kind=kind,
                    shift_day=shift_day,
                    leave_kind=leave.kind if leave else "",
                    holiday=holiday,
                )
            )
        lines.append(
            RosterLine(
                employee_id=person.employee_id,
                name=person.name,
                department=person.department,
                cells=tuple(cells),
            )
        )
    return tuple(sorted(lines, key=lambda each: (each.name, each.employee_id)))


def holiday_names(session: Session, first: date, last: date) -> dict[tuple[date, str], str]:
    """Return the name of each holiday by its day and site ("": of every site)."""
    rows = session.scalars(select(Holiday).where(Holiday.day >= first, Holiday.day <= last))
    return {(row.day, row.site_id or ""): row.name for row in rows}


def week_of(day: date) -> tuple[date, ...]:
    """Return the seven days of a week, from Monday."""
    monday = day - timedelta(days=day.weekday())
    return tuple(monday + timedelta(days=n) for n in range(7))
