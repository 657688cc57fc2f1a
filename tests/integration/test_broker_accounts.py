"""Accounts at the production broker over an agent's life: joined, forgotten, renewed, rotated, revoked."""

import argparse
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from central_server import agent_commands
from central_server.adapters.agent_accounts import agent_accounts
from central_server.adapters.dynamic_security import DynamicSecurity
from central_server.commands import CommandError
from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import AccountsError
from central_server.services.renew_account import AccountRefused, renew_account
from edge_agent.account_renewal import AccountRenewal
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.identity_file import Identity, load_identity
from edge_agent.adapters.mqtt_link import LinkPhase
from edge_agent.join import JoinError
from tests.agent_world import AgentWorld, an_agent_world
from tests.broker_world import (
    ProductionBroker,
    a_production_broker,
    elsewhere,
    install,
    needs_dynamic_security,
)
from tests.link_world import Edge, event_count, running, wait_until
from tests.web_world import post

pytestmark = needs_dynamic_security
SHUT_OUT_WITHIN_S = 1.0


@dataclass
class World(AgentWorld):
    broker: ProductionBroker

    def row(self) -> models.Agent:
        return self.web.rows(models.Agent)[0]


@pytest.fixture
def broker(tmp_path, free_port) -> Iterator[ProductionBroker]:
    with a_production_broker(tmp_path / "root", free_port) as found:
        yield found


@pytest.fixture
def world(engine, broker, tmp_path) -> Iterator[World]:
    with an_agent_world(engine, tmp_path / "server", **broker.settings()) as found:
        yield World(found.web, found.url, broker)


class Box(Edge):
    """A joined machine that renews its account as `hadir agent run` does."""

    def __init__(self, identity: Identity, home: Path) -> None:
        super().__init__(identity, home)
        api = CentralAPI(identity.server_url, identity.token)
        self.renewal = AccountRenewal(api, identity, home / "identity.json")
        self.link.renew_account = self.renewal.renew

    def is_online(self) -> bool:
        return self.link.phase is LinkPhase.ONLINE


@contextmanager
def a_running_box(world: World, home: Path) -> Iterator[Box]:
    box = Box(world.join(home), home)
    with running(box.link):
        wait_until(box.is_online, about="the agent is online")
        yield box
    box.outbox.close()


def test_a_machine_that_joined_is_online_over_tls(world, broker, engine, tmp_path):
    """The answer to the join is all it takes: the broker's name, port and CA, and an account that works."""
    with running(broker.subscriber(engine)), a_running_box(world, tmp_path / "edge") as box:
        assert box.identity.broker.ca_pem == broker.ca_file.read_text()
        assert (box.identity.broker.host, box.identity.broker.port) == ("localhost", broker.port)
        box.see(3)
        wait_until(lambda: event_count(engine) == 3, about="its events are stored")


def test_a_code_is_not_spent_while_the_broker_takes_no_accounts(world, broker, tmp_path):
    """The join says what is wrong and works with the same code when the broker is back."""
    broker.stop()
    code = world.code()
    with pytest.raises(JoinError, match="takes no new accounts"):
        world.join(tmp_path / "edge", code)
    assert not world.web.rows(models.Agent)
    broker.start()
    assert world.join(tmp_path / "edge", code).agent_id == "gate-box"


def test_a_broker_that_forgot_everybody_is_no_reason_to_visit_the_boxes(world, broker, engine, tmp_path):
    """Reinstalled with new passwords and a new CA: the agent renews its account, keeps it, and goes on."""
    with a_running_box(world, tmp_path / "edge") as box:
        before = load_identity(tmp_path / "edge" / "identity.json")
        broker.stop()
        for kept in ("var/lib/mosquitto", "etc/hadir-tls", "etc/hadir"):
            shutil.rmtree(broker.root / kept)
        assert install(broker.root, broker.port, broker.local_port).returncode == 0
        reconfigure(world)
        broker.start()
        wait_until(lambda: box.is_online() and "gate-box" in broker.accounts.names(), 30, about="back")
        with running(broker.subscriber(engine)):
            box.see(2)
            wait_until(lambda: event_count(engine) == 2, about="its events are stored")
    path = tmp_path / "edge" / "identity.json"
    after = load_identity(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert after.broker.password != before.broker.password
    assert after.broker.ca_pem == broker.ca_file.read_text() != before.broker.ca_pem
    assert (after.token, after.agent_id) == (before.token, before.agent_id)


def reconfigure(world: World) -> None:
    """Give the running web process the new passwords, as its restart would."""
    accounts = agent_accounts(world.broker.config().broker)
    extensions = world.web.app.extensions
    extensions["hadir"] = replace(extensions["hadir"], accounts=accounts)


def test_a_rotated_password_costs_nothing_but_seconds(world, broker, engine, tmp_path):
    """The operator's command puts the agent out; it comes back with a password that nobody has seen."""
    with running(broker.subscriber(engine)), a_running_box(world, tmp_path / "edge") as box:
        old = box.identity.broker.password
        config = replace(world.web.app.extensions["hadir"].config, broker=broker.config().broker)
        assert agent_commands.rotate(config, argparse.Namespace(id="gate-box")) == 0
        box.see(5)
        wait_until(lambda: event_count(engine) == 5, 30, about="its events are stored")
        assert load_identity(tmp_path / "edge" / "identity.json").broker.password != old
        assert not broker.client("gate-box", old).connects()
    assert [each.action for each in world.web.rows(models.AuditLog)][-2:] == [
        "agent.password_rotated",
        "agent.account_renewed",
    ]


def test_revoking_on_the_dashboard_shuts_out_within_a_second(world, broker, tmp_path):
    """The open session ends, the token is refused, no way leads back in, and the log says who did it."""
    with a_running_box(world, tmp_path / "edge") as box:
        client = world.web.client("admin")
        assert "Revoke Gate box" in client.get("/cameras/agents/gate-box/revoke").text
        unsure = post(client, "/cameras/agents/gate-box/revoke")
        assert unsure.status_code == 200 and box.is_online()
        began = time.monotonic()
        done = post(client, "/cameras/agents/gate-box/revoke", {"sure": "y"})
        wait_until(lambda: not box.is_online(), SHUT_OUT_WITHIN_S, about="the session has ended")
        assert time.monotonic() - began < SHUT_OUT_WITHIN_S
        assert done.status_code == 302
        for ask in (box.renewal._api.manifest, lambda: box.renewal._api.renew_account("x" * 40)):
            with pytest.raises(CentralError, match="no longer") as refusal:
                ask()
            assert refusal.value.status == 401
        assert not broker.client("gate-box", box.identity.broker.password).connects()
        assert "gate-box" not in broker.accounts.names()
    assert world.row().revoked_at is not None
    assert [each.actor for each in world.web.rows(models.AuditLog) if each.action == "agent.revoked"] == [
        "user:admin"
    ]
    assert "Gate box is revoked and disconnected." in client.get("/cameras/").text
    assert "Gate box" not in client.get("/cameras/").text.split('id="revoked"')[0]
    assert client.get("/cameras/agents/gate-box/revoke").status_code == 404


def test_only_an_administrator_revokes(world, broker, tmp_path):
    """HR, supervisors and viewers neither see the page nor are obeyed."""
    world.join(tmp_path / "edge")
    for role in ("hr", "supervisor", "viewer"):
        client = world.web.client(role)
        assert client.get("/cameras/agents/gate-box/revoke").status_code == 403
        assert post(client, "/cameras/agents/gate-box/revoke", {"sure": "y"}).status_code == 403
    assert world.row().revoked_at is None
    assert "gate-box" in broker.accounts.names()


def test_revoked_while_the_broker_was_away_is_revoked_when_it_is_back(world, broker, engine, tmp_path):
    """Whoever revokes is told; the worker takes the account when the broker can be told."""
    config = world.web.app.extensions["hadir"].config
    with a_running_box(world, tmp_path / "edge") as box:
        broker.kill()
        with pytest.raises(CommandError, match=r"is revoked .* not reachable.*the worker goes on trying"):
            agent_commands.revoke(config, argparse.Namespace(id="gate-box"))
        assert world.row().revoked_at is not None
        with running(broker.subscriber(engine)):
            broker.start()
            wait_until(lambda: "gate-box" not in broker.accounts.names(), about="the account is gone")
        wait_until(lambda: not box.is_online(), about="and the agent")


def test_accounts_from_a_backup_bring_no_revoked_agent_back(world, broker, engine, tmp_path):
    """The broker restored with the accounts of last week: the worker takes the revoked ones again."""
    world.join(tmp_path / "edge")
    backup = (broker.data / "dynamic-security.json").read_bytes()
    config = world.web.app.extensions["hadir"].config
    assert agent_commands.revoke(config, argparse.Namespace(id="gate-box")) == 0
    broker.stop()
    (broker.data / "dynamic-security.json").write_bytes(backup)
    broker.start()
    assert "gate-box" in broker.accounts.names()
    with running(broker.subscriber(engine)):
        wait_until(lambda: "gate-box" not in broker.accounts.names(), about="the account is gone")


def test_a_restored_agent_comes_back_by_itself(world, broker, engine, tmp_path, monkeypatch):
    """Revoked by mistake: after `agent restore` the box is online again, and nobody has to go there."""
    monkeypatch.setattr("edge_agent.account_renewal.NOT_AGAIN_S", 0.5)
    config = world.web.app.extensions["hadir"].config
    with a_running_box(world, tmp_path / "edge") as box:
        agent_commands.revoke(config, argparse.Namespace(id="gate-box"))
        wait_until(lambda: not box.is_online())
        agent_commands.restore(config, argparse.Namespace(id="gate-box"))
        wait_until(box.is_online, 20, about="online again")


def test_the_list_shows_every_agent(world, tmp_path, capsys):
    """One line an agent, with its id first: the word that the other commands want."""
    world.join(tmp_path / "edge")
    config = world.web.app.extensions["hadir"].config
    agent_commands.revoke(config, argparse.Namespace(id="gate-box"))
    capsys.readouterr()
    assert agent_commands.show(config, argparse.Namespace()) == 0
    heading, line = capsys.readouterr().out.splitlines()
    assert line.split() == ["gate-box", "plant", "revoked", "never", "Gate", "box"]
    assert line.index("revoked") == heading.index("STATE")


def test_the_list_tells_the_sites_own_time(world, tmp_path, capsys):
    """With the zone's name, as `who-holds` does: nobody has to guess which clock it was."""
    world.join(tmp_path / "edge")
    config = world.web.app.extensions["hadir"].config
    with UnitOfWork(world.web.engine) as work:
        agent = work.session.get_one(models.Agent, "gate-box")
        agent.heartbeat_at = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
        work.session.get_one(models.Site, agent.site_id).timezone = "Asia/Jakarta"
    capsys.readouterr()
    assert agent_commands.show(config, argparse.Namespace()) == 0
    assert "2026-11-25 17:30:00 WIB" in capsys.readouterr().out


def test_an_unknown_agent_is_said_to_be_unknown(world):
    """A typing error changes nothing and is answered with a sentence."""
    config = world.web.app.extensions["hadir"].config
    for command in (agent_commands.revoke, agent_commands.restore, agent_commands.rotate):
        with pytest.raises(CommandError, match=r"There is no agent gate-bx\."):
            command(config, argparse.Namespace(id="gate-bx"))


def test_a_renewal_that_comes_after_a_revocation_opens_nothing(world, broker, tmp_path):
    """Also when the request was let in a moment before: the account stays closed."""
    world.join(tmp_path / "edge")
    with UnitOfWork(world.web.engine) as work:
        known = work.session.get_one(models.Agent, "gate-box")  # as the token's guard found it
    with UnitOfWork(world.web.engine) as work:
        work.session.get_one(models.Agent, "gate-box").revoked_at = datetime.now(UTC)
    broker.accounts.remove("gate-box")
    with UnitOfWork(world.web.engine) as work, pytest.raises(AccountRefused, match="was revoked"):
        renew_account(work, known, "p" * 43, broker.accounts, now=datetime.now(UTC))
    assert "gate-box" not in broker.accounts.names()


@pytest.mark.parametrize("password", ["", "short", "x" * 129, "with spaces " * 4, "é" * 40, None, 7, []])
def test_a_password_that_could_be_guessed_is_not_taken(world, broker, tmp_path, password):
    """The agent makes it, but not carelessly; the old one goes on working."""
    identity = world.join(tmp_path / "edge")
    api = CentralAPI(world.url, identity.token)
    with pytest.raises(CentralError, match=r"[Pp]assword") as refusal:
        api.renew_account(password)
    assert refusal.value.status in (400, 403)
    assert broker.client("gate-box", identity.broker.password).connects()


def test_a_renewal_never_takes_tls_away(world, tmp_path):
    """A server that suddenly knows no CA, or somebody in its place, does not make the agent speak plainly."""
    identity = world.join(tmp_path / "edge")
    extensions = world.web.app.extensions
    config = extensions["hadir"].config
    plain = replace(config, broker=replace(config.broker, public_ca_file=""))
    extensions["hadir"] = replace(extensions["hadir"], config=plain)
    path = tmp_path / "edge" / "identity.json"
    assert AccountRenewal(CentralAPI(world.url, identity.token), identity, path).renew() is None
    assert load_identity(path) == identity


def test_an_agent_asks_for_a_renewal_rarely(world, broker, tmp_path):
    """A broker that refuses for ever is no reason to bury the server: once, then not for ten minutes."""
    now = [0.0]
    identity = world.join(tmp_path / "edge")
    api = CentralAPI(world.url, identity.token)
    renewal = AccountRenewal(api, identity, tmp_path / "edge" / "identity.json", clock=lambda: now[0])
    assert renewal.renew()
    now[0] = 599.0
    assert renewal.renew() is None
    now[0] = 601.0
    assert renewal.renew()
    broker.stop()
    now[0] = 1300.0
    assert renewal.renew() is None, "the broker takes no accounts"
    broker.start()
    now[0] = 1361.0
    assert renewal.renew(), "that was no refusal: a minute later it is asked again"


def test_the_server_itself_limits_renewals(world, tmp_path):
    """An agent gone wild is told to wait, in JSON."""
    api = CentralAPI(world.url, world.join(tmp_path / "edge").token)
    for _ in range(6):
        api.renew_account("p" * 43)
    with pytest.raises(CentralError) as refusal:
        api.renew_account("p" * 43)
    assert (refusal.value.status, refusal.value.permanent) == (429, False)


def test_an_administrator_password_that_is_wrong_is_told(world, broker, tmp_path):
    """The log of the server names the account that was refused; the agent hears that it should try again."""
    wrong = replace(broker.config().broker, admin_password="wrong-password")
    with pytest.raises(AccountsError, match="refused 'hadir-admin': Not authorized") as problem:
        DynamicSecurity(wrong).put("gate-box", "p" * 43)
    assert "wrong-password" not in str(problem.value)
    nowhere = elsewhere(broker.config(), broker.port).broker  # the agents' port speaks TLS: no answer comes
    with pytest.raises(AccountsError):
        DynamicSecurity(nowhere).names()
