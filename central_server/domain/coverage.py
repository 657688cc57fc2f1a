"""What the cameras of a site prove: how far the record is complete, and since when each zone is watched."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

MISSED_HEARTBEATS = 3
CLONED_FOR = timedelta(minutes=15)  # since the last proof of two live agents with one identity
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
MOST_SKEW = timedelta(seconds=120)  # a clock further off proves nothing


def place_of(zone_id: str | None, camera_id: str) -> str:
    """Return what a place is called in which somebody was seen: the zone, or the camera that has none."""
    return zone_id or f"camera:{camera_id}"


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
    picture_zones: tuple[str, ...] = ()  # zones that are parts of its picture
    is_public: bool = False  # nobody is identified there

    @property
    def zone_ids(self) -> tuple[str, ...]:
        """Every zone that it looks into, and itself: people are seen by cameras without a zone, too."""
        named = (self.zone_id, *self.picture_zones) if self.zone_id else self.picture_zones
        return (*named, place_of(None, self.camera_id))


@dataclass(frozen=True, slots=True)
class Proof:
    """Over which time some cameras have all watched, without a break."""

    since: datetime | None  # None: one of them does not watch
    to: datetime | None = None  # up to here everything that they saw is recorded
    missing: str = ""  # a camera that does not watch

    @property
    def is_whole(self) -> bool:
        return self.since is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteCoverage:
    """What a site's cameras prove at one moment."""

    watermark: datetime | None  # the record is complete up to here; None: no agent is healthy
    watching: Mapping[str, datetime] = field(default_factory=dict)  # camera: since when without a break
    zones: Mapping[str, frozenset[str]] = field(default_factory=dict)  # zone: its cameras, up or down
    reported: Mapping[str, datetime] = field(default_factory=dict)  # camera: how far its agent has reported
    site_since: datetime | None = None  # not blind since: the earliest of its cameras that watch now
    cameras: frozenset[str] = frozenset()  # that should watch, up or down
    is_held: bool = False  # news are still on their way: nobody has newly gone

    def since(self, zone_id: str | None, camera_id: str | None) -> datetime | None:
        """Return since when every camera of the zone has watched it; None when any of them does not."""
        return self.proof(self.zones.get(zone_id or "") or frozenset({camera_id or ""})).since

    def proof(self, cameras: Collection[str]) -> Proof:
        """Return what those cameras prove together; of none at all, nothing."""
        missing = next((each for each in sorted(cameras) if each not in self.watching), None)
        if missing is not None or not cameras:
            return Proof(None, missing=missing or "")
        ends = [self.reported[each] for each in cameras if each in self.reported]
        return Proof(max(self.watching[each] for each in cameras), min(ends, default=None))

    def joined_with(self, others: "SiteCoverage") -> "SiteCoverage":
        """Return this coverage with the zones and cameras of other sites, where its people may be, too."""
        return replace(
            self,
            watching={**others.watching, **self.watching},
            zones={**others.zones, **self.zones},
            reported={**others.reported, **self.reported},
        )

    def is_watching(self, camera_id: str | None) -> bool:
        return camera_id in self.watching

    def is_known(self, camera_id: str | None) -> bool:
        """Tell whether this is a camera; somebody may have been seen last by a kiosk."""
        return place_of(None, camera_id or "") in self.zones


def is_cloned(cloned_at: datetime | None, now: datetime) -> bool:
    """Tell whether two boxes share an agent's identity: each then speaks for what only the other one saw."""
    return cloned_at is not None and now - cloned_at < CLONED_FOR


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


def is_held(agents: Iterable[AgentFacts], now: datetime, listening_since: datetime) -> bool:
    """Tell whether news about the past are on their way, or this server has only begun to listen.

    An agent that was well when this server stopped is waited for until it is heard, or known to be silent.
    """
    faults = {each: fault_of(each, now) for each in agents}
    return any(
        fault is Fault.DRAINING
        or (fault is None and each.heartbeat_at is not None and each.heartbeat_at < listening_since)
        for each, fault in faults.items()
    )


def site_coverage(
    agents: Iterable[AgentFacts],
    cameras: Iterable[CameraFacts],
    now: datetime,
    listening_since: datetime = LONG_AGO,
) -> SiteCoverage:
    """Return what the agents and cameras of one site prove at now (the server's clock)."""
    agents = list(agents)
    healthy = {
        each.agent_id: each
        for each in agents
        if fault_of(each, now) is None and not is_cloned(each.cloned_at, now)
    }
    marks = [min(each.reported_to, now) for each in healthy.values() if each.reported_to]
    zones: dict[str, set[str]] = {}
    watching: dict[str, datetime] = {}
    reported: dict[str, datetime] = {}
    for camera in cameras:
        if camera.is_public:
            continue
        for zone_id in camera.zone_ids:
            seen_by = zones.setdefault(zone_id, set())
            if camera.state != "disabled":
                seen_by.add(camera.camera_id)
        agent = healthy.get(camera.agent_id)
        if agent is not None and camera.state == "online" and camera.covered_since:
            watching[camera.camera_id] = camera.covered_since
            if agent.reported_to:
                reported[camera.camera_id] = min(agent.reported_to, now)
    return SiteCoverage(
        watermark=min(marks, default=None),
        watching=watching,
        site_since=min(watching.values(), default=None),
        cameras=frozenset(camera_id for each in zones.values() for camera_id in each),
        zones={zone: frozenset(each) for zone, each in zones.items()},
        reported=reported,
        is_held=is_held(agents, now, listening_since),
    )
