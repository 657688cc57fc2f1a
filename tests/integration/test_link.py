"""From an agent's spool through a real broker into the database, whatever dies on the way."""

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import paho.mqtt.client as mqtt
import pytest
from sqlalchemy import select

from central_server.db.models import Agent, AgentCommand, BadMessage
from central_server.db.unit_of_work import UnitOfWork
from common import topics
from common.events import CommandResult
from edge_agent.adapters.mqtt_link import LinkPhase
from tests.link_world import (
    BROKERS,
    ROOT,
    Edge,
    a_broker,
    a_plain_client,
    a_subscriber,
    event_count,
    event_ids,
    identity_of,
    know_agent,
    now_ms,
    running,
    wait_until,
)

pytestmark = pytest.mark.parametrize("kind", BROKERS)


@pytest.fixture
def broker(kind, tmp_path, free_port):
    with a_broker(kind, tmp_path / "server", free_port()) as process:
        yield process


def test_events_arrive_once_and_leave_the_spool(broker, engine, tmp_path):
    """What is seen is in the database, in order, and the spool is empty once the server has said so."""
    edge = Edge(know_agent(engine, broker), tmp_path / "agent")
    before = edge.see(120)
    with running(a_subscriber(engine, broker), edge.link):
        wait_until(lambda: edge.outbox.state().depth == 0, about="the spool is empty")
        live = edge.see(1)
        wait_until(lambda: edge.outbox.state().depth == 0, about="the live event is acknowledged")

    assert event_ids(engine) == [event.event_id for event in before + live]


def test_the_server_knows_how_its_agents_are(broker, engine, tmp_path):
    """Birth, heartbeat and a clean goodbye reach the agent's row."""
    edge = Edge(know_agent(engine, broker), tmp_path / "agent")

    def row():
        with engine.connect() as connection:
            return connection.execute(select(Agent.__table__)).one()

    with running(a_subscriber(engine, broker)):
        with running(edge.link):
            wait_until(lambda: row().heartbeat_at and row().state == "online", about="online")
            assert (row().model_id, row().version) == ("m", "test")
        wait_until(lambda: row().state == "stopped", about="stopped")


def test_a_killed_broker_loses_and_doubles_nothing(broker, engine, tmp_path):
    """kill -9 of the broker in the middle of a stream, twice: every event is in the database exactly once."""
    edge, subscriber = Edge(know_agent(engine, broker), tmp_path / "agent"), a_subscriber(engine, broker)
    seen: list[str] = []
    stop = threading.Event()

    def watch():
        while not stop.wait(0.01):
            seen.extend(event.event_id for event in edge.see(1))

    camera = threading.Thread(target=watch, daemon=True)
    with running(subscriber, edge.link):
        camera.start()
        for _ in range(2):
            so_far = event_count(engine)
            wait_until(lambda so_far=so_far: event_count(engine) > so_far + 30, about="events flow")
            broker.kill()
            broker.start()
        stop.set()
        camera.join()
        wait_until(lambda: edge.outbox.state().depth == 0, 30, about="the spool is empty")
        assert subscriber.is_alive() and edge.link.is_alive()

    assert event_ids(engine) == seen or sorted(event_ids(engine)) == sorted(seen)
    assert len(set(event_ids(engine))) == len(seen)


def test_while_the_server_is_away_events_wait(broker, engine, tmp_path):
    """Without a server nothing leaves the spool; when it is back, everything arrives."""
    identity = know_agent(engine, broker)
    with running(a_subscriber(engine, broker)):
        pass
    edge = Edge(identity, tmp_path / "agent")
    with running(edge.link):
        wait_until(lambda: edge.link.phase is LinkPhase.ONLINE)
        edge.see(10)
        assert edge.outbox.state().depth == 10
        with running(a_subscriber(engine, broker)):
            wait_until(lambda: edge.outbox.state().depth == 0, about="drained")

    assert event_count(engine) == 10


def test_a_restarted_server_goes_on_where_it_was(broker, engine, tmp_path):
    """What arrives around a restart of the subscriber is stored once."""
    edge = Edge(know_agent(engine, broker), tmp_path / "agent")
    with running(edge.link):
        for _ in range(3):
            with running(a_subscriber(engine, broker)):
                edge.see(20)
        with running(a_subscriber(engine, broker)):
            wait_until(lambda: edge.outbox.state().depth == 0, about="drained")

    assert event_count(engine) == 60


EMITTER = """
import sys, time
from pathlib import Path
from tests.link_world import Edge, BrokerProcess, identity_of
edge = Edge(identity_of(BrokerProcess("", Path(), int(sys.argv[1]))), Path(sys.argv[2]))
edge.link.start()
for n in range(int(sys.argv[3])):
    print(edge.see(1)[0].event_id, flush=True)
    time.sleep(0.01)
while edge.outbox.state().depth:
    time.sleep(0.02)
print("drained", flush=True)
"""


def test_a_killed_agent_loses_nothing_of_its_spool(broker, engine, tmp_path):
    """kill -9 of the agent's process: what it had stored is in the database exactly once after a restart."""
    know_agent(engine, broker)

    def emit(count: int) -> subprocess.Popen:
        arguments = [str(broker.port), str(tmp_path / "agent"), str(count)]
        return subprocess.Popen(
            [sys.executable, "-c", EMITTER, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    told: list[str] = []
    with running(a_subscriber(engine, broker)):
        first = emit(10_000)
        for line in first.stdout:
            told.append(line.strip())
            if len(told) == 150:
                os.kill(first.pid, signal.SIGKILL)
        first.wait()
        second = emit(20)
        told += [line.strip() for line in second.stdout]
        assert second.wait() == 0

    assert told.pop() == "drained"
    stored = event_ids(engine)
    assert len(stored) == len(set(stored))
    assert set(told) <= set(stored), "everything that was told is stored"
    assert len(stored) - len(told) <= 2, "at most what was stored, and not yet told, besides"


def test_a_wrong_password_is_refused_in_words(broker, engine, tmp_path, caplog):
    """The log says who refused whom, once, without the password; the link goes on trying."""
    know_agent(engine, broker)
    edge = Edge(identity_of(broker, password="wrong-password"), tmp_path / "agent")
    with caplog.at_level(logging.WARNING), running(edge.link):
        wait_until(lambda: "refused 'gate'" in caplog.text, about="a clear log line")
        assert edge.link.is_alive() and edge.link.phase is not LinkPhase.ONLINE

    assert "wrong-password" not in caplog.text + broker.log()


def test_an_account_made_while_the_broker_runs_works(broker, engine, tmp_path):
    """A machine that joins connects at once, without a restart of the broker."""
    wait_until(broker.answers)
    edge = Edge(know_agent(engine, broker, "newcomer"), tmp_path / "agent")
    with running(edge.link):
        wait_until(lambda: edge.link.phase is LinkPhase.ONLINE, about="online")


def test_an_agent_stays_within_its_own_topics(broker, engine, tmp_path):
    """With another's name in the topic nothing is written, and nothing of another's is read."""
    know_agent(engine, broker, "gate")
    edge = Edge(know_agent(engine, broker, "victim"), tmp_path / "victim")
    thief = a_plain_client(broker, "gate", "password of gate")
    heard: list[str] = []
    thief.on_message = lambda _c, _u, message: heard.append(message.topic)
    thief.connect("127.0.0.1", broker.port)
    thief.loop_start()
    try:
        wait_until(thief.is_connected)
        thief.subscribe("#", 1)
        thief.subscribe("hadir/1/down/victim/#", 1)
        thief.subscribe("hadir/1/down/gate/#", 1)
        with running(a_subscriber(engine, broker), edge.link):
            edge.see(5)
            wait_until(lambda: edge.outbox.state().depth == 0, about="the victim works")
            thief.publish("hadir/1/up/victim/hb", b"not yours", qos=1)
            thief.publish("hadir/1/up/gate/hb", b"not readable", qos=1)
            wait_until(lambda: bad_messages(engine), about="the thief's own rubbish is parked")
            wait_until(lambda: any("down/gate/manifest" in each for each in heard), about="own manifest")
    finally:
        thief.disconnect()
        thief.loop_stop()

    assert [row.topic for row in bad_messages(engine)] == ["hadir/1/up/gate/hb"]
    assert not [topic for topic in heard if "victim" in topic]


def bad_messages(engine):
    with engine.connect() as connection:
        return connection.execute(select(BadMessage.__table__).order_by(BadMessage.id)).all()


def test_one_bad_event_is_parked_and_its_siblings_are_kept(broker, engine, tmp_path):
    """Rubbish of every kind is put aside with its reason, and the stream goes on."""
    edge = Edge(know_agent(engine, broker), tmp_path / "agent")
    stored = edge.see(5)
    body = json.loads(edge.outbox.batch(0).payload)
    body["events"][1]["kind"] = "dance"
    body["events"][2] = "not an object"
    body["events"][3]["seq"] = 10**30
    with running(subscriber := a_subscriber(engine, broker)):
        wait_until(lambda: subscriber.is_online, about="the server listens")
        client = a_plain_client(broker, "gate", "password of gate")
        client.connect("127.0.0.1", broker.port)
        client.loop_start()
        try:
            wait_until(client.is_connected)
            topic = topics.AgentTopics("gate").events
            for payload in (b"\xff\x00", b'{"v":1}', b"[]", json.dumps(body).encode()):
                client.publish(topic, payload, qos=1)
            client.publish("hadir/1/up/gate/nonsense", b"{}", qos=1)
            wait_until(lambda: len(bad_messages(engine)) >= 7, about="parked")
        finally:
            client.disconnect()
            client.loop_stop()
        with running(edge.link):
            wait_until(lambda: edge.outbox.state().depth == 0, about="the mark passes over the bad ones")

    ids = event_ids(engine)
    assert {stored[0].event_id, stored[4].event_id} <= set(ids)
    assert len(ids) == 5
    reasons = [row.reason for row in bad_messages(engine)]
    assert any("dance" in reason for reason in reasons)
    assert any("not JSON" in reason for reason in reasons)


def test_an_unknown_agent_is_parked(broker, engine, tmp_path):
    """An account that the database does not know gets nothing recorded."""
    broker.accounts.put("ghost", "password of ghost")
    edge = Edge(identity_of(broker, "ghost"), tmp_path / "agent")
    edge.see(1)
    with running(a_subscriber(engine, broker), edge.link):
        wait_until(lambda: bad_messages(engine), about="parked")

    assert event_count(engine) == 0
    assert "not known" in bad_messages(engine)[0].reason


def test_a_failing_callback_does_not_leave_a_dead_link(broker, engine, tmp_path, caplog):
    """An exception where the agent handles a command is logged, and the link connects again and works."""
    edge = Edge(know_agent(engine, broker), tmp_path / "agent")

    class Trap(list):
        def append(self, value):
            super().append(value)
            if len(self) == 1:
                raise RuntimeError("a bug")

    edge.commands = Trap()
    object.__setattr__(edge.link.voice, "on_command", edge.commands.append)
    with caplog.at_level(logging.ERROR), running(a_subscriber(engine, broker), edge.link):
        edge.see(1)
        wait_until(lambda: edge.outbox.state().depth == 0, about="both ends are there")
        ask(engine, "sync-1")
        wait_until(lambda: "a bug" in caplog.text, about="logged")
        wait_until(lambda: edge.link.phase is LinkPhase.ONLINE, about="online again")
        ask(engine, "sync-2")
        wait_until(lambda: len(edge.commands) >= 2, about="the next command comes")
        edge.see(1)
        wait_until(lambda: edge.outbox.state().depth == 0, about="events flow")


def ask(engine, command_id: str) -> None:
    from datetime import UTC, datetime

    with UnitOfWork(engine) as work:
        work.session.add(
            AgentCommand(
                command_id=command_id, agent_id="gate", kind="sync", args={}, created_at=datetime.now(UTC)
            )
        )


def test_a_command_goes_out_and_its_result_comes_back(broker, engine, tmp_path):
    """A row in the database reaches the agent; what it answers is in the row."""
    edge = Edge(know_agent(engine, broker), tmp_path / "agent")
    with running(a_subscriber(engine, broker), edge.link):
        wait_until(lambda: edge.link.phase is LinkPhase.ONLINE)
        ask(engine, "sync-1")
        command = wait_until(lambda: edge.commands, about="the command")[0]
        edge.link.send_result(
            CommandResult(command_id=command.command_id, ok=True, ts=now_ms(), detail="done")
        )

        def row():
            with engine.connect() as connection:
                return connection.execute(select(AgentCommand.__table__)).one()

        wait_until(lambda: row().finished_at, about="the result")

    assert (row().ok, row().detail) == (True, "done")


def test_a_revoked_agent_is_shut_out(broker, engine, tmp_path):
    """Its account is taken within seconds of the revocation, and it cannot connect again."""
    from datetime import UTC, datetime

    edge = Edge(know_agent(engine, broker), tmp_path / "agent")
    with running(a_subscriber(engine, broker)):
        with UnitOfWork(engine) as work:
            work.session.get_one(Agent, "gate").revoked_at = datetime.now(UTC)
        wait_until(lambda: "gate" not in broker.accounts.read(), about="the account is gone")

        def is_refused() -> bool:
            answers: list = []
            client = a_plain_client(broker, "gate", "password of gate")
            client.on_connect = lambda _c, _u, _f, code, _p: answers.append(code)
            client.connect("127.0.0.1", broker.port)
            while not answers and client.loop(0.1) == mqtt.MQTT_ERR_SUCCESS:
                pass
            client.disconnect()
            return not answers or answers[0].is_failure

        wait_until(is_refused, about="refused")
    edge.outbox.close()


def test_the_broker_ends_with_the_process_that_runs_it(broker, kind):
    """After kill -9 of ours no broker lingers on the port, and the next start takes it over."""
    if kind == "mosquitto" and not Path("/proc/self/task").exists():
        pytest.skip("only Linux ends children with their parent")
    broker.process.kill()
    broker.process.wait()
    broker.start()
    assert broker.answers()
