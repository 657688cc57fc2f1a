"""A broker as a process, a server end, and an agent's end, over real sockets on loopback."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from sqlalchemy import Engine, func, select

from central_server.adapters.broker_accounts import BrokerAccounts
from central_server.adapters.embedded_broker import find_mosquitto
from central_server.adapters.mqtt_subscriber import Subscriber
from central_server.config import ServerConfig, read_server_config
from central_server.db.models import Agent, Event, Site
from central_server.db.unit_of_work import UnitOfWork
from common.events import Birth, EventKind, Heartbeat, RecognitionEvent
from common.ids import AgentId, CameraId
from edge_agent.adapters.identity_file import BrokerAccess, Identity
from edge_agent.adapters.mqtt_link import MQTTLink
from edge_agent.adapters.outbox import Outbox
from edge_agent.hearing import AgentVoice

KEY = "5a" * 32
ROOT = Path(__file__).parents[1]
_SERVE = """
import logging, sys, threading
from pathlib import Path
from central_server.adapters import embedded_broker
from central_server.config import read_server_config
kind, home, port = sys.argv[1:]
logging.basicConfig(level=logging.INFO)
config = read_server_config({"HADIR_HOME": home, "HADIR_BROKER_PORT": port,
                             "HADIR_BROKER_ACCOUNTS_DIR": home + "/broker"})
binary = embedded_broker.find_mosquitto() if kind == "mosquitto" else None
try:
    sys.exit(embedded_broker.serve(config.broker, threading.Event(), binary=binary))
except embedded_broker.BrokerError as error:
    sys.exit(str(error))
"""

BROKERS = [
    pytest.param(
        "mosquitto",
        marks=pytest.mark.skipif(find_mosquitto() is None, reason="the mosquitto binary is not installed"),
    ),
    "amqtt",
]


def wait_until(true: Callable[[], Any], within_s: float = 15.0, *, about: str = "") -> Any:
    """Return the first truthy answer; fail when there is none in time."""
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if answer := true():
            return answer
        time.sleep(0.02)
    raise AssertionError(f"not within {within_s:g} s: {about or true}")


@dataclass
class BrokerProcess:
    """The embedded broker in a process of its own, as `hadir server broker` runs it."""

    kind: str
    home: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def accounts(self) -> BrokerAccounts:
        return BrokerAccounts(self.home / "broker")

    def start(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        log = (self.home / "broker.log").open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVE, self.kind, str(self.home), str(self.port)],
            cwd=ROOT, stdout=log, stderr=log,
        )  # fmt: skip
        wait_until(self.answers, 15, about="the broker listens")

    def answers(self) -> bool:
        import socket

        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def log(self) -> str:
        return (self.home / "broker.log").read_text(errors="replace")

    def mosquitto_pid(self) -> int:
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return int(children[0])

    def kill(self) -> None:
        """kill -9 the broker itself."""
        assert self.process
        if self.kind == "mosquitto":
            os.kill(self.mosquitto_pid(), signal.SIGKILL)
        else:
            self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(10)


@contextmanager
def a_broker(kind: str, home: Path, port: int) -> Iterator[BrokerProcess]:
    broker = BrokerProcess(kind, home, port)
    broker.start()
    try:
        yield broker
    finally:
        broker.stop()


def server_config(broker: BrokerProcess) -> ServerConfig:
    return read_server_config(
        {
            "HADIR_HOME": str(broker.home),
            "HADIR_BROKER_PORT": str(broker.port),
            "HADIR_BROKER_ACCOUNTS_DIR": str(broker.home / "broker"),
        }
    )


def know_agent(engine: Engine, broker: BrokerProcess, agent_id: str = "gate") -> Identity:
    """Make the site and the agent in the database, and its account at the broker."""
    with UnitOfWork(engine) as work:
        if work.session.get(Site, "plant") is None:
            work.session.add(Site(site_id="plant", name="Plant One", timezone="Asia/Jakarta"))
            work.session.flush()
        work.session.add(
            Agent(
                agent_id=agent_id,
                site_id="plant",
                name=agent_id,
                token_hash=agent_id,
                manifest_key=KEY,
                joined_at=datetime.now(UTC),
            )
        )
    broker.accounts.put(agent_id, f"password of {agent_id}")
    return identity_of(broker, agent_id)


def identity_of(broker: BrokerProcess, agent_id: str = "gate", password: str | None = None) -> Identity:
    return Identity(
        agent_id=AgentId(agent_id), site_id="plant", site_name="Plant One", server_url="http://127.0.0.1:9",
        token="t" * 32, manifest_key=KEY,
        broker=BrokerAccess(
            host="127.0.0.1", port=broker.port, username=agent_id,
            password=password or f"password of {agent_id}",
            protocol="311" if broker.kind == "amqtt" else "5",
        ),
    )  # fmt: skip


@dataclass
class Edge:
    """An outbox and a link, without cameras."""

    identity: Identity
    home: Path
    commands: list[Any] = field(default_factory=list)
    manifests: list[Any] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.outbox = Outbox(self.home / "spool.db", self.identity.agent_id)
        voice = AgentVoice(
            birth=self._birth,
            heartbeat=lambda sid: Heartbeat(sid=sid, ts=now_ms(), reported_to=now_ms(), interval_s=0.5),
            cameras=list,
            on_manifest=self.manifests.append,
            on_command=self.commands.append,
        )
        self.link = MQTTLink(
            self.identity, self.outbox, voice, heartbeat_s=0.5, most_wait_s=1.0, **self.options
        )

    def _birth(self, sid: str) -> Birth:
        return Birth(
            sid=sid, ts=now_ms(), version="test", model_id="m", engine="none", epoch=self.outbox.epoch
        )

    def see(self, count: int = 1, **fields: Any) -> list[RecognitionEvent]:
        return self.outbox.append([a_draft(**fields) for _ in range(count)], now=now_ms())


def a_draft(**fields: Any) -> RecognitionEvent:
    ts = now_ms()
    values = {"camera_id": CameraId("cam-1"), "track_id": "b-1", "kind": EventKind.UNKNOWN}
    return RecognitionEvent(event_id="", seq=0, ts=ts, last_seen=ts, **values | fields)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextmanager
def running(*parts: Any) -> Iterator[None]:
    """Start parts that have start() and stop(), and stop them again in reverse order."""
    for part in parts:
        part.start()
    try:
        yield
    finally:
        for part in reversed(parts):
            part.stop()


def a_subscriber(engine: Engine, broker: BrokerProcess) -> Subscriber:
    return Subscriber(server_config(broker), engine, most_wait_s=1.0)


def event_ids(engine: Engine) -> list[str]:
    with engine.connect() as connection:
        return list(connection.execute(select(Event.event_id).order_by(Event.id)).scalars())


def event_count(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(Event)).scalar_one()


def a_plain_client(broker: BrokerProcess, username: str, password: str) -> mqtt.Client:
    """A client that is none of ours, with an agent's or any other account."""
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id=f"plain-{username}", protocol=mqtt.MQTTv311
    )
    client.username_pw_set(username, password)
    return client
