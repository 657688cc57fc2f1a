"""A refused agent renews its account, whichever broker refused it; for no other trouble does it."""

import logging
import os
from dataclasses import replace
from pathlib import Path

import pytest

from central_server.adapters.broker_accounts import BrokerAccounts
from edge_agent.adapters.mqtt_link import REFUSALS, LinkPhase
from tests.link_world import BROKERS, BrokerProcess, Edge, a_broker, identity_of, running, wait_until


@pytest.mark.parametrize("kind", BROKERS)
@pytest.mark.parametrize("protocol", ["5", "311"])
def test_refused_credentials_are_renewed(kind, protocol, tmp_path, free_port):
    """After three refusals, once; with what the server then says the agent is in."""
    with a_broker(kind, tmp_path / "server", free_port()) as broker:
        stale = identity_of(broker, password="of another broker")
        edge = Edge(replace(stale, broker=replace(stale.broker, protocol=protocol)), tmp_path / "agent")
        asked: list[int] = []

        def renew():
            asked.append(1)
            broker.accounts.put("gate", "brand new")
            return identity_of(broker, password="brand new").broker

        edge.link.renew_account = renew
        with running(edge.link):
            wait_until(lambda: edge.link.phase is LinkPhase.ONLINE, 30, about="online")
        assert len(asked) <= 2, "the embedded broker may need a moment to hear of the new account"
        assert edge.link.identity.broker.password == "brand new"


def test_a_broker_that_is_away_is_no_reason_to_renew(tmp_path, free_port, caplog):
    """Nobody refused anything: the account may be as good as ever."""
    nobody = BrokerProcess("mosquitto", Path(), free_port())
    edge = Edge(identity_of(nobody), tmp_path / "agent")
    asked: list[int] = []
    edge.link.renew_account = lambda: asked.append(1)
    with caplog.at_level(logging.DEBUG, "hadir.link"), running(edge.link):
        wait_until(lambda: caplog.text.count("is not reachable") > REFUSALS, 30, about="several failures")
    assert asked == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root writes files that others cannot read")
def test_an_operators_command_as_root_leaves_the_files_to_their_owner(tmp_path):
    """`sudo hadir server agent revoke`: the broker, which is not root, must still read its accounts."""
    accounts = BrokerAccounts(tmp_path / "broker")
    accounts.put("gate", "first")
    os.chown(accounts.folder, 65534, 65534)
    accounts.put("gate", "second")
    assert accounts.password_file.stat().st_uid == 65534
    assert accounts.password_file.stat().st_mode & 0o777 == 0o600
