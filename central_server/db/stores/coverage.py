"""Agents and cameras, as facts about what they prove, now and in the past."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Executable, bindparam, func, literal, or_, select
from sqlalchemy.orm import Session

from central_server.db.base import Instant
from central_server.db.models import (
    Agent,
    Attendance,
    Camera,
    CoverageGap,
    RoleThreshold,
    Shift,
    Site,
    Zone,
)
from central_server.db.stores import first_watch
from central_server.db.stores.plain_rows import plain_rows
from central_server.domain.coverage import (
    LONG_AGO,
    AgentFacts,
    CameraFacts,
    SiteCoverage,
    site_coverage,
)
from central_server.domain.gaps import LOST, NEW, Gap
from central_server.domain.intervals import Interval, joined

DAY = timedelta(days=1)

_AGENT = (
    Agent.agent_id,
    Agent.name,
    Agent.state,
    Agent.state_at,
    Agent.heartbeat_at,
    Agent.heartbeat_interval_s,
    Agent.reported_to,
    Agent.skew_ms,
    Agent.clock_off_ms,
    Agent.cloned_at,
    Agent.site_id,
)
_CAMERA = (
    Camera.camera_id,
    Camera.agent_id,
    Camera.name,
    Camera.zone_id,
    Camera.state,
    Camera.reason,
    Camera.state_at,
    Camera.covered_since,
)

_SITE, _START, _END = bindparam("site"), bindparam("start", type_=Instant), bindparam("end", type_=Instant)
_HEARD = select(*_AGENT).where(Agent.revoked_at.is_(None))
_AGENTS_OF, _AGENTS_BUT = _HEARD.where(Agent.site_id == _SITE), _HEARD.where(Agent.site_id != _SITE)
_WITH_ZONES = select(*_CAMERA, Zone.name.label("zone_name"), Zone.is_public).outerjoin(
    Zone, Camera.zone_id == Zone.zone_id
)
_CAMERAS_OF = _WITH_ZONES.where(Camera.site_id == _SITE)
_CAMERAS_BUT = _WITH_ZONES.where(Camera.site_id != _SITE)
_PICTURES = select(Agent.health["picture_zones"]).where(Agent.revoked_at.is_(None))
_ENDED = (  # gaps with a part in a span of time
    select(
        CoverageGap.camera_id,
        CoverageGap.zone_id,
        CoverageGap.starts_at,
        CoverageGap.ends_at,
        CoverageGap.reason,
    )
    .where(CoverageGap.site_id == _SITE, CoverageGap.ends_at > _START, CoverageGap.starts_at < _END)
    .where(CoverageGap.reason != NEW)
    .order_by(CoverageGap.starts_at, CoverageGap.id)
)
_OPEN = (  # and those that have not ended, but where the box was taken away
    select(Camera.camera_id, Camera.zone_id, Camera.proven_to, Agent.revoked_at, literal(""))
    .join(Agent, Agent.agent_id == Camera.agent_id)
    .where(Camera.site_id == _SITE, Camera.state != "disabled", Camera.proven_to < _END)
    .where(or_(Agent.revoked_at.is_(None), Agent.revoked_at > _START))
)
_CAMERAS_AND_BOXES = (
    select(
        Camera.camera_id,
        Camera.zone_id,
        Camera.state,
        Camera.state_at,
        Camera.proven_to,
        Agent.revoked_at,
    )
    .join(Agent, Agent.agent_id == Camera.agent_id)
    .where(Camera.site_id == _SITE)
    .order_by(Camera.camera_id)
)
_BEGAN_LATER = select(CoverageGap.id).where(
    CoverageGap.site_id == _SITE, CoverageGap.reason == NEW, CoverageGap.ends_at > _START
)
_NOT_WATCHING = (  # cameras of which more must be asked, even when none of them failed
    select(Camera.camera_id)
    .join(Agent, Agent.agent_id == Camera.agent_id)
    .where(Camera.site_id == _SITE)
    .where(
        or_(
            Camera.proven_to.is_(None),
            Camera.state == "disabled",
            Agent.revoked_at.is_not(None),
            _BEGAN_LATER.exists(),
        )
    )
    .limit(1)
)
_MARKED = select(Zone.zone_id, Zone.is_entrance, Zone.is_public).where(
    Zone.site_id == _SITE, or_(Zone.is_entrance, Zone.is_public)
)


def agents(session: Session, site_id: str) -> list[AgentFacts]:
    """Return the agents of a site that have not been revoked."""
    return _agents(session, _AGENTS_OF, site_id)


def cameras(session: Session, site_id: str) -> list[CameraFacts]:
    """Return the cameras of a site, with their zones."""
    return _cameras(session, _CAMERAS_OF, site_id)


def of_site(
    session: Session, site_id: str, now: datetime, listening_since: datetime = LONG_AGO
) -> SiteCoverage:
    """Return what the site's cameras prove at now."""
    return site_coverage(agents(session, site_id), cameras(session, site_id), now, listening_since)


def of_others(session: Session, site_id: str, now: datetime) -> SiteCoverage:
    """Return what the cameras of all other sites prove at now, together."""
    return site_coverage(
        _agents(session, _AGENTS_BUT, site_id), _cameras(session, _CAMERAS_BUT, site_id), now
    )


def gaps(session: Session, site_id: str, span: Interval) -> list[Gap]:
    """Return when each camera that should have watched did not, within a span of time; open gaps, too."""
    asked = {"site": site_id, "start": span.start, "end": span.end}
    broken = [*plain_rows(session, _ENDED, asked), *plain_rows(session, _OPEN, asked)]
    are_waiting = plain_rows(session, _NOT_WATCHING, asked)
    if not broken and not are_waiting:
        return []  # as a rule; which cameras are decisive need not be asked then
    rows = plain_rows(session, _CAMERAS_AND_BOXES, asked)
    is_decisive = _decides(session, site_id, rows)

    def gap(camera_id: str, zone_id: str | None, start: datetime, end: datetime, reason: str) -> Gap:
        return Gap(
            camera_id=camera_id,
            zone_id=zone_id,
            interval=Interval(max(start, span.start), min(end, span.end)),
            reason=reason,
            is_decisive=is_decisive(camera_id, zone_id),
        )

    found = [
        gap(camera_id, zone_id, start, end or span.end, why) for camera_id, zone_id, start, end, why in broken
    ]
    if are_waiting:
        deciding = [row for row in rows if is_decisive(row.camera_id, row.zone_id)]
        for camera, span_of_it in first_watch.unproven(session, site_id, deciding):
            found.append(gap(camera.camera_id, camera.zone_id, span_of_it.start, span_of_it.end, NEW))
    return [each for each in found if each.interval.start < each.interval.end]


def _decides(session: Session, site_id: str, cameras: Iterable[Any]) -> Callable[[str, str | None], bool]:
    """Return what tells whether somebody could come or go unseen while a camera in a zone does not watch."""
    marked = plain_rows(session, _MARKED, {"site": site_id})
    parts = _picture_zones(session)
    entrances = {each for each, is_entrance, is_public in marked if is_entrance and not is_public}
    entrances &= {zone for row in cameras for zone in (row.zone_id, *parts.get(row.camera_id, ()))}
    public = {each for each, _, is_public in marked if is_public}

    def is_decisive(camera_id: str, zone_id: str | None) -> bool:
        places = {zone_id, *parts.get(camera_id, ())}
        return bool(places & entrances) if entrances else zone_id not in public

    return is_decisive


def unwatched(session: Session, site_id: str, span: Interval) -> list[Interval]:
    """Return when somebody could have come or gone at a site without being seen, within a span of time.

    That is when a camera of an entrance did not watch; where no zone is marked as one, any camera.
    """
    return joined(each.interval for each in gaps(session, site_id, span) if each.is_decisive)


def perhaps_dark(session: Session, span: Interval, at_least: timedelta) -> set[str]:
    """Return the sites of which a camera may have missed so much of a span of time; nearly always none."""
    ended = select(CoverageGap.site_id).where(
        CoverageGap.reason != NEW, CoverageGap.ends_at > span.start, CoverageGap.starts_at < span.end
    )
    behind = Camera.proven_to.is_(None) | (Camera.proven_to < span.end - at_least)
    waiting = select(Camera.site_id).where(behind, Camera.state != "disabled")
    gone = select(Camera.site_id).where(Camera.state == "disabled")
    return {*session.scalars(ended.distinct()), *session.scalars(waiting.union(gone))}


def lost(session: Session, camera_ids: Collection[str], after: datetime) -> dict[str, datetime]:
    """Return, by camera, up to when what it saw had to be dropped by its agent; only what ended after."""
    rows = select(CoverageGap.camera_id, func.max(CoverageGap.ends_at)).where(
        CoverageGap.camera_id.in_(camera_ids), CoverageGap.reason == LOST, CoverageGap.ends_at > after
    )
    found = session.execute(rows.group_by(CoverageGap.camera_id))
    return {row[0]: row[1] for row in found}


def closed_days(session: Session, site_id: str, span: Interval) -> list[tuple[str, date]]:
    """Return the closed person-days of a site whose shift's window has a part in a span of time."""
    site = session.get(Site, site_id)
    if site is None:
        return []
    closed = (
        Attendance.site_id == site_id,
        Attendance.is_provisional.is_(False),
        Attendance.business_date >= span.start.date() - 3 * DAY,
        Attendance.business_date <= span.end.date() + DAY,
    )
    kinds = select(Attendance.shift_id, Attendance.business_date).where(*closed).distinct()
    shifts = {row.shift_id: row for row in session.scalars(select(Shift))}
    touched = {
        (shift_id, day)
        for shift_id, day in session.execute(kinds)
        if (shift := shifts.get(shift_id or ""))
        and _window(shift, day, ZoneInfo(site.timezone)).overlap(span)
    }
    if not touched:
        return []
    days = {day for _, day in touched}
    rows = session.execute(
        select(Attendance.employee_id, Attendance.business_date, Attendance.shift_id).where(
            *closed, Attendance.business_date.in_(days)
        )
    )
    return [(employee_id, day) for employee_id, day, shift_id in rows if (shift_id, day) in touched]


def _window(shift: Shift, day: date, timezone: ZoneInfo) -> Interval:
    """Return the time around a shift day in which somebody's coming and going counts for it."""
    last = day + DAY if shift.ends <= shift.starts else day
    starts_at, ends_at = (
        datetime.combine(on, at, tzinfo=timezone).astimezone(UTC)
        for on, at in ((day, shift.starts), (last, shift.ends))
    )
    return Interval(
        starts_at - timedelta(minutes=shift.early_in_min), ends_at + timedelta(minutes=shift.late_out_min)
    )


def thresholds(session: Session) -> dict[str, timedelta]:
    """Return the zones that have an unseen-threshold of their own."""
    rows = session.execute(select(Zone.zone_id, Zone.threshold_s).where(Zone.threshold_s.is_not(None)))
    return {zone_id: timedelta(seconds=seconds) for zone_id, seconds in rows}


def role_thresholds(session: Session) -> dict[str, timedelta]:
    """Return the roles that have an unseen-threshold of their own; names as casefold() makes them."""
    rows = session.execute(select(RoleThreshold.role, RoleThreshold.threshold_s))
    return {role.strip().casefold(): timedelta(seconds=seconds) for role, seconds in rows}


def _agents(session: Session, wanted: Executable, site_id: str) -> list[AgentFacts]:
    return [
        AgentFacts(
            agent_id=row.agent_id,
            name=row.name,
            state=row.state,
            state_at=row.state_at,
            heartbeat_at=row.heartbeat_at,
            interval=timedelta(seconds=row.heartbeat_interval_s),
            reported_to=row.reported_to,
            skew=timedelta(milliseconds=(row.skew_ms or 0) - row.clock_off_ms),
            cloned_at=row.cloned_at,
        )
        for row in plain_rows(session, wanted, {"site": site_id})
    ]


def _cameras(session: Session, wanted: Executable, site_id: str) -> list[CameraFacts]:
    parts = _picture_zones(session)
    return [
        CameraFacts(
            camera_id=row.camera_id,
            agent_id=row.agent_id,
            name=row.name,
            zone_id=row.zone_id,
            zone_name=row.zone_name or "",
            state=row.state,
            reason=row.reason,
            state_at=row.state_at,
            covered_since=row.covered_since,
            picture_zones=parts.get(row.camera_id, ()),
            is_public=bool(row.is_public),
        )
        for row in plain_rows(session, wanted, {"site": site_id})
    ]


def _picture_zones(session: Session) -> Mapping[str, tuple[str, ...]]:
    """Return, by camera, the zones that are parts of its picture, as the agents said at their birth."""
    rows = plain_rows(session, _PICTURES, {})
    return {camera_id: tuple(zones) for (each,) in rows if each for camera_id, zones in each.items()}
