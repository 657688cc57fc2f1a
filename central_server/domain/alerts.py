"""When somebody must be told, and when that is over. Decisions are data; nothing is sent from here."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from central_server.domain.coverage import (
    MISSED_HEARTBEATS,
    AgentFacts,
    CameraFacts,
    Fault,
    fault_of,
    is_cloned,
)
from central_server.domain.presence import Presence, Reason, State
from central_server.domain.shifts import Standing


class Kind(StrEnum):
    OUT_OF_AREA = "out_of_area"
    CAMERA_DOWN = "camera_down"
    AGENT_DOWN = "agent_down"
    AGENT_CLONED = "agent_cloned"


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlert:
    """The decision to tell somebody. The dedupe key makes it one alert, however often it is decided."""

    kind: Kind
    level: str  # info | warning | critical
    dedupe_key: str
    site_id: str
    opened_at: datetime
    reason: str = ""
    employee_id: str | None = None
    zone_id: str | None = None
    camera_id: str | None = None
    agent_id: str | None = None
    episode: int = 0
    business_date: date | None = None
    last_seen: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseAlert:
    """The decision that the matter of an open alert is over."""

    alert_id: int
    reason: str  # returned | off_shift | on_leave | not_followed | back


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOne:
    """An alert that is open now."""

    alert_id: int
    kind: str
    employee_id: str | None = None
    camera_id: str | None = None
    agent_id: str | None = None


_OVER = {
    Reason.IN_AREA: "returned",
    Reason.ELSEWHERE: "returned",
    Reason.OFF_SHIFT: "off_shift",
    Reason.NOT_ARRIVED: "off_shift",  # a new day has begun
    Reason.ON_LEAVE: "on_leave",
    Reason.NOT_ENROLLED: "not_followed",
}


_NOT_EXPECTED = {Standing.OFF_SHIFT: "off_shift", Standing.ON_LEAVE: "on_leave"}


def alerts_for(
    after: Presence,
    open_one: OpenOne | None,
    *,
    is_watched: bool,
    at: datetime,
    standing: Standing = Standing.ON_DUTY,
) -> OpenAlert | CloseAlert | None:
    """Return what a person's presence asks for. `at` is the watermark that the presence was judged on.

    Out of area says already: followed, on duty, seen today, and unseen for too long with proven coverage.
    A camera that fails afterwards (no_coverage) neither closes an alert nor opens one; that the person is not
    expected any more (standing) closes it, whether or not a camera watches.
    """
    if open_one is not None:
        reason = _OVER.get(after.reason) or _NOT_EXPECTED.get(standing)
        return CloseAlert(alert_id=open_one.alert_id, reason=reason) if reason else None
    if after.state is not State.OFF or after.reason is not Reason.OUT_OF_AREA or not is_watched:
        return None
    return OpenAlert(
        kind=Kind.OUT_OF_AREA,
        level="warning",
        dedupe_key=f"out_of_area:{after.employee_id}:{after.business_date}:{after.episode}",
        site_id=after.site_id,
        opened_at=at,
        employee_id=after.employee_id,
        zone_id=after.zone_id,
        camera_id=after.camera_id,
        episode=after.episode,
        business_date=after.business_date,
        last_seen=after.last_seen,
    )


def outage_alerts(
    agents: Iterable[AgentFacts],
    cameras: Iterable[CameraFacts],
    open_ones: Iterable[OpenOne],
    *,
    site_id: str,
    now: datetime,
    listening_since: datetime,
) -> list[OpenAlert | CloseAlert]:
    """Return what the state of agents and cameras asks for: one alert an outage, to those who repair it.

    listening_since: when this server began to hear agents; silence from before proves nothing about them.
    An agent's outage covers its cameras.
    """
    by_agent = {each.agent_id: each for each in open_ones if each.kind == Kind.AGENT_DOWN}
    by_clone = {each.agent_id: each for each in open_ones if each.kind == Kind.AGENT_CLONED}
    by_camera = {each.camera_id: each for each in open_ones if each.kind == Kind.CAMERA_DOWN}
    decisions: list[OpenAlert | CloseAlert | None] = []
    unwell: set[str] = set()
    patience = {}
    for agent in agents:
        fault = fault_of(agent, now)
        patience[agent.agent_id] = MISSED_HEARTBEATS * agent.interval
        if fault is not None:
            unwell.add(agent.agent_id)
        decisions.append(_about_clone(agent, by_clone.get(agent.agent_id), site_id, now))
        decisions.append(
            _about_agent(agent, fault, by_agent.get(agent.agent_id), site_id, now, listening_since)
        )
    for camera in cameras:
        if camera.agent_id in patience and camera.agent_id not in unwell:
            hold = patience[camera.agent_id]
            decisions.append(_about_camera(camera, by_camera.get(camera.camera_id), site_id, now, hold))
    return [each for each in decisions if each is not None]


def _about_agent(
    agent: AgentFacts,
    fault: Fault | None,
    open_one: OpenOne | None,
    site_id: str,
    now: datetime,
    listening_since: datetime,
) -> OpenAlert | CloseAlert | None:
    if fault is None or fault is Fault.DRAINING:
        return CloseAlert(alert_id=open_one.alert_id, reason="back") if open_one else None
    if open_one is not None or agent.heartbeat_at is None:  # it never worked: nothing is lost
        return None
    quiet_since = max(agent.heartbeat_at, listening_since)
    if fault is not Fault.CLOCK and now - quiet_since <= MISSED_HEARTBEATS * agent.interval:
        return None
    return OpenAlert(
        kind=Kind.AGENT_DOWN,
        level="critical",
        dedupe_key=f"agent_down:{agent.agent_id}:{agent.heartbeat_at.isoformat()}",
        site_id=site_id,
        opened_at=now,
        reason=fault.value,
        agent_id=agent.agent_id,
        last_seen=agent.heartbeat_at,
    )


def _about_clone(
    agent: AgentFacts, open_one: OpenOne | None, site_id: str, now: datetime
) -> OpenAlert | CloseAlert | None:
    """Two boxes that share an identity throw each other out, and each hides the other's outage."""
    if agent.cloned_at is None or not is_cloned(agent.cloned_at, now):
        return CloseAlert(alert_id=open_one.alert_id, reason="back") if open_one else None
    if open_one is not None:
        return None
    return OpenAlert(
        kind=Kind.AGENT_CLONED,
        level="critical",
        dedupe_key=f"agent_cloned:{agent.agent_id}:{agent.cloned_at.isoformat()}",
        site_id=site_id,
        opened_at=now,
        reason="two boxes with one identity",
        agent_id=agent.agent_id,
        last_seen=agent.heartbeat_at,
    )


def _about_camera(
    camera: CameraFacts, open_one: OpenOne | None, site_id: str, now: datetime, hold: timedelta
) -> OpenAlert | CloseAlert | None:
    if camera.state in ("online", "disabled"):
        return CloseAlert(alert_id=open_one.alert_id, reason="back") if open_one else None
    if open_one is not None or camera.state_at is None or now - camera.state_at <= hold:
        return None
    return OpenAlert(
        kind=Kind.CAMERA_DOWN,
        level="critical",
        dedupe_key=f"camera_down:{camera.camera_id}:{camera.state_at.isoformat()}",
        site_id=site_id,
        opened_at=now,
        reason=camera.reason,
        camera_id=camera.camera_id,
        agent_id=camera.agent_id,
        zone_id=camera.zone_id,
        last_seen=camera.state_at,
    )
