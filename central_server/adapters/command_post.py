"""What the server has to say to its agents: looked up in the database each second, and published."""

import logging
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from central_server.adapters.broker_accounts import BrokerAccounts
from central_server.adapters.sealing import Seal
from central_server.config import ServerConfig
from central_server.db.models import Agent, AgentCommand
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.configure_agent import PURPOSE, served
from central_server.services.publish_gallery import current_manifest, gallery_stamps, sweep_photos
from central_server.services.take_still import sweep_stills
from common import wire
from common.events import Command
from common.topics import AgentTopics

log = logging.getLogger("hadir.subscriber")

COMMAND_LIFE_S = 300  # an agent that was away asks by itself when it is back


class Publish(Protocol):
    def __call__(
        self, topic: str, payload: bytes, *, retain: bool = False, expires_s: int | None = None
    ) -> None: ...


class CommandPost:
    """Remembers, for one connection, what each agent was told last."""

    def __init__(self, config: ServerConfig, engine: Engine, publish: Publish) -> None:
        self.config, self.engine, self.publish = config, engine, publish
        self._seal = Seal(config.secret_key, PURPOSE)
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
            gallery = stamps.get((agent.site_id, agent.model_id))
            stamp = (gallery, agent.model_id, agent.manifest_key, agent.config_gen)
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
        sweep_stills(self.config.home, now=now)

    def _publish_manifests(self, changed: dict[str, tuple[object, ...]], now: datetime) -> None:
        with UnitOfWork(self.engine) as work:
            for agent_id, stamp in changed.items():
                agent = work.session.get_one(Agent, agent_id)
                config = served(work.session, agent, self._seal)
                manifest = current_manifest(work, agent, now=now, config=config)
                self.publish(AgentTopics(agent_id).manifest, wire.encode(manifest), retain=True)  # type: ignore[arg-type]
                self._told[agent_id] = stamp

    def _publish_commands(self, command_ids: Iterable[str], now: datetime) -> None:
        with UnitOfWork(self.engine) as work:
            for command_id in command_ids:
                row = work.session.get_one(AgentCommand, command_id)
                command = Command(
                    command_id=command_id,
                    kind=row.kind,
                    ts=round(row.created_at.timestamp() * 1000),
                    args=row.args,
                )
                topic = AgentTopics(row.agent_id).command(command_id)  # type: ignore[arg-type]
                self.publish(topic, wire.encode(command), expires_s=COMMAND_LIFE_S)
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
