"""What the cameras of a site prove: how far the record is complete, and since when each zone is watched."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

MISSED_HEARTBEATS = 3
MOST_SKEW = timedelta(seconds=120)  # a clock further off proves nothing


class Fault(StrEnum):
    """Why nothing that an agent says, or does not say, is proof."""

    OFFLINE = "offline"  # the broker said so
    STOPPED = "stopped"  # the agent said so
    SILENT = "silent"  # no heartbeat for three intervals
    CLOCK = "clock"  # its clock is wrong
    DRAINING = "draining"  # it is still sending what it saw earlier


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentFacts:
    agent_id: str
    name: str
    state: str  # common.events.LinkState
    state_at: datetime | None
    heartbeat_at: datetime | None  # by the server's clock
    interval: timedelta
    reported_to: datetime | None  # by the agent's clock, corrected as far as it can be
    skew: timedelta = timedelta(0)  # that corrected clock minus the server's
    cloned_at: datetime | None = None  # when two live agents with this identity were last noticed


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFacts:
    camera_id: str
    agent_id: str
    name: str
    zone_id: str | None
    zone_name: str
    state: str  # common.events.CameraState
    reason: str
    state_at: datetime | None
    covered_since: datetime | None  # None while it is not online


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCoverage:
    """What a site's cameras prove at one moment."""

    watermark: datetime | None  # the record is complete up to here; None: no agent is healthy
    watching: Mapping[str, datetime] = field(default_factory=dict)  # camera: since when without a break
    zones: Mapping[str, frozenset[str]] = field(default_factory=dict)  # zone: its cameras, up or down

    def since(self, zone_id: str | None, camera_id: str | None) -> datetime | None:
        """Return since when every camera of the zone has watched it; None when any of them does not."""
        cameras = self.zones.get(zone_id or "") or frozenset({camera_id or ""})
        if not cameras <= self.watching.keys():
            return None
        return max(self.watching[each] for each in cameras)

    @property
    def site_since(self) -> datetime | None:
        """Since when the site has not been blind: the earliest of the cameras that watch now."""
        return min(self.watching.values(), default=None)

    def is_watching(self, camera_id: str | None) -> bool:
        return camera_id in self.watching


def fault_of(agent: AgentFacts, now: datetime) -> Fault | None:
    """Return what is wrong with an agent by the server's clock, or None when it is healthy."""
    if agent.state == "stopped":
        return Fault.STOPPED
    if agent.state != "online" or agent.heartbeat_at is None or agent.reported_to is None:
        return Fault.OFFLINE
    if now - agent.heartbeat_at > MISSED_HEARTBEATS * agent.interval:
        return Fault.SILENT
    if abs(agent.skew) > MOST_SKEW:
        return Fault.CLOCK
    if agent.heartbeat_at + agent.skew - agent.reported_to > MISSED_HEARTBEATS * agent.interval:
        return Fault.DRAINING
    return None


def site_coverage(
    agents: Iterable[AgentFacts], cameras: Iterable[CameraFacts], now: datetime
) -> SiteCoverage:
    """Return what the agents and cameras of one site prove at now (the server's clock)."""
    healthy = {each.agent_id: each for each in agents if fault_of(each, now) is None}
    marks = [min(each.reported_to, now) for each in healthy.values() if each.reported_to]
    zones: dict[str, set[str]] = {}
    watching: dict[str, datetime] = {}
    for camera in cameras:
        if camera.state == "disabled":
            continue
        if camera.zone_id:
            zones.setdefault(camera.zone_id, set()).add(camera.camera_id)
        if camera.agent_id in healthy and camera.state == "online" and camera.covered_since:
            watching[camera.camera_id] = camera.covered_since
    return SiteCoverage(
        watermark=min(marks, default=None),
        watching=watching,
        zones={zone: frozenset(each) for zone, each in zones.items()},
    )
