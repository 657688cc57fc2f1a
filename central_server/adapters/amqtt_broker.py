"""amqtt in this process, with mosquitto's password file and our access rules. For demos and tests only.

It has security holes (a client id can be taken over without its password), no MQTT 5, and forgets what it
queued when it ends; so it listens on loopback and is never offered for production.
"""

import asyncio
import contextlib
import logging
import threading
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from amqtt.broker import Action, Broker
from amqtt.plugins.base import BaseAuthPlugin, BaseTopicPlugin

from central_server.adapters.broker_accounts import BrokerAccounts, is_password, may
from central_server.config import BrokerConfig

log = logging.getLogger("hadir.broker")


class PasswordFile(BaseAuthPlugin):
    """Lets in who is in the password file; it is read at each connection, so that changes count at once."""

    @dataclass
    class Config:
        folder: str = ""

    async def authenticate(self, *, session: Any) -> bool | None:
        kept = BrokerAccounts(Path(self._get_config_option("folder"))).read()
        if is_password(session.password or "", kept.get(session.username or "", "")):
            return True
        log.warning("wrong name or password: %r is refused", session.username)
        return False


class AccessRules(BaseTopicPlugin):
    """An agent writes and reads only topics that carry its name."""

    @dataclass
    class Config:
        server: str = ""

    async def topic_filtering(
        self, *, session: Any = None, topic: str | None = None, action: Action | None = None
    ) -> bool | None:
        server = self._get_config_option("server")
        return may(session.username or "", server, topic or "", writes=action is Action.PUBLISH)


def serve(accounts: BrokerAccounts, broker: BrokerConfig, stop: threading.Event) -> int:
    """Run until stop is set; return the exit status."""
    module = __name__
    settings = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{broker.port}"}},
        "plugins": {
            f"{module}.PasswordFile": {"folder": str(accounts.folder)},
            f"{module}.AccessRules": {"server": broker.username},
        },
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        asyncio.run(_serve(settings, stop, broker.port, accounts))
    return 0


async def _end_sessions(server: Broker, kept: dict[str, str]) -> None:
    """Put out who would not be let in any more, as mosquitto does when it is told of a change."""
    for session, handler in list(server.sessions.values()):
        is_there = session.transitions.state == "connected"
        if is_there and not is_password(session.password or "", kept.get(session.username or "", "")):
            log.info("the account of %r has changed: its session ends", session.username)
            await handler.handle_connection_closed()


async def _serve(
    settings: dict[str, Any], stop: threading.Event, port: int, accounts: BrokerAccounts
) -> None:
    server = Broker(settings)
    await server.start()
    log.info("amqtt listens on 127.0.0.1:%d", port)
    known = accounts.read()
    try:
        while not stop.is_set():
            await asyncio.sleep(0.1)
            if (kept := accounts.read()) != known:
                known = kept
                await _end_sessions(server, kept)
    finally:
        with contextlib.suppress(Exception):  # it complains of clients that are still connected
            await server.shutdown()
