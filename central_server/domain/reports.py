"""What the daily report says: one row a person, and the totals."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, tzinfo

from central_server.domain.attendance import Attendance, Status
from central_server.domain.leave_privacy import told_to_all
from central_server.domain.people import Person

_ORDER = (
    Status.ABSENT,
    Status.LATE,
    Status.INCOMPLETE,
    Status.PRESENT,
    Status.NOT_STARTED,
    Status.LEAVE,
    Status.HOLIDAY,
    Status.OFF,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRow:
    employee_id: str
    name: str
    department: str
    status: str  # a Status
    first_in_ts: datetime | None
    last_out_ts: datetime | None
    work_seconds: int | None
    late_min: int
    early_leave_min: int
    is_provisional: bool
    seconds: int = 0  # in the area
    span_seconds: int = 0  # from first in to last out
    break_seconds: int = 0  # unpaid
    overtime_min: int = 0
    overtime_paid_min: int = 0  # of it, what counts as work
    leave_kind: str = ""  # domain.shifts.LeaveKind, on a day of leave
    is_verified: bool = True  # False: nobody watched when it mattered, and doubt counted for the person


@dataclass(frozen=True, slots=True, kw_only=True)
class Excluded:
    """Somebody who is employed but not followed, and why."""

    employee_id: str
    name: str
    reason: str  # not_enrolled | no_consent


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    present: int  # on time
    late: int
    absent: int
    incomplete: int
    leave: int
    not_started: int
    excluded: int
    work_seconds: int

    @property
    def expected(self) -> int:
        """Everybody whose shift has begun and who is not on leave."""
        return self.present + self.late + self.absent + self.incomplete


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyReport:
    site_id: str
    site_name: str
    timezone: tzinfo
    business_date: date
    made_at: datetime
    rows: tuple[ReportRow, ...]
    excluded: tuple[Excluded, ...]
    totals: Totals
    revision: int = 1
    waits_for: tuple[str, ...] = ()  # boxes that still have to tell what they saw of a day that is over

    @property
    def is_provisional(self) -> bool:
        """Tell whether it may still change; before anybody is recorded, on its own day, it surely may."""
        if not self.rows:
            return self.made_at.astimezone(self.timezone).date() <= self.business_date
        return any(row.is_provisional for row in self.rows)


def report_row(person: Person, day: Attendance) -> ReportRow:
    """Return the row of one person."""
    return ReportRow(
        employee_id=person.employee_id,
        name=person.name,
        department=person.department,
        status=day.status.value,
        first_in_ts=day.first_in_ts,
        last_out_ts=day.last_out_ts,
        work_seconds=day.work_seconds,
        late_min=day.late_min,
        early_leave_min=day.early_leave_min,
        is_provisional=day.is_provisional,
        seconds=day.seconds,
        span_seconds=day.span_seconds,
        break_seconds=day.break_seconds,
        overtime_min=day.overtime_min,
        overtime_paid_min=day.overtime_paid_min,
        leave_kind=told_to_all(day.leave_kind),  # it is sent to many
        is_verified=day.is_verified,
    )


def unrecorded_row(person: Person, status: Status) -> ReportRow:
    """Return the row of somebody of whom nothing is recorded so far."""
    return ReportRow(
        employee_id=person.employee_id,
        name=person.name,
        department=person.department,
        status=status.value,
        first_in_ts=None,
        last_out_ts=None,
        work_seconds=None,
        late_min=0,
        early_leave_min=0,
        is_provisional=True,
        is_verified=status is Status.NOT_STARTED,
    )


def in_order(rows: Iterable[ReportRow]) -> tuple[ReportRow, ...]:
    """Return the rows as a reader wants them: what needs attention first, then by name; days off left out."""
    rank = {str(status): index for index, status in enumerate(_ORDER)}
    shown = (row for row in rows if row.status not in (Status.OFF, Status.HOLIDAY))
    return tuple(sorted(shown, key=lambda row: (rank[row.status], row.name, row.employee_id)))


def excluded(people: Iterable[Person], day: date) -> tuple[Excluded, ...]:
    """Return who works here but is not followed, so that nobody takes them for absent."""
    left_out = (
        Excluded(
            employee_id=person.employee_id,
            name=person.name,
            reason="not_enrolled" if person.has_consent else "no_consent",
        )
        for person in people
        if person.is_employed_on(day) and not person.is_followed_on(day)
    )
    return tuple(sorted(left_out, key=lambda each: (each.name, each.employee_id)))


def totals(rows: Iterable[ReportRow], left_out: Iterable[Excluded]) -> Totals:
    rows = list(rows)
    count = {status: sum(row.status == status for row in rows) for status in _ORDER}
    return Totals(
        present=count[Status.PRESENT],
        late=count[Status.LATE],
        absent=count[Status.ABSENT],
        incomplete=count[Status.INCOMPLETE],
        leave=count[Status.LEAVE],
        not_started=count[Status.NOT_STARTED],
        excluded=len(list(left_out)),
        work_seconds=sum(row.work_seconds or 0 for row in rows),
    )
