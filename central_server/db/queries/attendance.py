"""The attendance of a day, of the last days, and of one person."""

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from central_server.db.models import Attendance, AttendanceCorrection, Employee
from central_server.db.queries.places import Places
from central_server.db.queries.teams import Team
from central_server.domain.unrecorded import Unrecorded

COUNTED = ("present", "late", "absent", "incomplete", "leave")
ORDER = (
    "absent",
    "late",
    "incomplete",
    "none",
    "present",
    "not_started",
    "leave",
    "holiday",
    "off",
    "not_on_record",
)

Calendar = Callable[[Collection[str]], Mapping[str, Unrecorded]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayLine:
    employee_id: str
    name: str
    department: str
    timezone: tzinfo | None  # in which the day was judged, and its times are told
    status: str  # domain.attendance.Status, not_on_record, or none: nothing is recorded for this day
    first_in: datetime | None  # local
    last_out: datetime | None  # local; None while the person is in the area
    work_seconds: int | None
    late_min: int
    early_leave_min: int
    seconds: int  # in the area
    span_seconds: int
    break_seconds: int
    overtime_min: int
    overtime_paid_min: int
    leave_kind: str
    is_verified: bool
    is_provisional: bool
    is_corrected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    day: date
    lines: tuple[DayLine, ...]
    counts: Mapping[str, int]
    work_seconds: int

    @property
    def uncertain(self) -> tuple[str, ...]:
        """Return of whom the day is not certain, because nobody watched when it mattered."""
        return tuple(each.employee_id for each in self.lines if not each.is_verified)

    @property
    def is_provisional(self) -> bool:
        return any(each.is_provisional for each in self.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCount:
    day: date
    present: int
    late: int
    absent: int
    incomplete: int

    @property
    def total(self) -> int:
        return self.present + self.late + self.absent + self.incomplete


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionLine:
    field: str
    before: str
    after: str
    reason: str
    made_by: str
    made: datetime | None  # local


def read_day(
    session: Session,
    places: Places,
    day: date,
    team: Team,
    *,
    department: str = "",
    site_id: str = "",
    calendar: Calendar = lambda _: {},
) -> Day:
    """Return everybody's line of a day: what needs attention first, then by name.

    site_id: only of people who belong to it. calendar: says what a day without a row is called.
    """
    query = (
        select(Employee.employee_id, Employee.name, Employee.department, Employee.site_id, Attendance)
        .outerjoin(
            Attendance,
            (Attendance.employee_id == Employee.employee_id) & (Attendance.business_date == day),
        )
        .where((Employee.status == "active") | Attendance.id.is_not(None))
    )
    if team is not None:
        query = query.where(Employee.employee_id.in_(team))
    if department:
        query = query.where(Employee.department == department)
    if site_id:
        query = query.where(Employee.site_id == site_id)
    corrected = set(
        session.scalars(
            select(AttendanceCorrection.employee_id).where(AttendanceCorrection.business_date == day)
        )
    )
    lines = [_line(each, places, each.employee_id in corrected) for each in session.execute(query)]
    said = calendar([each.employee_id for each in lines if each.status in ("none", "off")])
    lines = [_called(each, said.get(each.employee_id)) for each in lines]
    lines.sort(key=lambda each: (_rank(each.status), each.name.casefold()))
    counts = Counter(each.status for each in lines)
    return Day(
        day=day,
        lines=tuple(lines),
        counts={status: counts.get(status, 0) for status in COUNTED},
        work_seconds=sum(each.work_seconds or 0 for each in lines),
    )


def _called(line: DayLine, said: Unrecorded | None) -> DayLine:
    """Return the line with what the calendar says; a row that is there stays, but for its word."""
    if said is None or said.status == "none" or (line.status == "off" and said.status != "not_on_record"):
        return line
    return replace(line, status=said.status, leave_kind=said.leave_kind)


def _rank(status: str) -> int:
    return ORDER.index(status) if status in ORDER else len(ORDER)


def _line(row: Row[Any], places: Places, is_corrected: bool) -> DayLine:
    kept: Attendance | None = row.Attendance
    zone = ZoneInfo(kept.timezone) if kept and kept.timezone else places.timezone(row.site_id)
    return DayLine(
        employee_id=row.employee_id,
        name=row.name,
        department=row.department,
        timezone=zone,
        status=kept.status if kept else "none",
        first_in=kept.first_in_ts.astimezone(zone) if kept and kept.first_in_ts else None,
        last_out=kept.last_out_ts.astimezone(zone) if kept and kept.last_out_ts else None,
        work_seconds=kept.work_seconds if kept else None,
        late_min=kept.late_min if kept else 0,
        early_leave_min=kept.early_leave_min if kept else 0,
        seconds=kept.seconds if kept else 0,
        span_seconds=kept.span_seconds if kept else 0,
        break_seconds=kept.break_seconds if kept else 0,
        overtime_min=kept.overtime_min if kept else 0,
        overtime_paid_min=kept.overtime_paid_min if kept else 0,
        leave_kind=kept.leave_kind if kept else "",
        is_verified=kept.is_verified if kept else True,
        is_provisional=kept.is_provisional if kept else False,
        is_corrected=is_corrected,
    )


def last_days(session: Session, until: date, team: Team, *, days: int = 14) -> tuple[DayCount, ...]:
    """Return how many were present, late, absent and incomplete on each of the last days."""
    first = until - timedelta(days=days - 1)
    query = (
        select(Attendance.business_date, Attendance.status, func.count())
        .where(Attendance.business_date >= first, Attendance.business_date <= until)
        .group_by(Attendance.business_date, Attendance.status)
    )
    if team is not None:
        query = query.where(Attendance.employee_id.in_(team))
    found = {(day, status): count for day, status, count in session.execute(query)}
    return tuple(
        DayCount(
            day=day,
            present=found.get((day, "present"), 0),
            late=found.get((day, "late"), 0),
            absent=found.get((day, "absent"), 0),
            incomplete=found.get((day, "incomplete"), 0),
        )
        for day in (first + timedelta(days=each) for each in range(days))
    )


def days_of_person(
    session: Session, places: Places, employee_id: str, until: date, *, days: int = 14
) -> tuple[tuple[date, DayLine | None], ...]:
    """Return one person's last days, oldest first; None where nothing is recorded."""
    first = until - timedelta(days=days - 1)
    query = (
        select(Employee.employee_id, Employee.name, Employee.department, Employee.site_id, Attendance)
        .join(Attendance, Attendance.employee_id == Employee.employee_id)
        .where(
            Employee.employee_id == employee_id,
            Attendance.business_date >= first,
            Attendance.business_date <= until,
        )
    )
    found = {each.Attendance.business_date: _line(each, places, False) for each in session.execute(query)}
    every = (first + timedelta(days=each) for each in range(days))
    return tuple((day, found.get(day)) for day in every)


def read_line(session: Session, places: Places, employee_id: str, day: date) -> DayLine | None:
    """Return one person's line of a day, or None when there is no such person."""
    query = (
        select(Employee.employee_id, Employee.name, Employee.department, Employee.site_id, Attendance)
        .outerjoin(
            Attendance,
            (Attendance.employee_id == Employee.employee_id) & (Attendance.business_date == day),
        )
        .where(Employee.employee_id == employee_id)
    )
    row = session.execute(query).one_or_none()
    return _line(row, places, False) if row else None


def corrections_of(
    session: Session, places: Places, employee_id: str, day: date
) -> tuple[CorrectionLine, ...]:
    query = select(AttendanceCorrection).where(
        AttendanceCorrection.employee_id == employee_id, AttendanceCorrection.business_date == day
    )
    return tuple(
        CorrectionLine(
            field=each.field,
            before=each.before,
            after=each.after,
            reason=each.reason,
            made_by=each.made_by,
            made=places.local(each.made_at),
        )
        for each in session.scalars(query.order_by(AttendanceCorrection.id.desc()))
    )
