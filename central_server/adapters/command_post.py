"""What the server has to say to its agents: looked up in the database each second, and published."""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from central_server.adapters.broker_accounts import BrokerAccounts
from central_server.config import ServerConfig
from central_server.db.models import Agent, AgentCommand
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.command_agents import COMMAND_LIFE, as_message
from central_server.services.publish_gallery import current_manifest, gallery_stamps, sweep_photos
from common import wire
from common.topics import AgentTopics

log = logging.getLogger("hadir.subscriber")


class Publish(Protocol):
    def __call__(
        self, topic: str, payload: bytes, *, retain: bool = False, expires_s: int | None = None
    ) -> None: ...


class CommandPost:
    """Remembers, for one connection, what each agent was told last."""

    def __init__(self, config: ServerConfig, engine: Engine, publish: Publish) -> None:
        self.config, self.engine, self.publish = config, engine, publish
        self._told: dict[str, tuple[object, ...]] = {}
        self._revoked: set[str] = set()
        self._swept: object = None

    def send_what_is_due(self, now: datetime) -> None:
        """Publish new commands, and manifests of galleries that changed since the last look."""
        with Session(self.engine) as session:
            agents = session.scalars(select(Agent)).all()
            stamps = gallery_stamps(session)
            waiting = (AgentCommand.published_at.is_(None), AgentCommand.finished_at.is_(None))
            commands = session.scalars(select(AgentCommand.command_id).where(*waiting)).all()
        changed: dict[str, tuple[object, ...]] = {}
        for agent in agents:
            stamp = (stamps.get((agent.site_id, agent.model_id)), agent.model_id, agent.manifest_key)
            if agent.revoked_at is None and self._told.get(agent.agent_id) != stamp:
                changed[agent.agent_id] = stamp
        if changed:
            self._publish_manifests(changed, now)
        if commands:
            self._publish_commands(commands, now)
        self._shut_out(agent.agent_id for agent in agents if agent.revoked_at is not None)
        if self._swept != stamps:
            with UnitOfWork(self.engine) as work:
                sweep_photos(work, self.config.home)
            self._swept = stamps

    def _publish_manifests(self, changed: dict[str, tuple[object, ...]], now: datetime) -> None:
        with UnitOfWork(self.engine) as work:
            for agent_id, stamp in changed.items():
                manifest = current_manifest(work, work.session.get_one(Agent, agent_id), now=now)
                self.publish(AgentTopics(agent_id).manifest, wire.encode(manifest), retain=True)  # type: ignore[arg-type]
                self._told[agent_id] = stamp

    def _publish_commands(self, command_ids: Iterable[str], now: datetime) -> None:
        with UnitOfWork(self.engine) as work:
            for command_id in command_ids:
                row = work.session.get_one(AgentCommand, command_id)
                topic = AgentTopics(row.agent_id).command(command_id)  # type: ignore[arg-type]
                expires_s = round(COMMAND_LIFE.total_seconds())
                self.publish(topic, wire.encode(as_message(row)), expires_s=expires_s)
                row.published_at = now

    def _shut_out(self, revoked: Iterable[str]) -> None:
        """Take a revoked agent's account, and the manifest that waits for it."""
        before, self._revoked = self._revoked, set(revoked)
        for agent_id in self._revoked - before:
            self._told.pop(agent_id, None)
            self.publish(AgentTopics(agent_id).manifest, b"", retain=True)  # type: ignore[arg-type]
            if self.config.broker.accounts_dir:
                BrokerAccounts(self.config.broker.accounts_dir).remove(agent_id)
            log.info("agent %s was revoked: its account is gone", agent_id)
