"""How an agent's configuration stands, and what came before it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, AgentConfig, Zone
from central_server.db.queries.places import Places
from central_server.domain.configuration import ConfigFacts, ConfigState, config_state

SHOWN_GENERATIONS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    gen: int
    made: datetime | None  # local
    by: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigLine:
    """The state of one agent's configuration, for a page."""

    agent_id: str
    name: str
    site_id: str
    state: ConfigState
    wanted: int
    applied: int
    tried: int
    errors: tuple[tuple[str, str], ...]  # key and words, of the generation that was tried
    taken: tuple[tuple[str, str], ...]  # cameras that belong to another agent, and its name

    def errors_of(self, camera_id: str) -> tuple[str, ...]:
        """Return what is wrong with a camera, in the agent's words."""
        mine = f"cameras.{camera_id}"
        return tuple(words for key, words in self.errors if key == mine or key.startswith(f"{mine}."))

    @property
    def other_errors(self) -> tuple[tuple[str, str], ...]:
        return tuple((key, words) for key, words in self.errors if not key.startswith("cameras."))


def config_line(session: Session, agent: Agent) -> ConfigLine:
    """Return how the configuration of an agent stands."""
    health = agent.health or {}
    told, taken = health.get("configuration") or {}, health.get("taken") or {}
    facts = ConfigFacts(
        wanted=agent.config_gen,
        applied=agent.config_applied,
        tried=agent.config_tried,
        origin=agent.config_origin,
        stage=str(told.get("stage", "")),
    )
    names = {}
    if taken:
        names = {row.agent_id: row.name for row in session.execute(select(Agent.agent_id, Agent.name))}
    return ConfigLine(
        agent_id=agent.agent_id,
        name=agent.name,
        site_id=agent.site_id,
        state=config_state(facts),
        wanted=agent.config_gen,
        applied=agent.config_applied,
        tried=agent.config_tried,
        errors=tuple((str(key), str(words)) for key, words in agent.config_errors or ()),
        taken=tuple((camera_id, names.get(owner, owner)) for camera_id, owner in sorted(taken.items())),
    )


def config_lines(session: Session) -> dict[str, ConfigLine]:
    """Return the configurations of all agents that may still connect, by agent."""
    rows = session.scalars(select(Agent).where(Agent.revoked_at.is_(None))).all()
    return {each.agent_id: config_line(session, each) for each in rows}


def generations(session: Session, agent: Agent, places: Places) -> tuple[Generation, ...]:
    """Return the newest generations, the newest first."""
    rows = session.scalars(
        select(AgentConfig)
        .where(AgentConfig.agent_id == agent.agent_id)
        .order_by(AgentConfig.gen.desc())
        .limit(SHOWN_GENERATIONS)
    )
    return tuple(
        Generation(
            gen=each.gen, made=places.local(each.made_at, agent.site_id), by=each.made_by, note=each.note
        )
        for each in rows
    )


def zone_names(session: Session, site_id: str) -> list[str]:
    return list(session.scalars(select(Zone.name).where(Zone.site_id == site_id).order_by(Zone.name)))
