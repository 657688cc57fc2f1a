"""Agents and cameras, as facts about what they prove."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, Camera, CoverageGap, Zone
from central_server.domain.coverage import AgentFacts, CameraFacts, SiteCoverage, site_coverage
from central_server.domain.intervals import Interval, cut, joined


def agents(session: Session, site_id: str) -> list[AgentFacts]:
    """Return the agents of a site that have not been revoked."""
    wanted = select(Agent).where(Agent.site_id == site_id, Agent.revoked_at.is_(None))
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
        for row in session.scalars(wanted)
    ]


def cameras(session: Session, site_id: str) -> list[CameraFacts]:
    """Return the cameras of a site, with the names of their zones."""
    wanted = select(Camera, Zone.name).outerjoin(Zone, Camera.zone_id == Zone.zone_id)
    return [
        CameraFacts(
            camera_id=row.camera_id,
            agent_id=row.agent_id,
            name=row.name,
            zone_id=row.zone_id,
            zone_name=zone_name or "",
            state=row.state,
            reason=row.reason,
            state_at=row.state_at,
            covered_since=row.covered_since,
        )
        for row, zone_name in session.execute(wanted.where(Camera.site_id == site_id))
    ]


def of_site(session: Session, site_id: str, now: datetime) -> SiteCoverage:
    """Return what the site's cameras prove at now."""
    return site_coverage(agents(session, site_id), cameras(session, site_id), now)


def unwatched(session: Session, site_id: str, span: Interval) -> list[Interval]:
    """Return when somebody could have come or gone at a site without being seen, within a span of time."""
    return joined(cut((each.interval for each in gaps(session, site_id, span) if each.is_decisive), span))


@dataclass(frozen=True, slots=True)
class Gap:
    """A camera did not watch although it should have."""

    camera_id: str
    zone_id: str | None
    interval: Interval
    reason: str
    is_decisive: bool  # somebody could have come or gone unseen


def gaps(session: Session, site_id: str, span: Interval) -> list[Gap]:
    """Return the gaps of each camera of a site that reach into a span of time, by their beginning."""
    entrances = set(
        session.scalars(select(Zone.zone_id).where(Zone.site_id == site_id, Zone.is_entrance.is_(True)))
    )
    rows = session.scalars(
        select(CoverageGap)
        .where(
            CoverageGap.site_id == site_id,
            CoverageGap.ends_at > span.start,
            CoverageGap.starts_at < span.end,
        )
        .order_by(CoverageGap.starts_at, CoverageGap.id)
    )
    return [
        Gap(
            row.camera_id,
            row.zone_id,
            Interval(row.starts_at, row.ends_at),
            row.reason,
            not entrances or row.zone_id in entrances,
        )
        for row in rows
    ]


def thresholds(session: Session) -> dict[str, timedelta]:
    """Return the zones that have an unseen-threshold of their own."""
    rows = session.execute(select(Zone.zone_id, Zone.threshold_s).where(Zone.threshold_s.is_not(None)))
    return {zone_id: timedelta(seconds=seconds) for zone_id, seconds in rows}
