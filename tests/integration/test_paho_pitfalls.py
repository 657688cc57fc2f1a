"""What loses events with paho-mqtt elsewhere does not here. Numbers are those of the list in decision 16."""

import ast
import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from central_server.adapters.embedded_broker import find_mosquitto
from common import topics, wire
from common.events import Ack, Envelope
from common.ids import AgentId
from edge_agent.adapters import mqtt_link
from edge_agent.adapters.identity_file import BrokerAccess, Identity
from edge_agent.adapters.mqtt_link import LinkPhase
from edge_agent.drain import WINDOW
from tests.link_world import (
    KEY,
    ROOT,
    Edge,
    a_broker,
    a_subscriber,
    event_ids,
    know_agent,
    running,
    wait_until,
)

needs_mosquitto = pytest.mark.skipif(find_mosquitto() is None, reason="the mosquitto binary is not installed")


class PlainBroker:
    """A mosquitto with settings of ours, that can be frozen."""

    def __init__(self, folder: Path, port: int, access: str = "") -> None:
        self.folder, self.port = folder, port
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"listener {port} 127.0.0.1", "allow_anonymous true", "persistence false", "user root"]
        if access:
            (folder / "acl").write_text(access)
            (folder / "acl").chmod(0o600)
            lines.append(f"acl_file {folder / 'acl'}")
        (folder / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        binary = str(find_mosquitto())
        self.process = subprocess.Popen(
            [binary, "-c", str(self.folder / "mosquitto.conf")], stdout=log, stderr=log
        )
        wait_until(self._answers, about="mosquitto listens")

    def _answers(self) -> bool:
        import socket

        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()


class Listener:
    """Stands in for the server: keeps every envelope, and acknowledges when it is told to."""

    def __init__(self, port: int) -> None:
        self.envelopes: list[Envelope] = []
        self.acknowledges = False
        self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="listener")
        self.client.on_message = lambda _c, _u, message: self._keep(message)
        self.client.connect("127.0.0.1", port)
        self.client.subscribe(topics.EVERYTHING_UP, 1)
        self.client.loop_start()

    def _keep(self, message: mqtt.MQTTMessage) -> None:
        if not message.topic.endswith("/ev"):
            return
        envelope = wire.decode(Envelope, message.payload)
        self.envelopes.append(envelope)
        if self.acknowledges:
            ack = Ack(envelope.epoch, envelope.events[-1].seq)
            self.client.publish("hadir/1/down/gate/ack", wire.encode(ack), 1)

    @property
    def numbers(self) -> list[int]:
        return [each.seq for envelope in self.envelopes for each in envelope.events]

    def stop(self) -> None:
        self.client.loop_stop()
        self.client.disconnect()


def an_identity(port: int) -> Identity:
    access = BrokerAccess(host="127.0.0.1", port=port, username="gate", password="secret of gate")
    return Identity(
        agent_id=AgentId("gate"), site_id="plant", site_name="Plant", server_url="http://127.0.0.1:9",
        token="t" * 32, manifest_key=KEY, broker=access,
    )  # fmt: skip


@pytest.fixture
def broker(tmp_path, free_port) -> Iterator[PlainBroker]:
    plain = PlainBroker(tmp_path / "broker", free_port())
    plain.start()
    yield plain
    plain.stop()


@needs_mosquitto
def test_2_what_happened_offline_goes_out_once(broker, tmp_path):
    """paho keeps what was published without a connection and sends it later: nothing is published then."""
    broker.stop()
    edge = Edge(an_identity(broker.port), tmp_path / "agent")
    with running(edge.link):
        edge.see(30)
        wait_until(lambda: edge.link.phase is LinkPhase.WAITING, about="it noticed")
        broker.start()
        listener = Listener(broker.port)
        wait_until(lambda: len(listener.numbers) >= 30, about="all arrived")
        edge.see(1)
        wait_until(lambda: 31 in listener.numbers, about="the next one")
        listener.stop()
    assert sorted(set(listener.numbers)) == list(range(1, 32))
    assert len(listener.numbers) <= 31 + 30, "at most once more, if the first went before anybody listened"


@needs_mosquitto
def test_3_and_9_no_more_than_the_window_is_on_its_way(broker, tmp_path):
    """paho sends its whole queue at a reconnect: it never holds more than the window, whatever happens."""
    listener = Listener(broker.port)
    edge = Edge(an_identity(broker.port), tmp_path / "agent")
    edge.see(3000)
    with running(edge.link):
        wait_until(lambda: len(listener.numbers) >= WINDOW, about="the window is full")
        sid_before = len(listener.numbers)
        edge.link.introduce_again()
        wait_until(lambda: edge.link.phase is LinkPhase.ONLINE)
    listener.stop()
    assert sid_before == WINDOW
    assert set(listener.numbers) == set(range(1, WINDOW + 1))


@needs_mosquitto
def test_5_a_refused_publish_is_no_delivery(tmp_path, free_port, caplog):
    """paho calls a refused message published: here its events stay, and the fault is named."""
    rules = "user gate\ntopic read hadir/1/down/gate/#\ntopic read hadir/1/srv/state\n"
    broker = PlainBroker(tmp_path / "broker", free_port(), rules)
    broker.start()
    edge = Edge(an_identity(broker.port), tmp_path / "agent")
    edge.see(3)
    with running(edge.link):
        wait_until(lambda: "the broker refuses what this agent publishes" in caplog.text, about="it says so")
    assert edge.outbox.state().depth == 3
    broker.stop()


def calls(folder: str) -> Iterator[ast.Call]:
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield from (each for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, ast.Call))


@pytest.mark.parametrize("folder", ["edge_agent", "central_server"])
def test_4_6_and_11_how_the_product_uses_paho(folder):
    """No thread of paho's, its second callback interface, and never QoS 2."""
    for call in calls(folder):
        name = ast.unparse(call.func)
        assert not name.endswith((".loop_start", ".loop_forever")), name
        if name == "mqtt.Client":
            assert ast.unparse(call.args[0]) == "mqtt.CallbackAPIVersion.VERSION2"
        qos = [ast.unparse(each.value) for each in call.keywords if each.arg == "qos"]
        assert "2" not in qos, ast.unparse(call)


@needs_mosquitto
def test_7_what_could_not_be_committed_comes_again(tmp_path, free_port, engine: Engine):
    """The broker is told of a message after the commit: when that fails, the message is not lost with it."""
    failures = iter([True, True])

    @event.listens_for(engine, "commit")
    def fail(_connection) -> None:
        if threading.current_thread().name == "subscriber" and next(failures, False):
            raise OperationalError("COMMIT", {}, Exception("the disk is full"))

    with a_broker("mosquitto", tmp_path / "server", free_port()) as broker:
        edge = Edge(know_agent(engine, broker), tmp_path / "agent")
        seen = edge.see(5)
        with running(a_subscriber(engine, broker), edge.link):
            wait_until(lambda: edge.outbox.state().depth == 0, 30, about="acknowledged after all")
    assert event_ids(engine) == [each.event_id for each in seen]
    assert next(failures, None) is None, "both failures have happened"


@needs_mosquitto
def test_8_a_frozen_broker_is_noticed(broker, tmp_path, monkeypatch):
    """A publish succeeds for as long as nobody notices: the keepalive does, and nothing is forgotten."""
    monkeypatch.setattr(mqtt_link, "KEEPALIVE_S", 2)
    listener = Listener(broker.port)
    listener.acknowledges = True
    edge = Edge(an_identity(broker.port), tmp_path / "agent")
    with running(edge.link):
        edge.see(1)
        wait_until(lambda: edge.outbox.state().depth == 0, about="all is well")
        os.kill(broker.process.pid, signal.SIGSTOP)
        edge.see(10)
        wait_until(lambda: edge.link.phase is not LinkPhase.ONLINE, 15, about="noticed")
        assert edge.outbox.state().depth == 10
        os.kill(broker.process.pid, signal.SIGCONT)
        wait_until(lambda: edge.outbox.state().depth == 0, 30, about="drained")
    listener.stop()


def test_12_a_broker_of_the_older_protocol_is_spoken_to_in_it(tmp_path, free_port, engine: Engine):
    """A client of MQTT 5 gets no answer at all there; the next attempt speaks 3.1.1."""
    with a_broker("amqtt", tmp_path / "server", free_port()) as broker:
        identity = know_agent(engine, broker)
        newer = replace(identity, broker=replace(identity.broker, protocol="5"))
        edge = Edge(newer, tmp_path / "agent")
        with running(edge.link):
            wait_until(lambda: edge.link.phase is LinkPhase.ONLINE, 30, about="online")
            assert edge.link._protocol == "311"
