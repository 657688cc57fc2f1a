"""An agent's credentials against the production broker: everything that they must not open is tried."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import paho.mqtt.client as mqtt
import pytest

from tests.broker_world import Client, ProductionBroker, a_production_broker, needs_dynamic_security
from tests.link_world import wait_until

pytestmark = needs_dynamic_security

FOREIGN_TOPICS = (
    "hadir/1/up/victim/ev",
    "hadir/1/up/victim/state",
    "hadir/1/up/victim",
    "hadir/1/up/thief2/ev",
    "hadir/1/down/victim/ack",
    "hadir/1/down/victim/manifest",
    "hadir/1/down/thief/ack",
    "hadir/1/srv/state",
    "hadir/2/up/thief/ev",
    "anything",
    "$CONTROL/dynamic-security/v1",
    "$SYS/broker/uptime",
)
FOREIGN_PATTERNS = (
    "#",
    "+/#",
    "hadir/#",
    "hadir/1/#",
    "hadir/1/+/victim/#",
    "hadir/1/down/#",
    "hadir/1/down/+/#",
    "hadir/1/down/+/ack",
    "hadir/1/+/thief/#",
    "hadir/1/down/victim/#",
    "hadir/1/down/victim/manifest",
    "hadir/1/down/thief2/#",
    "hadir/1/up/victim/#",
    "hadir/1/up/thief/#",
    "hadir/1/srv/#",
    "$SYS/#",
    "$SYS/broker/clients/total",
    "$CONTROL/#",
    "$CONTROL/dynamic-security/v1/response",
    "$share/group/hadir/1/up/#",
    "$share/group/hadir/1/down/victim/#",
    "$share/group/#",
)


@dataclass
class World:
    broker: ProductionBroker

    def server(self) -> Client:
        client = self.broker.client("hadir-server", self.broker.password("broker-password"))
        assert client.connects()
        return client

    def thief(self, **more: object) -> Client:
        client = self.broker.client("thief", "of the thief", **more)
        assert client.connects()
        return client


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> Iterator[World]:
    def free_port() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    with a_production_broker(tmp_path_factory.mktemp("broker"), free_port) as broker:
        for name in ("victim", "thief"):
            broker.accounts.put(name, f"of the {name}")
        yield World(broker)


@pytest.mark.parametrize("topic", FOREIGN_TOPICS)
def test_an_agent_writes_nowhere_but_below_its_own_name(world, topic):
    """The broker says no, nobody hears of it, nothing stays as a retained message, and the thief stays in."""
    server, thief = world.server(), world.thief()
    assert server.subscribes("hadir/1/#")
    assert not thief.publishes(topic, b"forged", retain=True)
    assert thief.publishes("hadir/1/up/thief/hb", b"mine"), "a refusal does not end the connection"
    server.listen(until=lambda: ("hadir/1/up/thief/hb", b"mine") in server.heard)
    assert [each for each in server.heard if each[1] == b"forged"] == []


@pytest.mark.parametrize("pattern", FOREIGN_PATTERNS)
@pytest.mark.parametrize("protocol", [mqtt.MQTTv5, mqtt.MQTTv311], ids=["5", "311"])
def test_an_agent_reads_nothing_but_what_is_meant_for_it(world, pattern, protocol):
    """No pattern brings another's messages: neither retained ones, nor those of the moment."""
    server = world.server()
    server.publishes("hadir/1/down/victim/manifest", b"secret", retain=True)
    server.publishes("hadir/1/up/victim/birth", b"secret", retain=True)
    thief = world.thief(protocol=protocol)
    assert not thief.subscribes(pattern)
    assert thief.subscribes("hadir/1/down/thief/#")
    server.publishes("hadir/1/down/victim/ack", b"secret")
    server.publishes("hadir/1/down/thief/ack", b"for the thief")
    thief.listen(until=lambda: thief.heard)
    assert set(thief.heard) == {("hadir/1/down/thief/ack", b"for the thief")}


def test_a_will_says_nothing_in_anothers_name(world):
    """What an agent leaves behind to be published at its death is judged like what it publishes alive."""
    server = world.server()
    server.subscribes("hadir/1/up/#")
    for topic, words in (("hadir/1/up/victim/state", b"forged"), ("hadir/1/up/thief/state", b"my own")):
        thief = world.broker.client("thief", "of the thief", will=(topic, words))
        if thief.connects():
            thief.vanish()
    server.listen(until=lambda: ("hadir/1/up/thief/state", b"my own") in server.heard)
    assert ("hadir/1/up/thief/state", b"my own") in server.heard
    assert [each for each in server.heard if each[1] == b"forged"] == []


@pytest.mark.parametrize("client_id", ["victim", "hadir-server", "thief2", "Thief", "", "hadir-admin"])
def test_a_client_id_that_is_not_its_own_keeps_an_agent_out(world, client_id):
    """Nobody's session can be taken over, and nobody is thrown out by the attempt."""
    server = world.server()
    victim = world.broker.client("victim", "of the victim")
    assert victim.connects()
    intruder = world.broker.client("thief", "of the thief", client_id=client_id or " ")
    assert not intruder.connects()
    assert victim.is_connected()
    assert server.is_connected()


@pytest.mark.parametrize(
    ("username", "password"),
    [
        (None, ""),
        ("", ""),
        ("thief", ""),
        ("thief", "wrong"),
        ("thief", "of the victim"),
        ("hadir-server", "of the thief"),
        ("hadir-admin", "hadir-admin"),
        ("admin", "admin"),
        ("nobody", "of the thief"),
    ],
)
def test_without_the_right_password_nobody_gets_in(world, username, password):
    """Anonymous, wrong and borrowed credentials are refused on both ports."""
    assert not world.broker.client(username, password, client_id="thief").connects()
    local = Client(world.broker.local_port, username, password, client_id="thief", host="127.0.0.1")
    assert not local.connects()
    local.close()


def test_the_agents_port_speaks_tls_only(world):
    """Without TLS nobody is heard there, and a certificate of another CA is noticed by the client."""
    plain = Client(world.broker.port, "thief", "of the thief")
    assert not plain.connects()
    strict = Client(world.broker.port, "thief", "of the thief", context=ssl.create_default_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        strict.connects()


def test_the_server_makes_no_accounts_and_the_administrator_hears_nothing(world):
    """Two accounts with two tasks: whoever gets hold of one of them has not got the other."""
    server = world.server()
    assert not server.publishes("$CONTROL/dynamic-security/v1", b'{"commands":[{"command":"listClients"}]}')
    assert not server.subscribes("$CONTROL/#")
    administrator = world.broker.client("hadir-admin", world.broker.password("broker-admin-password"))
    assert administrator.connects()
    assert not administrator.subscribes("hadir/1/#")
    assert not administrator.subscribes("#")
    assert not administrator.publishes("hadir/1/down/victim/manifest", b"{}", retain=True)


def test_an_envelope_that_is_too_large_ends_the_connection_and_nothing_else(world):
    """Nobody can fill the broker with one message; the others do not notice."""
    server, thief = world.server(), world.thief()
    thief.publishes("hadir/1/up/thief/ev", b"x" * 300_000)
    wait_until(lambda: not thief.is_connected(), about="the broker hangs up")
    assert server.is_connected()
