"""What the dashboard wants an agent to look after: each change is a new generation, none is ever altered."""

import logging
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from central_server.db.models import Agent, AgentConfig, Camera, Zone
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import SealBroken, Sealing
from central_server.services import audit
from common.agent_settings import (
    AgentSettings,
    Problem,
    Unreadable,
    camera_from,
    from_json,
    problems_of,
    to_json,
    with_camera,
    without_camera,
)
from common.camera_settings import CameraConfig, MatchOverrides

log = logging.getLogger(__name__)

PURPOSE = "agent config"  # of the seal
KEEP = 100  # generations in the history; older ones hold passwords that nobody needs any longer


class ConfigRefused(Exception):
    """The configuration was not taken; says what is wrong with which key."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{each.key}: {each.words}" for each in problems))


@dataclass(frozen=True, slots=True)
class Served:
    """A generation as its agent gets it."""

    gen: int = 0
    content: bytes = b""

    @property
    def sha256(self) -> str:
        return sha256(self.content).hexdigest() if self.gen else ""


NO_CONFIG = Served()


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes what, on top of which generation."""

    base: int  # the generation that they saw; 0: none yet
    by: str  # the user's name
    now: datetime
    note: str = ""


def served(session: Session, agent: Agent, seal: Sealing) -> Served:
    """Return the newest generation; number 0 when there is none, or when the seal cannot be broken any more.

    (Then the agent keeps what it has, and the dashboard says so.)
    """
    row = _newest(session, agent)
    if row is None:
        return NO_CONFIG
    try:
        return Served(row.gen, seal.open(row.body))
    except SealBroken as error:
        log.error("the configuration of agent %s %s", agent.agent_id, error)
        return NO_CONFIG


def wanted_settings(session: Session, agent: Agent, seal: Sealing) -> AgentSettings | None:
    """Return the newest generation; None when the dashboard configures nothing. Raises SealBroken."""
    row = _newest(session, agent)
    return None if row is None else _opened(row, seal)


def is_rolled_back(agent: Agent) -> bool:
    """Tell whether the newest generation was tried, and taken back by the agent itself."""
    return (
        agent.config_origin == "rolled_back"
        and agent.config_tried == agent.config_gen != agent.config_applied
    )


def base_settings(session: Session, agent: Agent, seal: Sealing) -> AgentSettings | None:
    """Return what the next change builds on: what is wanted, or what the agent rolled back to.

    None when the dashboard configures nothing. After a roll-back to the box's own file that is what the box
    told of it, as long as it could tell all of it. Raises SealBroken.
    """
    wanted = wanted_settings(session, agent, seal)
    if not is_rolled_back(agent):
        return wanted
    old = generation(session, agent, agent.config_applied, seal) if agent.config_applied else None
    if old is not None and not old.is_local:
        return old
    is_own_file = agent.config_applied == 0 or old is not None
    told = (agent.health or {}).get("configuration", {})
    return (
        replace(reported_settings(agent), is_local=True) if is_own_file and not told.get("is_cut") else wanted
    )


def generation(session: Session, agent: Agent, gen: int, seal: Sealing) -> AgentSettings | None:
    """Return a generation of the history. Raises SealBroken."""
    row = session.scalar(
        select(AgentConfig).where(AgentConfig.agent_id == agent.agent_id, AgentConfig.gen == gen)
    )
    return None if row is None else _opened(row, seal)


def reported_settings(agent: Agent) -> AgentSettings:
    """Return what the agent said that it looks after; its addresses stay in the box (KEPT)."""
    told = (agent.health or {}).get("configuration") or {}
    cameras = told.get("cameras") if isinstance(told, Mapping) else None
    read = [camera_from(each, "cameras")[0] for each in cameras or () if isinstance(each, Mapping)]
    match = told.get("match") if isinstance(told, Mapping) else None
    numbers = {
        name: value
        for name in ("threshold", "margin")
        if isinstance(value := (match or {}).get(name), int | float)
    }
    return AgentSettings(cameras=tuple(read), match=MatchOverrides(**numbers))


def shown_addresses(agent: Agent) -> dict[str, str]:
    """Return where each camera is that the agent looks after, without any secret."""
    told = (agent.health or {}).get("configuration") or {}
    cameras = told.get("cameras") if isinstance(told, Mapping) else None
    return {
        str(each.get("camera_id")): str(each.get("shown", ""))
        for each in cameras or ()
        if isinstance(each, Mapping)
    }


def take_over(work: UnitOfWork, agent: Agent, seal: Sealing, change: Change) -> AgentConfig:
    """Configure from now on what the box looks after anyway; it keeps the addresses of its cameras.

    Raises ConfigRefused, also when the box has told its settings in part only: masks would be lost.
    """
    if (agent.health or {}).get("configuration", {}).get("is_cut"):
        raise ConfigRefused(Problem("cameras", "is_cut", "the box has more settings than it can tell"))
    return _store(work, agent, seal, reported_settings(agent), replace(change, note="take_over"))


def give_back(work: UnitOfWork, agent: Agent, seal: Sealing, change: Change) -> AgentConfig:
    """Let the box's own file decide again."""
    return _store(work, agent, seal, AgentSettings(is_local=True), replace(change, note="give_back"))


def put_camera(
    work: UnitOfWork, agent: Agent, seal: Sealing, camera: CameraConfig, change: Change, instead_of: str = ""
) -> AgentConfig:
    """Add a camera, or put it in the place of the one called instead_of. Raises ConfigRefused, SealBroken."""
    before = _before(work, agent, seal)
    if not instead_of and before.camera(camera.camera_id):
        raise ConfigRefused(Problem(f"cameras.{camera.camera_id}.camera_id", "twice", "two have this id"))
    is_there = instead_of and before.camera(instead_of)  # not when it came with what was rolled back
    note = f"{'change' if is_there else 'add'}:{camera.camera_id}"
    return _store(work, agent, seal, with_camera(before, camera, instead_of), replace(change, note=note))


def remove_camera(
    work: UnitOfWork, agent: Agent, seal: Sealing, camera_id: str, change: Change
) -> AgentConfig:
    after = without_camera(_before(work, agent, seal), camera_id)
    return _store(work, agent, seal, after, replace(change, note=f"remove:{camera_id}"))


def set_match(
    work: UnitOfWork, agent: Agent, seal: Sealing, match: MatchOverrides, change: Change
) -> AgentConfig:
    after = replace(_before(work, agent, seal), match=match)
    return _store(work, agent, seal, after, replace(change, note="match"))


def use_again(work: UnitOfWork, agent: Agent, seal: Sealing, gen: int, change: Change) -> AgentConfig:
    """Make an old generation the newest again, under a new number: an agent never goes back."""
    old = generation(work.session, agent, gen, seal)
    if old is None:
        raise ConfigRefused(Problem("gen", "unknown", "there is no such generation"))
    return _store(work, agent, seal, old, replace(change, note=f"again:{gen}"))


def taken_cameras(work: UnitOfWork, agent: Agent, camera_ids: Iterable[str]) -> dict[str, str]:
    """Return those of the ids that belong to another agent, and its name."""
    rows = work.session.execute(
        select(Camera.camera_id, Agent.name)
        .join(Agent, Agent.agent_id == Camera.agent_id)
        .where(
            Camera.camera_id.in_([*camera_ids]),
            Camera.agent_id != agent.agent_id,
            (Camera.site_id != agent.site_id) | ((Camera.state != "disabled") & Agent.revoked_at.is_(None)),
        )
    )
    return {row.camera_id: row.name for row in rows}


def _before(work: UnitOfWork, agent: Agent, seal: Sealing) -> AgentSettings:
    settings = base_settings(work.session, agent, seal)
    return replace(settings, is_local=False) if settings else AgentSettings()


def _store(
    work: UnitOfWork, agent: Agent, seal: Sealing, settings: AgentSettings, change: Change
) -> AgentConfig:  # fmt: skip
    """Store settings as a new generation, and write down who did it; never an address or a password.

    In a public zone nobody is identified, whatever was asked for.
    """
    if agent.config_gen != change.base:
        raise ConfigRefused(Problem("gen", "changed_meanwhile", "somebody else has changed it meanwhile"))
    taken = taken_cameras(work, agent, (each.camera_id for each in settings.cameras))
    problems = [
        *problems_of(settings),
        *(
            Problem(f"cameras.{name}.camera_id", "taken", f"it belongs to {who}")
            for name, who in taken.items()
        ),
    ]
    if problems:
        raise ConfigRefused(*problems)
    settings = replace(settings, cameras=_lawful(work.session, agent, settings.cameras))
    gen = _next_generation(work, agent)
    body = to_json(replace(settings, gen=gen, salt=secrets.token_hex(16)))
    row = AgentConfig(
        agent_id=agent.agent_id, gen=gen, body=seal.close(body), made_at=change.now, made_by=change.by,
        note=change.note[:200],
    )  # fmt: skip
    work.session.add(row)
    try:
        work.session.flush()
    except IntegrityError as error:
        problem = Problem("gen", "changed_meanwhile", "somebody else has changed it meanwhile")
        raise ConfigRefused(problem) from error
    agent.config_gen = gen
    _forget_old(work, agent, gen)
    audit.note(
        work, f"user:{change.by}", "config.change", agent.agent_id, now=change.now, gen=gen, what=row.note,
        cameras=[each.camera_id for each in settings.cameras],
    )  # fmt: skip
    return row


def _lawful(session: Session, agent: Agent, cameras: Iterable[CameraConfig]) -> tuple[CameraConfig, ...]:
    """Return the cameras, those in public zones of the agent's site without identification."""
    zones = session.scalars(select(Zone).where(Zone.site_id == agent.site_id, Zone.is_public)).all()
    public = {name for zone in zones for name in (zone.zone_id, zone.name)}
    known = dict(
        session.execute(
            select(Camera.camera_id, Camera.zone_id).where(Camera.agent_id == agent.agent_id)
        ).all()
    )
    return tuple(
        replace(each, identify=False) if (each.zone or known.get(each.camera_id)) in public else each
        for each in cameras
    )


def _next_generation(work: UnitOfWork, agent: Agent) -> int:
    """Return a number that the agent has never tried.

    (It can have tried a later one than we know of, when this database was restored from a backup.)
    """
    newest = work.session.scalar(
        select(func.max(AgentConfig.gen)).where(AgentConfig.agent_id == agent.agent_id)
    )
    return max(newest or 0, agent.config_gen, agent.config_tried, agent.config_applied) + 1


def _forget_old(work: UnitOfWork, agent: Agent, gen: int) -> None:
    old = work.session.scalars(
        select(AgentConfig)
        .where(AgentConfig.agent_id == agent.agent_id)
        .order_by(AgentConfig.gen.desc())
        .offset(KEEP)
    )
    for row in old:
        work.session.delete(row)


def _newest(session: Session, agent: Agent) -> AgentConfig | None:
    return session.scalar(
        select(AgentConfig)
        .where(AgentConfig.agent_id == agent.agent_id)
        .order_by(AgentConfig.gen.desc())
        .limit(1)
    )


def _opened(row: AgentConfig, seal: Sealing) -> AgentSettings:
    try:
        return from_json(seal.open(row.body)).settings
    except Unreadable as error:
        raise SealBroken(f"cannot be read: {error}") from error
