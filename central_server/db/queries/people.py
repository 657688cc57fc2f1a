"""Employees: the list with who is enrolled, and one person with photos, supervisor and today's stays."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.orm import Session

from central_server.db.models import (
    Badge,
    Employee,
    EnrolmentPhoto,
    Event,
    FaceTemplate,
    OrgHierarchy,
    Presence,
)
from central_server.db.queries.organisation import zones_of
from central_server.db.queries.places import Places
from central_server.db.queries.teams import Team
from central_server.db.stores.events import PUNCHES
from central_server.domain.attendance import Punch
from central_server.domain.intervals import Interval, joined
from central_server.domain.stays import presence_intervals, punched_intervals


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonLine:
    employee_id: str
    name: str
    department: str
    enrolment: str  # enrolled | badge | checking | no_photo | no_consent | suspended | resigned
    templates: int
    rejected: int  # photos that could not be used
    supervisor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoLine:
    photo_id: str
    filename: str
    state: str
    reason: str
    uploaded: datetime | None  # local
    uploaded_by: str

    @property
    def is_waiting(self) -> bool:
        return self.state in ("pending", "sent")


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    line: PersonLine
    site_id: str
    phone: str
    email: str
    supervisor_id: str | None
    started_on: date | None
    resigned_on: date | None
    consent_at: datetime | None  # local
    consent_by: str
    consent_withdrawn_at: datetime | None  # local
    is_watched: bool
    role: str
    zones: tuple[tuple[str, str], ...]  # where the person works: short name and name
    presence_reason: str
    last_seen: datetime | None  # local
    where: str

    @property
    def has_consent(self) -> bool:
        return self.consent_at is not None and self.consent_withdrawn_at is None


def people_query(words: str, department: str, status: str, team: Team) -> Select[Any]:
    """Return the question for a page of employees, by name, for db.paginate."""
    query = select(Employee).order_by(Employee.name, Employee.employee_id)
    has_template = exists().where(FaceTemplate.employee_id == Employee.employee_id)
    has_badge = exists().where(Badge.employee_id == Employee.employee_id)
    if words:
        query = query.where(
            or_(
                Employee.name.icontains(words, autoescape=True),
                Employee.employee_id.icontains(words, autoescape=True),
            )
        )
    if department:
        query = query.where(Employee.department == department)
    if status == "resigned":
        query = query.where(Employee.status == "resigned")
    else:
        query = query.where(Employee.status != "resigned")
    if status == "enrolled":
        query = query.where(has_template)
    elif status == "missing":
        query = query.where(~has_template, ~has_badge)
    elif status == "badge":
        query = query.where(has_badge)
    return query if team is None else query.where(Employee.employee_id.in_(team))


def departments(session: Session) -> tuple[str, ...]:
    query = select(Employee.department).where(Employee.department != "").distinct()
    return tuple(session.scalars(query.order_by(Employee.department)))


def people_lines(session: Session, rows: Sequence[Employee], on: date) -> tuple[PersonLine, ...]:
    """Return the lines for these employees, with four questions whatever their number."""
    ids = [each.employee_id for each in rows]
    counted = (
        select(FaceTemplate.employee_id, func.count())
        .where(FaceTemplate.employee_id.in_(ids))
        .group_by(FaceTemplate.employee_id)
    )
    templates = dict(session.execute(counted).all())
    photos: dict[tuple[str, str], int] = {
        (employee, state): count
        for employee, state, count in session.execute(
            select(EnrolmentPhoto.employee_id, EnrolmentPhoto.state, func.count())
            .where(EnrolmentPhoto.employee_id.in_(ids))
            .group_by(EnrolmentPhoto.employee_id, EnrolmentPhoto.state)
        )
    }
    badges = set(session.scalars(select(Badge.employee_id).where(Badge.employee_id.in_(ids))))
    supervisors = _supervisors(session, ids, on)
    return tuple(
        PersonLine(
            employee_id=each.employee_id,
            name=each.name,
            department=each.department,
            enrolment=_enrolment(each, templates, photos, badges),
            templates=templates.get(each.employee_id, 0),
            rejected=photos.get((each.employee_id, "rejected"), 0),
            supervisor=supervisors.get(each.employee_id, ("", ""))[1],
        )
        for each in rows
    )


def _enrolment(
    row: Employee, templates: dict[str, int], photos: dict[tuple[str, str], int], badges: Collection[str]
) -> str:
    if row.status in ("resigned", "suspended"):
        return row.status
    has_consent = row.consent_at is not None and row.consent_withdrawn_at is None
    if has_consent and templates.get(row.employee_id):
        return "enrolled"
    if row.employee_id in badges:
        return "badge"
    if not has_consent:
        return "no_consent"
    waiting = photos.get((row.employee_id, "pending"), 0) + photos.get((row.employee_id, "sent"), 0)
    return "checking" if waiting else "no_photo"


def _supervisors(session: Session, ids: Sequence[str], on: date) -> dict[str, tuple[str, str]]:
    """The direct supervisor of each on a day: code and name."""
    query = (
        select(OrgHierarchy.employee_id, Employee.employee_id, Employee.name)
        .join(Employee, Employee.employee_id == OrgHierarchy.supervisor_id)
        .where(
            OrgHierarchy.employee_id.in_(ids),
            OrgHierarchy.level == 1,
            or_(OrgHierarchy.valid_from.is_(None), OrgHierarchy.valid_from <= on),
            or_(OrgHierarchy.valid_to.is_(None), OrgHierarchy.valid_to >= on),
        )
        .order_by(OrgHierarchy.id)
    )
    return {below: (code, name) for below, code, name in session.execute(query)}


def read_person(session: Session, places: Places, employee_id: str, team: Team, on: date) -> Person | None:
    """Return one person, or None when there is none for this user."""
    if team is not None and employee_id not in team:
        return None
    row = session.get(Employee, employee_id)
    if row is None:
        return None
    line = people_lines(session, [row], on)[0]
    presence = session.get(Presence, employee_id)
    supervisor = _supervisors(session, [employee_id], on).get(employee_id)
    followed = line.enrolment in ("enrolled", "badge")
    return Person(
        line=line,
        site_id=row.site_id,
        phone=row.phone,
        email=row.email,
        supervisor_id=supervisor[0] if supervisor else None,
        started_on=row.started_on,
        resigned_on=row.resigned_on,
        consent_at=places.local(row.consent_at, row.site_id),
        consent_by=row.consent_by,
        consent_withdrawn_at=places.local(row.consent_withdrawn_at, row.site_id),
        is_watched=row.is_watched,
        role=row.role,
        zones=zones_of(session, employee_id),
        presence_reason=(presence.reason if presence else "not_arrived") if followed else "not_enrolled",
        last_seen=places.local(presence.last_seen, presence.site_id) if presence else None,
        where=places.where(presence.zone_id, presence.camera_id) if presence else "",
    )


def photos_of(session: Session, places: Places, employee_id: str) -> tuple[PhotoLine, ...]:
    rows = session.scalars(
        select(EnrolmentPhoto)
        .where(EnrolmentPhoto.employee_id == employee_id)
        .order_by(EnrolmentPhoto.uploaded_at.desc(), EnrolmentPhoto.photo_id)
    )
    return tuple(
        PhotoLine(
            photo_id=each.photo_id,
            filename=each.filename,
            state=each.state,
            reason=each.reason,
            uploaded=places.local(each.uploaded_at),
            uploaded_by=each.uploaded_by,
        )
        for each in rows
    )


def stays_on(
    session: Session, places: Places, employee_id: str, day: date, *, gap: timedelta, now: datetime
) -> tuple[Interval, ...]:
    """Return when the person was in the area on a business date, in the local time of the site.

    Who is punched in has been there until now.
    """
    query = select(Event.last_seen, Event.kind, Event.site_id).where(
        Event.employee_id == employee_id,
        Event.business_date == day,
        Event.kind.in_(("seen", "still", "left", *PUNCHES)),
    )
    rows = [(moment, kind) for at, kind, site in session.execute(query) if (moment := places.local(at, site))]
    punches = [Punch(moment, kind == "in") for moment, kind in rows if kind in PUNCHES]
    here = session.get(Presence, employee_id)
    if here and here.is_punched_in and here.business_date == day and punches:
        punches.append(Punch(max(now, *(each.at for each in punches)), False))
    return tuple(joined([*presence_intervals((at for at, _ in rows), gap=gap), *punched_intervals(punches)]))


def choices_of_supervisors(session: Session) -> list[tuple[str, str]]:
    """Return (code, "name (code)") of everybody who can be a supervisor."""
    query = select(Employee.employee_id, Employee.name).where(Employee.status != "resigned")
    return [(code, f"{name} ({code})") for code, name in session.execute(query.order_by(Employee.name))]
