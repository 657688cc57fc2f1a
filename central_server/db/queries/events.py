"""What the cameras saw, newest first, a page at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, and_, or_, select
from sqlalchemy.orm import Session

from central_server.db.models import Employee, Event
from central_server.db.queries.places import Places
from central_server.db.queries.teams import Team
from central_server.domain.clocks import is_undated
from common.events import DOUBTFUL_BELOW

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFilter:
    camera_id: str = ""
    employee_id: str = ""
    words: str = ""  # part of a name or code
    kind: str = ""  # empty: everything but "still in view"; all; or one EventKind
    after: datetime | None = None  # aware
    before: datetime | None = None  # aware


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLine:
    event_id: str
    at: datetime  # local
    kind: str
    employee_id: str | None
    name: str | None  # None: unknown
    camera: str
    where: str
    similarity: float | None  # cosine, -1..1
    is_late: bool
    has_snapshot: bool
    corrected_s: float = 0.0  # taken off the box's clock
    is_undated: bool = False  # the box's clock was never set: kept, and counted for nothing
    liveness: float | None = None  # 0 is a picture of a face, 1 is a face; None: not judged

    @property
    def is_doubtful(self) -> bool:
        """Tell whether somebody should look at it; presence does not care."""
        return self.liveness is not None and self.liveness < DOUBTFUL_BELOW


@dataclass(frozen=True, slots=True, kw_only=True)
class EventPage:
    lines: tuple[EventLine, ...]
    older: str | None  # the cursor of the next page


def read_events(
    session: Session, places: Places, chosen: EventFilter, team: Team, *, cursor: str = "", limit: int = 50
) -> EventPage:
    """Return one page. cursor is `older` of the page before; one that makes no sense starts at the top."""
    rows = session.execute(_after(_query(chosen, team), cursor).limit(limit + 1)).all()
    last = rows[limit - 1] if len(rows) > limit else None
    return EventPage(lines=tuple(_line(each, places) for each in rows[:limit]), older=_cursor(last))


def every_event(
    session: Session, places: Places, chosen: EventFilter, team: Team, *, most: int = 50_000
) -> Iterator[EventLine]:
    """Yield the newest `most` of the filtered list, for an export."""
    query = _query(chosen, team).limit(most).execution_options(yield_per=1000)
    return (_line(each, places) for each in session.execute(query))


def _query(chosen: EventFilter, team: Team) -> Select[Any]:
    query = select(Event, Employee.name).outerjoin(Employee, Employee.employee_id == Event.employee_id)
    if team is not None:
        query = query.where(Event.employee_id.in_(team))
    if chosen.camera_id:
        query = query.where(Event.camera_id == chosen.camera_id)
    if chosen.employee_id:
        query = query.where(Event.employee_id == chosen.employee_id)
    if chosen.words:
        part = chosen.words
        query = query.where(
            or_(
                Employee.name.icontains(part, autoescape=True),
                Event.employee_id.icontains(part, autoescape=True),
            )
        )
    if chosen.kind != "all":
        query = query.where(Event.kind == chosen.kind if chosen.kind else Event.kind != "still")
    if chosen.after:
        query = query.where(Event.ts >= chosen.after)
    if chosen.before:
        query = query.where(Event.ts < chosen.before)
    return query.order_by(Event.ts.desc(), Event.id.desc())


def _after(query: Select[Any], cursor: str) -> Select[Any]:
    micros, _, number = cursor.partition("-")
    if not (micros.isdigit() and number.isdigit() and len(micros) < 18 and len(number) < 18):
        return query
    ts = EPOCH + timedelta(microseconds=int(micros))
    return query.where(or_(Event.ts < ts, and_(Event.ts == ts, Event.id < int(number))))


def _cursor(row: Row[Any] | None) -> str | None:
    if row is None:
        return None
    return f"{(row.Event.ts - EPOCH) // timedelta(microseconds=1)}-{row.Event.id}"


def _line(row: Row[Any], places: Places) -> EventLine:
    event: Event = row.Event
    at = places.local(event.ts, event.site_id)
    assert at is not None
    return EventLine(
        event_id=event.event_id,
        at=at,
        kind=event.kind,
        employee_id=event.employee_id,
        name=(row.name or event.employee_id) if event.employee_id else None,
        camera=places.camera_name(event.camera_id),
        where=_with_part(places.where(event.zone_id, event.camera_id), event.extra),
        similarity=event.sim_score,
        is_late=event.is_late,
        corrected_s=event.clock_off_ms / 1000,
        is_undated=is_undated(event.clock, event.clock_off_ms),
        has_snapshot=event.snapshot is not None,
        liveness=_liveness_in(event.extra),
    )


def _with_part(where: str, extra: Mapping[str, Any]) -> str:
    """Return the place, with the part of the camera's picture that the agent has a name for."""
    part = extra.get("zone")
    return f"{where}, {part[:64]}" if isinstance(part, str) and part.strip() else where


def _liveness_in(extra: Mapping[str, Any]) -> float | None:
    """Return the score that the agent sent along, if it is one."""
    found = extra.get("liveness")
    score = found.get("score") if isinstance(found, dict) else None
    is_score = isinstance(score, int | float) and not isinstance(score, bool) and 0 <= score <= 1
    return float(score) if is_score else None
