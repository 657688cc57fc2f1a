"""Agents and cameras: how they are, and what is wrong with those that are not well."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, BadMessage, Camera, JoinCode, TemplateLog
from central_server.db.queries.places import Places
from central_server.domain.coverage import AgentFacts, fault_of, is_cloned

JOINED = "joined"  # and never heard of since


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraLine:
    camera_id: str
    name: str
    zone: str
    state: str  # common.events.CameraState, or unheard when its agent is not well
    reason: str
    detail: str
    since: datetime | None  # local
    fps: float
    last_frame: datetime | None  # local


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLine:
    agent_id: str
    name: str
    site: str
    state: str  # online, joined, revoked, or domain.coverage.Fault
    heartbeat: datetime | None  # local
    joined: datetime | None  # local
    engine: str
    model_id: str
    version: str
    spool_depth: int
    spool_oldest: datetime | None  # local
    skew_s: float | None
    is_corrected: bool  # what it says is corrected by skew_s
    road: str  # mqtt | http
    is_cloned: bool
    gallery_gen: int
    gallery_latest: int
    leased_out: bool  # it wiped its gallery, because it had not heard of the server for too long
    temperature_c: float | None
    disk_free_mb: float | None
    cpu_percent: float | None
    cameras: tuple[CameraLine, ...]

    @property
    def is_well(self) -> bool:
        return self.state == "online"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """One line of the banner: an agent or a camera that makes the board blind."""

    kind: str  # agent | camera
    name: str
    where: str
    state: str
    reason: str
    since: datetime | None  # local


@dataclass(frozen=True, slots=True, kw_only=True)
class BadLine:
    received: datetime | None  # local
    topic: str
    reason: str
    payload: str  # as text; other bytes as \\x..
    size: int  # bytes kept


def agents(session: Session, places: Places, *, now: datetime) -> tuple[AgentLine, ...]:
    """Return every agent that may still connect, with its cameras."""
    newest = select(TemplateLog.model_id, func.max(TemplateLog.gen)).group_by(TemplateLog.model_id)
    latest = {str(model_id): int(gen) for model_id, gen in session.execute(newest)}
    cameras: dict[str, list[Camera]] = {}
    for camera in session.scalars(select(Camera).order_by(Camera.name)):
        cameras.setdefault(camera.agent_id, []).append(camera)
    rows = session.scalars(select(Agent).where(Agent.revoked_at.is_(None)).order_by(Agent.name))
    return tuple(
        _agent(each, cameras.get(each.agent_id, []), places, latest.get(each.model_id, 0), now)
        for each in rows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentState:
    """An agent in one line, for the operator's terminal."""

    agent_id: str
    site_id: str
    name: str
    state: str  # online, joined, revoked, or domain.coverage.Fault
    heartbeat_at: datetime | None


def every_agent(session: Session, *, now: datetime) -> tuple[AgentState, ...]:
    """Return every agent there ever was, the revoked ones too."""
    return tuple(
        AgentState(
            agent_id=row.agent_id,
            site_id=row.site_id,
            name=row.name,
            state="revoked" if row.revoked_at else _state(row, now),
            heartbeat_at=row.heartbeat_at,
        )
        for row in session.scalars(select(Agent).order_by(Agent.site_id, Agent.agent_id))
    )


def _state(row: Agent, now: datetime) -> str:
    if row.heartbeat_at is None:
        return JOINED
    fault = fault_of(_facts(row), now)
    return fault.value if fault else "online"


def _agent(row: Agent, cameras: list[Camera], places: Places, latest: int, now: datetime) -> AgentLine:
    fault = fault_of(_facts(row), now)
    health = row.health or {}
    return AgentLine(
        agent_id=row.agent_id,
        name=row.name,
        site=places.sites[row.site_id].name if row.site_id in places.sites else "",
        state=_state(row, now),
        heartbeat=places.local(row.heartbeat_at, row.site_id),
        joined=places.local(row.joined_at, row.site_id),
        engine=row.engine,
        model_id=row.model_id,
        version=row.version,
        spool_depth=row.spool_depth,
        spool_oldest=places.local(row.spool_oldest_at, row.site_id),
        skew_s=None if row.skew_ms is None else row.skew_ms / 1000,
        is_corrected=row.clock_off_ms != 0,
        road=row.road,
        is_cloned=is_cloned(row.cloned_at, now),
        gallery_gen=row.gallery_gen,
        gallery_latest=latest,
        leased_out=bool(health.get("leased_out")),
        temperature_c=health.get("temperature_c"),
        disk_free_mb=health.get("disk_free_mb"),
        cpu_percent=health.get("cpu_percent"),
        cameras=tuple(_camera(each, places, is_heard=fault is None) for each in cameras),
    )


def camera_lines(session: Session, agent: Agent, places: Places, *, now: datetime) -> dict[str, CameraLine]:
    """Return how each camera of one agent is, by camera."""
    is_heard = fault_of(_facts(agent), now) is None
    rows = session.scalars(select(Camera).where(Camera.agent_id == agent.agent_id))
    return {each.camera_id: _camera(each, places, is_heard=is_heard) for each in rows}


def _facts(row: Agent) -> AgentFacts:
    return AgentFacts(
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


def _camera(row: Camera, places: Places, *, is_heard: bool) -> CameraLine:
    zone = places.zones.get(row.zone_id or "")
    return CameraLine(
        camera_id=row.camera_id,
        name=row.name or row.camera_id,
        zone=zone.name if zone else "",
        state=row.state if is_heard or row.state == "disabled" else "unheard",
        reason=row.reason if is_heard else "",
        detail=row.detail if is_heard else "",
        since=places.local(row.state_at, row.site_id),
        fps=row.fps if is_heard else 0.0,
        last_frame=places.local(row.last_frame_at, row.site_id),
    )


def troubles(lines: tuple[AgentLine, ...]) -> tuple[Trouble, ...]:
    """Return what makes the board blind now. An agent that is down speaks for all its cameras."""
    found: list[Trouble] = []
    for agent in lines:
        if agent.state == JOINED:
            continue  # nobody counts on it yet
        if not agent.is_well:
            names = ", ".join(each.name for each in agent.cameras)
            found.append(
                Trouble(
                    kind="agent",
                    name=agent.name,
                    where=names,
                    state=agent.state,
                    reason="",
                    since=agent.heartbeat,
                )
            )
            continue
        found += [
            Trouble(
                kind="camera",
                name=each.name,
                where=each.zone,
                state=each.state,
                reason=each.reason,
                since=each.since,
            )
            for each in agent.cameras
            if each.state in ("offline", "degraded")
        ]
    return tuple(found)


def bad_query(words: str) -> Select[Any]:
    """Return the question for a page of unreadable messages, newest first, for db.paginate."""
    query = select(BadMessage).order_by(BadMessage.id.desc())
    if not words:
        return query
    return query.where(
        BadMessage.topic.icontains(words, autoescape=True)
        | BadMessage.reason.icontains(words, autoescape=True)
        | BadMessage.agent_id.icontains(words, autoescape=True)
    )


def bad_line(row: BadMessage, places: Places) -> BadLine:
    return BadLine(
        received=places.local(row.received_at),
        topic=row.topic,
        reason=row.reason,
        payload=row.payload.decode("utf-8", "backslashreplace"),
        size=len(row.payload),
    )


def count_bad_messages(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(BadMessage)) or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeLine:
    """A join code that could still be used; the code itself is kept nowhere."""

    code_id: int
    agent_name: str
    by: str
    made: datetime | None  # local


def open_join_codes(session: Session, places: Places, *, now: datetime) -> tuple[CodeLine, ...]:
    """Return the join codes that could still be used, the newest first."""
    query = select(JoinCode).where(JoinCode.used_at.is_(None), JoinCode.expires_at > now)
    return tuple(
        CodeLine(
            code_id=row.id,
            agent_name=row.agent_name,
            by=row.created_by,
            made=places.local(row.created_at, row.site_id),
        )
        for row in session.scalars(query.order_by(JoinCode.id.desc()))
    )
