"""What the server has to say to its agents: looked up in the database each second, and published."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from central_server.adapters.sealing import Seal
from central_server.config import ServerConfig
from central_server.db.models import Agent, AgentCommand
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import AccountsError, AgentAccounts
from central_server.services.command_agents import COMMAND_LIFE, as_message
from central_server.services.configure_agent import PURPOSE, served
from central_server.services.gallery_bodies import sweep_bodies
from central_server.services.publish_gallery import current_manifest, gallery_stamps, sweep_photos
from central_server.services.take_still import sweep_stills
from common import wire
from common.topics import AgentTopics

log = logging.getLogger("hadir.subscriber")

ACCOUNTS_EVERY = timedelta(seconds=60)
ACCOUNTS_AGAIN = timedelta(seconds=10)  # after the broker could not be asked
SWEEP_EVERY_S = 600.0  # and when a gallery changes


class Publish(Protocol):
    def __call__(
        self, topic: str, payload: bytes, *, retain: bool = False, expires_s: int | None = None
    ) -> None: ...


class CommandPost:
    """Remembers, for one connection, what each agent was told last."""

    def __init__(
        self, config: ServerConfig, engine: Engine, publish: Publish, accounts: AgentAccounts | None
    ) -> None:
        self.config, self.engine, self.publish, self.accounts = config, engine, publish, accounts
        self._seal = Seal(config.secret_key, PURPOSE)
        self._told: dict[str, tuple[object, ...]] = {}
        self._revoked: frozenset[str] = frozenset()
        self._accounts_due: datetime | None = None  # None: at once
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
        self._shut_out(frozenset(agent.agent_id for agent in agents if agent.revoked_at is not None), now)
        sweeping = stamps, now.timestamp() // SWEEP_EVERY_S
        if self._swept != sweeping:
            with UnitOfWork(self.engine) as work:
                sweep_photos(work, self.config.home)
                sweep_bodies(work, self.config.home, now=now)
            self._swept = sweeping
        sweep_stills(self.config.home, now=now)

    def _publish_manifests(self, changed: dict[str, tuple[object, ...]], now: datetime) -> None:
        digests: dict[tuple[str, str], str] = {}
        with UnitOfWork(self.engine) as work:
            for agent_id, stamp in changed.items():
                agent = work.session.get_one(Agent, agent_id)
                config = served(work.session, agent, self._seal)
                manifest = current_manifest(work, agent, now=now, config=config, digests=digests)
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

    def _shut_out(self, revoked: frozenset[str], now: datetime) -> None:
        """Take back the manifests that wait for revoked agents, and see that they have no account."""
        for agent_id in revoked - self._revoked:
            self._told.pop(agent_id, None)
            self.publish(AgentTopics(agent_id).manifest, b"", retain=True)  # type: ignore[arg-type]
            self._accounts_due = None
        self._revoked = revoked
        if revoked and self.accounts and (self._accounts_due is None or now >= self._accounts_due):
            self._accounts_due = now + ACCOUNTS_EVERY
            try:
                _take_accounts(self.accounts, revoked)
            except AccountsError as error:
                self._accounts_due = now + ACCOUNTS_AGAIN
                log.warning("%s: revoked agents may still be let in there", error)


def _take_accounts(accounts: AgentAccounts, revoked: frozenset[str]) -> None:
    """Remove accounts of revoked agents. Whoever revoked them did so already; but the broker may have been
    away then, or have come back with the accounts of a backup."""
    for agent_id in sorted(accounts.names() & revoked):
        accounts.remove(agent_id)
        log.info("agent %s was revoked: its account is gone", agent_id)
