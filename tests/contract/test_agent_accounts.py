"""What the server may rely on from a broker's accounts: one suite over every broker that there is."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as mqtt
import pytest

from central_server.adapters.broker_accounts import BrokerAccounts
from central_server.adapters.dynamic_security import DynamicSecurity
from central_server.ports import AccountsError, AgentAccounts
from tests.broker_world import Client, a_production_broker, elsewhere, needs_dynamic_security
from tests.link_world import BROKERS, a_broker, wait_until

KINDS = [*BROKERS, pytest.param("dynamic-security", marks=needs_dynamic_security)]
SHUT_OUT_WITHIN_S = 1.0
SETTLES_WITHIN_S = 3.0  # the embedded broker reads its files a few times a second


@dataclass
class World:
    kind: str
    accounts: AgentAccounts
    port: int
    broker: Any

    def client(self, username: str = "gate", password: str = "first") -> Client:
        protocol = mqtt.MQTTv311 if self.kind == "amqtt" else mqtt.MQTTv5
        return Client(self.port, username, password, protocol=protocol, host="127.0.0.1")

    def lets_in(self, username: str = "gate", password: str = "first") -> bool:
        client = self.client(username, password)
        try:
            return client.connects()
        finally:
            client.close()

    def connected(self, username: str = "gate", password: str = "first") -> Client:
        """Return a client that is in: the broker may need a moment to hear of a new account."""
        client = self.client(username, password)
        wait_until(lambda: self.lets_in(username, password), SETTLES_WITHIN_S, about=f"{username} is let in")
        assert client.connects()
        return client


@pytest.fixture(params=KINDS)
def world(request, tmp_path, free_port) -> Iterator[World]:
    if request.param == "dynamic-security":
        with a_production_broker(tmp_path / "root", free_port) as broker:
            yield World(request.param, broker.accounts, broker.local_port, broker)
        return
    with a_broker(request.param, tmp_path / "server", free_port()) as process:
        yield World(request.param, process.accounts, process.port, process)


def test_an_account_lets_its_agent_in_and_nobody_else(world):
    """After put() the password opens the door, at a running broker; another password, or name, does not."""
    assert not world.lets_in()
    world.accounts.put("gate", "first")
    world.connected().close()
    assert not world.lets_in("gate", "second")
    assert not world.lets_in("gate", "")
    assert not world.lets_in("other", "first")


def test_the_same_put_twice_changes_nothing(world):
    """A join that was repeated leaves one account, with which the agent gets in."""
    world.accounts.put("gate", "first")
    world.accounts.put("gate", "first")
    world.connected().close()
    assert [name for name in world.accounts.names() if name == "gate"] == ["gate"]


def test_another_password_puts_out_whoever_uses_the_old_one(world):
    """The open session ends within a second; only the new password opens the door again."""
    world.accounts.put("gate", "first")
    client = world.connected()
    began = time.time()
    world.accounts.put("gate", "second")
    client.listen(SHUT_OUT_WITHIN_S * 2, until=lambda: client.ended_at)
    assert client.ended_at and client.ended_at - began < SHUT_OUT_WITHIN_S
    assert not world.lets_in("gate", "first")
    world.connected("gate", "second").close()


def test_a_removed_account_is_out_within_a_second(world):
    """The open session ends, without a restart of the broker, and no new one begins."""
    world.accounts.put("gate", "first")
    world.accounts.put("neighbour", "theirs")
    client, neighbour = world.connected(), world.connected("neighbour", "theirs")
    began = time.time()
    world.accounts.remove("gate")
    client.listen(SHUT_OUT_WITHIN_S * 2, until=lambda: client.ended_at)
    assert client.ended_at and client.ended_at - began < SHUT_OUT_WITHIN_S
    assert not world.lets_in()
    assert "gate" not in world.accounts.names()
    assert neighbour.is_connected(), "nobody else is disturbed"
    neighbour.close()


def test_what_is_not_there_may_be_removed(world):
    """The worker may say it again and again."""
    before = world.accounts.names()
    world.accounts.remove("nobody")
    assert world.accounts.names() == before


def test_who_was_removed_can_be_let_in_again(world):
    """A box that joins again, or was restored, has its account back."""
    world.accounts.put("gate", "first")
    world.accounts.remove("gate")
    world.accounts.put("gate", "third")
    world.connected("gate", "third").close()
    assert "gate" in world.accounts.names()


def test_accounts_outlive_the_broker(world):
    """kill -9 and a new start: whoever had an account has it, whoever was removed has none."""
    world.accounts.put("gate", "first")
    world.accounts.put("thief", "theirs")
    world.connected().close()
    world.accounts.remove("thief")
    world.broker.kill()
    world.broker.start()
    world.connected().close()
    assert not world.lets_in("thief", "theirs")


def test_accounts_that_cannot_be_changed_are_told_in_words(world, tmp_path, free_port):
    """The caller hears AccountsError, with a sentence, and never the password."""
    if world.kind == "dynamic-security":
        accounts: AgentAccounts = DynamicSecurity(elsewhere(world.broker.config(), free_port()).broker)
    else:
        (tmp_path / "a file").touch()
        accounts = BrokerAccounts(tmp_path / "a file" / "folder")
    for change in (lambda: accounts.put("gate", "first-pw"), lambda: accounts.remove("gate"), accounts.names):
        with pytest.raises(AccountsError, match=r"is not reachable|cannot be changed") as problem:
            change()
        assert "first-pw" not in str(problem.value)
