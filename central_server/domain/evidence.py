"""What is on record about one person-day, with the names of things: what an explanation is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from central_server.domain.attendance import Attendance, DayFacts
from central_server.domain.intervals import Interval
from central_server.domain.overtime import OvertimeWarning

Value = datetime | date | timedelta | int | str  # a timedelta is whole seconds; an int counts minutes


@dataclass(frozen=True, slots=True)
class Step:
    """One fact or conclusion."""

    code: str
    values: Mapping[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Look:
    """The person was seen by a camera, or punched at a kiosk."""

    at: datetime
    camera: str  # its name, or the kiosk's
    zone: str = ""
    kind: str = "seen"  # seen, or of a kiosk: in | out

    @property
    def is_punch(self) -> bool:
        return self.kind in ("in", "out")


@dataclass(frozen=True, slots=True)
class Blind:
    """A camera did not watch although it should have."""

    camera: str
    zone: str
    time: Interval
    reason: str
    is_decisive: bool  # somebody could have come or gone unseen


@dataclass(frozen=True, slots=True, kw_only=True)
class CorrectionMade:
    """What HR said, with what was said before it and why."""

    field: str
    before: str
    after: str
    reason: str
    made_by: str
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeNoted:
    dispute_id: int
    words: str
    noted_by: str
    noted_at: datetime
    answer: str
    settled_by: str
    settled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRaised:
    alert_id: int
    opened_at: datetime
    last_seen: datetime | None
    closed_at: datetime | None
    close_reason: str
    contradicted_by: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A version of the day that somebody may have seen: final, or given to the HRIS."""

    number: int
    at: datetime
    changes: Mapping[str, Sequence[Any]]  # field: [before, after]; instants as ISO 8601
    pushed: str = ""  # pending | done | failed: on its way to the HRIS; empty: not given to it


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Everything on record about one person-day, with the names of things."""

    name: str
    site_name: str
    facts: DayFacts
    looks: Sequence[Look] = ()
    gaps: Sequence[Blind] = ()
    holiday: str = ""
    asked_at: datetime | None = None  # when the explanation is wanted
    known_by: str = "face"  # face | badge | both; empty: on the list, but neither
    kept: Attendance | None = None  # the row as it is stored
    corrections: Sequence[CorrectionMade] = ()  # oldest first
    disputes: Sequence[DisputeNoted] = ()
    alerts: Sequence[AlertRaised] = ()
    revisions: Sequence[Revision] = ()
    overtime_warnings: Sequence[OvertimeWarning] = ()
