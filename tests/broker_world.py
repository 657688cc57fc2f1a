"""The production broker: real mosquitto with TLS and dynamic security, installed by our own scripts."""

import getpass
import os
import shutil
import signal
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from sqlalchemy import Engine

from central_server.adapters.dynamic_security import DynamicSecurity
from central_server.adapters.embedded_broker import find_mosquitto
from central_server.adapters.mqtt_subscriber import Subscriber
from central_server.config import ServerConfig, read_server_config
from tests.link_world import ROOT, wait_until

SCRIPTS = ROOT / "deploy" / "broker"
HAS_PLUGIN = any(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"))
needs_dynamic_security = pytest.mark.skipif(
    not (find_mosquitto() and HAS_PLUGIN and shutil.which("mosquitto_passwd") and shutil.which("openssl")),
    reason="mosquitto 2 with its dynamic-security plugin, or openssl, is not installed",
)


def run_script(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run one of deploy/broker's scripts; what it printed and its status are the caller's."""
    command = [SCRIPTS / name, *map(str, arguments)]
    environment = os.environ | {"PATH": f"{os.environ['PATH']}:/usr/sbin"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def install(below: Path, port: int, local_port: int, *more: str) -> subprocess.CompletedProcess[str]:
    """Install the broker below a folder, for the names localhost and 127.0.0.1."""
    ports = ("--port", str(port), "--local-port", str(local_port), "--run-as", getpass.getuser())
    return run_script("install.sh", "--below", below, "--host", "localhost", *ports, *more)


@dataclass
class ProductionBroker:
    """What install.sh made below `root`, and mosquitto started on it as systemd would."""

    root: Path
    port: int  # TLS, for agents
    local_port: int  # plain, for the server
    process: subprocess.Popen[bytes] | None = None
    clients: list["Client"] = field(default_factory=list)

    @property
    def conf(self) -> Path:
        return self.root / "etc/mosquitto/hadir.conf"

    @property
    def data(self) -> Path:
        return self.root / "var/lib/mosquitto/hadir"

    @property
    def ca_file(self) -> Path:
        return self.root / "etc/hadir-tls/ca.crt"

    def password(self, name: str) -> str:
        return (self.root / "etc/hadir" / name).read_text().strip()

    def settings(self) -> dict[str, str]:
        """The server's settings, as the installer prints them."""
        return {
            "HADIR_BROKER_PORT": str(self.local_port),
            "HADIR_BROKER_PASSWORD": self.password("broker-password"),
            "HADIR_BROKER_ADMIN_PASSWORD": self.password("broker-admin-password"),
            "HADIR_BROKER_PUBLIC_HOST": "localhost",
            "HADIR_BROKER_PUBLIC_PORT": str(self.port),
            "HADIR_BROKER_PUBLIC_CA_FILE": str(self.ca_file),
        }

    def config(self) -> ServerConfig:
        return read_server_config({"HADIR_HOME": str(self.root / "server"), **self.settings()})

    def subscriber(self, engine: Engine) -> Subscriber:
        return Subscriber(self.config(), engine, most_wait_s=1.0)

    @property
    def accounts(self) -> DynamicSecurity:
        return DynamicSecurity(self.config().broker)

    def start(self) -> None:
        """As the unit does it: the guard, mosquitto, and the guard again."""
        before = self.guard("before")
        assert before.returncode == 0, before.stderr
        with (self.root / "mosquitto.log").open("ab") as log:
            self.process = subprocess.Popen([find_mosquitto() or "", "-c", self.conf], stdout=log, stderr=log)
        wait_until(self.answers, about="the broker listens")
        assert self.guard("after").returncode == 0

    def guard(self, when: str) -> subprocess.CompletedProcess[str]:
        """Run the guard that was installed: the broker's user may not reach this folder's."""
        guard = self.root / "usr/local/lib/hadir-broker/guard.sh"
        return subprocess.run([guard, when, self.conf], capture_output=True, text=True, timeout=120)

    def answers(self) -> bool:
        assert self.process and self.process.poll() is None, self.log()
        try:
            socket.create_connection(("127.0.0.1", self.local_port), 1).close()
        except OSError:
            return False
        return True

    def log(self) -> str:
        return (self.root / "mosquitto.log").read_text(errors="replace")

    def kill(self) -> None:
        assert self.process
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(10)

    def client(self, username: str | None, password: str = "", **more: Any) -> "Client":
        """Return a client that connects to the agents' port over TLS."""
        context = ssl.create_default_context(cafile=str(self.ca_file))
        made = Client(self.port, username, password, context=context, **more)
        self.clients.append(made)
        return made


@contextmanager
def a_production_broker(root: Path, free_port: Callable[[], int], *more: str) -> Iterator[ProductionBroker]:
    broker = ProductionBroker(root, free_port(), free_port())
    installed = install(root, broker.port, broker.local_port, *more)
    assert installed.returncode == 0, installed.stderr
    broker.start()
    try:
        yield broker
    finally:
        for client in broker.clients:
            client.close()
        broker.stop()


class Client:
    """A plain MQTT client that says what became of each thing it tried."""

    def __init__(
        self, port: int, username: str | None, password: str, *, client_id: str | None = None,
        context: ssl.SSLContext | None = None, protocol: int = mqtt.MQTTv5, host: str = "localhost",
        will: tuple[str, bytes] | None = None,
    ) -> None:  # fmt: skip
        self.answer: Any = None
        self.ended_at: float | None = None
        self.ended_with: Any = None
        self.heard: list[tuple[str, bytes]] = []
        self._granted: list[Any] = []
        self._published: dict[int, Any] = {}
        self._at = (host, port)
        self._client = mqtt.Client(
            mqtt.CallbackAPIVersion.VERSION2,
            client_id=client_id or username or "nobody",
            protocol=protocol,
            reconnect_on_failure=False,
        )
        if username is not None:
            self._client.username_pw_set(username, password)
        if will is not None:
            self._client.will_set(*will, qos=1, retain=True)
        if context is not None:
            self._client.tls_set_context(context)
        self._client.on_connect = lambda _c, _u, _f, code, _p: setattr(self, "answer", code)
        self._client.on_disconnect = self._ended
        self._client.on_message = lambda _c, _u, each: self.heard.append((each.topic, each.payload))
        self._client.on_subscribe = lambda _c, _u, _m, codes, _p: self._granted.extend(codes)
        self._client.on_publish = lambda _c, _u, mid, code, _p: self._published.update({mid: code})

    def _ended(self, _c: Any, _u: Any, _f: Any, code: Any, _p: Any) -> None:
        self.ended_at, self.ended_with = time.time(), code

    def connects(self) -> bool:
        """Try to get in; tell whether the broker let us."""
        self._client.connect(*self._at)
        self.listen(until=lambda: self.answer is not None)
        return self.answer is not None and not self.answer.is_failure

    def subscribes(self, pattern: str) -> bool:
        self._granted.clear()
        self._client.subscribe(pattern, 1)
        self.listen(until=lambda: self._granted)
        return bool(self._granted) and not self._granted[0].is_failure

    def publishes(self, topic: str, payload: bytes = b"{}", *, retain: bool = False) -> bool:
        """Tell whether the broker took it; only MQTT 5 says."""
        mid = self._client.publish(topic, payload, qos=1, retain=retain).mid
        self.listen(until=lambda: mid in self._published)
        return mid in self._published and not self._published[mid].is_failure

    def listen(self, within_s: float = 5.0, *, until: Callable[[], Any] = lambda: False) -> None:
        """Read from the socket until something is there, or for as long as that."""
        end = time.monotonic() + within_s
        while not until() and time.monotonic() < end:
            if self._client.loop(0.02) != mqtt.MQTT_ERR_SUCCESS:
                return

    def is_connected(self) -> bool:
        self.listen(0.1)
        return self._client.is_connected()

    def vanish(self) -> None:
        """Be gone without a word, as in a power cut."""
        if (sock := self._client.socket()) is not None:
            sock.close()

    def close(self) -> None:
        self._client.disconnect()
        self.vanish()


def elsewhere(config: ServerConfig, port: int) -> ServerConfig:
    """The same settings, with the broker at another port."""
    return replace(config, broker=replace(config.broker, port=port))
