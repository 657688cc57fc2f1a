"""End the processing of a person's face: resignation, or consent withdrawn. Attendance is kept."""

from datetime import date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import delete, exists, select

from central_server.db.models import Badge, Employee, EnrolmentPhoto, FaceTemplate, Site, Snapshot
from central_server.db.stores import alerts, presence
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note
from central_server.services.erase_files import delete_file, delete_snapshots
from central_server.services.gallery_bodies import forget_when_done
from central_server.services.manage_people import PersonRefused
from central_server.services.publish_gallery import remove_templates


class UnknownEmployee(Exception):
    """Nobody has this code."""


def resign_employee(
    work: UnitOfWork, employee_id: str, on: date, home: Path, *, now: datetime, actor: str
) -> int | None:
    """Record the last day of employment and erase the face templates; return how many there were.

    A day still to come is only written down (None is returned): the daily purge erases when it is over.
    Raises UnknownEmployee, and PersonRefused for a day before the first.
    """
    employee = _employee(work, employee_id)
    if employee.started_on and on < employee.started_on:
        raise PersonRefused("last_day", "before_first_day")
    employee.resigned_on = on
    today = now.astimezone(ZoneInfo(work.session.get_one(Site, employee.site_id).timezone)).date()
    if on > today:
        note(work, actor, "employee.resigns", employee_id, now=now, on=on.isoformat())
        return None
    return _finish(work, employee, home, now=now, actor=actor)


def withdraw_consent(work: UnitOfWork, employee_id: str, home: Path, *, now: datetime, actor: str) -> int:
    """Record that consent was withdrawn, and erase as for a resignation. Raises UnknownEmployee."""
    employee = _employee(work, employee_id)
    employee.consent_withdrawn_at = now
    erased = erase_face(work, employee_id, home, now=now)
    note(work, actor, "consent.withdrawn", employee_id, now=now, templates=erased)
    return erased


def erase_departed(work: UnitOfWork, home: Path, *, now: datetime) -> int:
    """Finish the resignations whose last day is over; return how many people left."""
    last_days = (
        select(Employee, Site.timezone)
        .join(Site)
        .where(
            Employee.resigned_on.is_not(None),
            (Employee.status != "resigned")
            | exists().where(FaceTemplate.employee_id == Employee.employee_id),
        )
    )
    over = [
        employee
        for employee, timezone in work.session.execute(last_days)
        if employee.resigned_on < now.astimezone(ZoneInfo(timezone)).date()
    ]
    for employee in over:
        _finish(work, employee, home, now=now, actor="system")
    return len(over)


def erase_face(work: UnitOfWork, employee_id: str, home: Path, *, now: datetime) -> int:
    """Erase templates, portraits and snapshots, end presence and alerts; return how many templates.

    The agents are told by the gallery's log, those that are offline when they come back.
    """
    portraits = select(EnrolmentPhoto.path).where(EnrolmentPhoto.employee_id == employee_id)
    for path in work.session.scalars(portraits).all():
        delete_file(home, path)
    erased = remove_templates(work, employee_id, now)
    forget_when_done(work, home, work.session.get_one(Employee, employee_id).site_id)
    delete_snapshots(work, Snapshot.employee_id == employee_id, home)
    presence.remove(work.session, employee_id)
    for alert in alerts.open_about(work.session, employee_id):
        alerts.close(work.session, alert.alert_id, "not_followed", now)
    return erased


def _finish(work: UnitOfWork, employee: Employee, home: Path, *, now: datetime, actor: str) -> int:
    employee.status = "resigned"
    work.session.execute(delete(Badge).where(Badge.employee_id == employee.employee_id))
    erased = erase_face(work, employee.employee_id, home, now=now)
    on = employee.resigned_on.isoformat() if employee.resigned_on else ""
    note(work, actor, "employee.resigned", employee.employee_id, now=now, on=on, templates=erased)
    return erased


def _employee(work: UnitOfWork, employee_id: str) -> Employee:
    employee = work.session.get(Employee, employee_id)
    if employee is None:
        raise UnknownEmployee(f"nobody has the code {employee_id}")
    return employee
