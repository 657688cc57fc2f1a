"""What a person-day is, and everything that it follows from. How it does: domain/day_figures.py."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum

from central_server.domain.intervals import Interval
from central_server.domain.shifts import Schedule, ShiftDay


class Status(StrEnum):
    PRESENT = "present"
    LATE = "late"
    ABSENT = "absent"
    INCOMPLETE = "incomplete"  # no hours can be told, and none are invented: somebody must ask
    LEAVE = "leave"
    HOLIDAY = "holiday"
    OFF = "off"  # not a working day
    NOT_STARTED = "not_started"  # it is too early to miss anybody; worth no row


AWAY = frozenset({Status.ABSENT, Status.LEAVE})  # as HR says: not at work


class OvertimeRule(StrEnum):
    """What time outside the shift is worth."""

    APPROVED = "approved"  # it counts as work as far as HR has approved it
    COUNTED = "counted"  # it counts as it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance:
    """What one person did on one business date. Provisional until nothing can be added but late news."""

    employee_id: str
    business_date: date
    site_id: str
    shift_id: str | None
    timezone: str  # IANA: of the site that saw the person first, else of their own
    first_in_ts: datetime | None
    last_out_ts: datetime | None  # the instant last seen; None while the person is in the area
    seconds: int  # in the area: sum of intervals
    span_seconds: int  # last seen minus first seen
    break_seconds: int = 0  # unpaid breaks within the span and the shift
    work_seconds: int | None  # span less breaks within the shift, and paid overtime; None: cannot be told
    status: Status
    late_min: int = 0
    early_leave_min: int = 0
    overtime_min: int = 0  # outside the shift, whether or not it counts
    overtime_paid_min: int = 0  # of it, what counts as work
    leave_kind: str = ""  # domain.shifts.LeaveKind, on a day of leave
    is_verified: bool = True  # False: nobody watched when it mattered
    is_provisional: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """What HR says instead of the cameras; the last one for a field counts."""

    field: str  # first_in_ts | last_out_ts | status | overtime_min (approved)
    after: str  # an ISO 8601 instant with its offset, a Status, minutes; nothing: no correction after all
    made_at: datetime


@dataclass(frozen=True, slots=True, order=True)
class Punch:
    """Somebody came or went at a kiosk, and said which."""

    at: datetime
    is_in: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFacts:
    """Everything that one person-day follows from."""

    employee_id: str
    site_id: str
    business_date: date
    schedule: Schedule
    seen_at: Sequence[datetime]  # by cameras; UTC, any order, repeated or not
    punches: Sequence[Punch] = ()
    corrections: Sequence[Correction] = ()
    unwatched: Sequence[Interval] = ()  # when somebody could have come or gone without being seen
    as_of: datetime  # how far the record is complete
    is_in_area: bool = False  # now, on this business date
    merge_gap: timedelta = timedelta(minutes=5)  # unseen for less is the same stay
    overtime: OvertimeRule = OvertimeRule.APPROVED
    known_at: datetime | None = None  # since when the person is on record; before, nothing is proven
    timezone: tzinfo | None = None  # of the site that saw the person first, if it is not their own


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAccount:
    """A person-day, and how it came about."""

    attendance: Attendance
    shift_day: ShiftDay | None
    stays: tuple[Interval, ...]  # that count for the day
    odd_stays: tuple[Interval, ...]  # outside the shift's window: presence, but not attendance
    unwatched: tuple[Interval, ...]  # around the shift, as far as the record is complete
