"""Record what agents and cameras say about themselves: births, deaths, heartbeats, camera states."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from central_server.db.models import Agent, BadMessage, Camera, Zone
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.clocks import TRUSTED_OFF_MS, boots_as_json, boots_from, correction
from central_server.domain.clones import born, is_old_news
from central_server.services.keep_watch import Heard, keep_watch
from central_server.services.retire_models import change_model
from common.camera_settings import MOST_POLYGONS
from common.events import (
    AgentState,
    Birth,
    CameraHealth,
    CameraInfo,
    CameraReason,
    CameraState,
    CameraStatus,
    Clock,
    Heartbeat,
    LinkState,
)
from common.ids import is_slug, slug_from

MOST_PARKED_BYTES = 8192
MOST_ERRORS = 100
SAID_AT_BIRTH = (
    "configuration",
    "picture_zones",
    "taken",
)  # of an agent's health; heartbeats leave them alone
_STATES_WITH_COVERAGE = {CameraState.ONLINE.value}


def record_state(agent_id: str, state: AgentState, work: UnitOfWork, now: datetime) -> None:
    """Record that a connection began or ended; a will of an earlier connection changes nothing."""
    agent = work.session.get(Agent, agent_id)
    if agent is None or (state.state is not LinkState.ONLINE and agent.sid not in ("", state.sid)):
        return
    if agent.state != state.state.value:
        agent.state_at = now
    agent.state, agent.sid = state.state.value, state.sid


def record_birth(agent_id: str, birth: Birth, work: UnitOfWork, now: datetime) -> None:
    """Record what an agent is, and the cameras it looks after; one that it no longer has is disabled."""
    agent = work.session.get(Agent, agent_id)
    if agent is None or is_old_news(agent.instances, birth.instance, birth.sid, agent.sid):
        return
    change_model(work, agent, birth.model_id, now)
    agent.engine, agent.version, agent.spool_depth = birth.engine, birth.version, birth.spool_depth
    # A birth that the broker kept is old news: that the gallery went back, only a heartbeat can tell.
    agent.gallery_gen = max(agent.gallery_gen, birth.gallery_gen)
    agent.config_applied, agent.config_tried = birth.config_gen, birth.config_wanted
    agent.config_origin = birth.config_origin.value
    agent.config_errors = [[each.key[:200], each.words[:400]] for each in birth.config_errors[:MOST_ERRORS]]
    instances, is_clone = born(agent.instances, birth.instance, birth.sid)
    agent.instances = list(instances)
    agent.cloned_at = now if is_clone else agent.cloned_at
    known = {camera.camera_id: camera for camera in _cameras_of(work, agent_id)}
    owners = {
        info.camera_id: _know_camera(agent, info, known.pop(info.camera_id, None), work, now)
        for info in birth.cameras
    }
    before = {camera.camera_id: Heard.of(camera) for camera in known.values()}
    for camera in known.values():
        _set_state(camera, CameraState.DISABLED.value, "", now)
    keep_watch(work, agent, known.values(), before, now)
    agent.health = (agent.health or {}) | {
        "configuration": birth.extra.get("configuration", {}),
        "picture_zones": _picture_zones(agent, birth, owners, work),
        "taken": {name: owner for name, owner in owners.items() if owner},  # cameras of other agents
    }


def record_heartbeat(agent_id: str, heartbeat: Heartbeat, work: UnitOfWork, now: datetime) -> None:
    """Record an agent's clock, its watermark and how its cameras are."""
    agent = work.session.get(Agent, agent_id)
    if agent is None or agent.sid not in ("", heartbeat.sid):
        return
    agent.heartbeat_at, agent.heartbeat_interval_s = now, heartbeat.interval_s
    off_ms = _follow_clock(agent, heartbeat, now)
    reported_to = min(instant(heartbeat.reported_to - off_ms), now)
    agent.reported_to = max(reported_to, agent.reported_to or reported_to)
    agent.clock, agent.gallery_gen = heartbeat.clock.value, heartbeat.gallery_gen
    agent.spool_depth = heartbeat.spool_depth
    agent.spool_oldest_at = instant(heartbeat.spool_oldest_ts) if heartbeat.spool_oldest_ts else None
    before = agent.health or {}
    agent.health = (
        {
            "temperature_c": heartbeat.temperature_c,
            "disk_free_mb": heartbeat.disk_free_mb,
            "cpu_percent": heartbeat.cpu_percent,
        }
        | dict(heartbeat.extra)
        | {name: before[name] for name in SAID_AT_BIRTH if name in before}
    )
    cameras = {camera.camera_id: camera for camera in _cameras_of(work, agent_id)}
    before = {camera_id: Heard.of(camera) for camera_id, camera in cameras.items()}
    told = {health.camera_id: health for health in heartbeat.cameras if health.camera_id in cameras}
    for camera_id, health in told.items():
        _record_camera_health(cameras[camera_id], health, off_ms, now)
    keep_watch(work, agent, [cameras[camera_id] for camera_id in told], before, now)


def _follow_clock(agent: Agent, heartbeat: Heartbeat, now: datetime) -> int:
    """Note how far off the agent's clock is; return what is to be taken off its instants, ms."""
    boots = boots_from(agent.boots).heard(heartbeat.boot_id, heartbeat.mono, _ms(now))
    agent.boots = boots_as_json(boots)
    off = boots.off(heartbeat.boot_id, heartbeat.mono, heartbeat.ts)
    is_right = heartbeat.clock is Clock.NTP and abs(heartbeat.ts - _ms(now)) <= TRUSTED_OFF_MS
    if is_right and off is not None and abs(off) > TRUSTED_OFF_MS:  # our clock was set, or theirs stood still
        boots = boots.heard_anew(heartbeat.boot_id, heartbeat.mono, _ms(now))
        agent.boots = boots_as_json(boots)
        off = boots.off(heartbeat.boot_id, heartbeat.mono, heartbeat.ts)
    agent.skew_ms = heartbeat.ts - _ms(now) if off is None else off
    agent.clock_off_ms = correction(off, is_synchronised=heartbeat.clock is Clock.NTP)
    return agent.clock_off_ms


def record_camera(agent_id: str, status: CameraStatus, work: UnitOfWork, now: datetime) -> None:
    """Record the change of one camera's state, which comes as soon as it happens."""
    camera = work.session.get(Camera, status.camera_id)
    if camera is None or camera.agent_id != agent_id:
        return
    _set_state(camera, status.state.value, status.reason.value, now)
    camera.detail = status.detail[:400]
    if camera.state in _STATES_WITH_COVERAGE:
        agent = work.session.get_one(Agent, agent_id)
        since = instant(status.since - agent.clock_off_ms)
        if camera.covered_since is None:  # its clock may have been set since a heartbeat told it
            age = timedelta(milliseconds=max(0, status.ts - status.since))
            camera.covered_since = min(max(since, now - age), now)
        else:
            camera.covered_since = min(max(since, camera.covered_since), now)


def park_message(topic: str, payload: bytes, reason: str, work: UnitOfWork, now: datetime) -> None:
    """Keep a message that cannot be read, with the reason, so that somebody can look at it."""
    parts = topic.split("/")
    agent_id = parts[3] if len(parts) > 3 and is_slug(parts[3]) else None
    work.session.add(
        BadMessage(
            received_at=now,
            topic=topic[:200],
            agent_id=agent_id,
            reason=reason[:400],
            payload=bytes(payload[:MOST_PARKED_BYTES]),
        )
    )


def instant(ms: int) -> datetime:
    """Return the instant of milliseconds since the epoch."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms)


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _cameras_of(work: UnitOfWork, agent_id: str) -> list[Camera]:
    return work.session.query(Camera).filter(Camera.agent_id == agent_id).all()


def _know_camera(
    agent: Agent, info: CameraInfo, known: Camera | None, work: UnitOfWork, now: datetime
) -> str:  # fmt: skip
    """Note a camera as the agent's own; return the id of the agent whose it is, if it is another's.

    The first to name a camera keeps it, until it looks after it no longer: then it may go to another box.
    """
    if known is None:
        known = work.session.get(Camera, info.camera_id)
        if known is not None and not _is_free(known, agent, work):
            return known.agent_id
        if known is None:
            known = Camera(camera_id=info.camera_id, site_id=agent.site_id, name="")
            work.session.add(known)
        elif known.state != CameraState.DISABLED.value:
            _begin_anew(known, now)  # what it watched for another agent proves nothing about this one
        known.agent_id = agent.agent_id
    known.name = info.name or known.name or info.camera_id
    if info.zone:
        zone_id = _zone_named(info.zone, agent.site_id, work)
        if known.zone_id not in (None, zone_id):
            _begin_anew(known, now)  # it has not watched there before
        known.zone_id = zone_id
    return ""


def _is_free(camera: Camera, agent: Agent, work: UnitOfWork) -> bool:
    """Tell whether the camera's agent has let go of it, or was sent away itself; within one site only."""
    holder = work.session.get_one(Agent, camera.agent_id)
    has_gone = camera.state == CameraState.DISABLED.value or holder.revoked_at is not None
    return has_gone and camera.site_id == agent.site_id


def _zone_named(name: str, site_id: str, work: UnitOfWork) -> str | None:
    """Return the zone of that id or name in the site; made when there is none."""
    zones = work.session.query(Zone).filter(Zone.site_id == site_id).all()
    for zone in zones:
        if name in (zone.zone_id, zone.name):
            return zone.zone_id
    zone_id = slug_from(name)
    if work.session.get(Zone, zone_id) is not None:  # another site's
        zone_id = slug_from(f"{site_id}-{name}")
    if work.session.get(Zone, zone_id) is None:
        work.session.add(Zone(zone_id=zone_id, site_id=site_id, name=name))
        work.session.flush()
    return zone_id


def _record_camera_health(camera: Camera, health: CameraHealth, off_ms: int, now: datetime) -> None:
    _set_state(camera, health.state.value, health.reason.value, now)
    camera.fps = health.fps
    if health.last_frame_age_ms is not None:
        camera.last_frame_at = now - timedelta(milliseconds=health.last_frame_age_ms)
    if camera.state in _STATES_WITH_COVERAGE:
        camera.covered_since = min(instant(health.since - off_ms), now)


def _picture_zones(
    agent: Agent, birth: Birth, owners: Mapping[str, str], work: UnitOfWork
) -> dict[str, list[str]]:  # fmt: skip
    """Return the zones that are parts of the pictures of an agent's own cameras; made when there are none."""
    configuration = birth.extra.get("configuration", {})
    if configuration.get("is_cut"):  # it has more than it can tell: what was known before still counts
        return dict((agent.health or {}).get("picture_zones") or {})
    told = configuration.get("cameras") or []
    found = {}
    for each in told:
        camera_id, parts = str(each.get("camera_id", "")), each.get("zones") or []
        names = (
            [part.get("name") for part in parts if isinstance(part, Mapping)]
            if isinstance(parts, list)
            else []
        )
        names = [name.strip()[:120] for name in names if isinstance(name, str) and name.strip()]
        if names and owners.get(camera_id) == "":
            ids = (_zone_named(name, agent.site_id, work) for name in names[:MOST_POLYGONS])
            found[camera_id] = sorted({zone_id for zone_id in ids if zone_id})
    return found


def _begin_anew(camera: Camera, now: datetime) -> None:
    """Forget since when a camera has watched: the next heartbeat tells."""
    if camera.state in _STATES_WITH_COVERAGE:
        _set_state(camera, CameraState.OFFLINE.value, CameraReason.STARTING.value, now)


def _set_state(camera: Camera, state: str, reason: str, now: datetime) -> None:
    if camera.state != state:
        camera.state_at = now
    camera.state, camera.reason = state, reason
    if state not in _STATES_WITH_COVERAGE:
        camera.covered_since = None
