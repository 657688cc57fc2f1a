"""A broker that forgets what it was told last must not bring back anybody who was erased.

A real mosquitto, killed, wakes with the manifest of before: what it saved, not what it was sent.
"""

import os
import signal

import pytest

from central_server.adapters.broker_accounts import password_of_server
from central_server.adapters.embedded_broker import find_mosquitto
from central_server.db import models
from common import wire
from common.events import Birth, Heartbeat, Manifest
from common.topics import AgentTopics
from edge_agent.adapters.identity_file import BrokerAccess, Identity
from edge_agent.adapters.mqtt_link import AgentVoice, MQTTLink
from edge_agent.errands import Errands
from tests.agent_world import a_box, an_agent_world
from tests.link_world import (
    a_broker,
    a_plain_client,
    a_subscriber,
    now_ms,
    running,
    server_config,
    wait_until,
)

pytestmark = pytest.mark.skipif(find_mosquitto() is None, reason="the mosquitto binary is not installed")


@pytest.fixture
def world(engine, tmp_path):
    with an_agent_world(engine, tmp_path / "server") as found:
        yield found


@pytest.fixture
def broker(tmp_path, free_port):
    with a_broker("mosquitto", tmp_path / "broker", free_port()) as found:
        yield found


def publish_retained(broker, agent_id, manifest):
    """Publish as the server does, and wait for the broker's word."""
    client = a_plain_client(broker, "hadir-server", broker_password(broker))
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    info = client.publish(AgentTopics(agent_id).manifest, wire.encode(manifest), qos=1, retain=True)
    info.wait_for_publish(10)
    client.disconnect()
    client.loop_stop()
    assert info.is_published()


def broker_password(broker):
    return password_of_server(server_config(broker).broker)


def save(broker):
    """Let mosquitto write its database: what it is sent later is lost when it is killed."""
    database = broker.home / "broker" / "mosquitto.db"
    before = database.stat().st_mtime_ns if database.exists() else 0
    os.kill(broker.mosquitto_pid(), signal.SIGUSR1)
    wait_until(
        lambda: database.exists() and database.stat().st_mtime_ns > before, about="mosquitto has saved"
    )


def a_link(box, broker, heard, heartbeat_s=0.5):
    identity = Identity(
        agent_id=box.identity.agent_id, site_id="plant", site_name="Plant One",
        server_url=box.identity.server_url, token=box.identity.token, manifest_key=box.identity.manifest_key,
        broker=BrokerAccess(
            host="127.0.0.1", port=broker.port, username=box.identity.agent_id, password="a password"
        ),
    )  # fmt: skip

    def hear(manifest: Manifest) -> None:
        heard.append((manifest, box.keeper.hear(manifest)))

    voice = AgentVoice(
        birth=lambda sid: Birth(sid=sid, ts=now_ms(), version="t", model_id="test:0", engine="e", epoch="e"),
        heartbeat=lambda sid: Heartbeat(
            sid=sid, ts=now_ms(), reported_to=now_ms(), gallery_gen=box.keeper.gen
        ),
        cameras=list,
        on_manifest=hear,
        on_command=lambda _: None,
    )
    return MQTTLink(identity, box.outbox, voice, heartbeat_s=heartbeat_s, most_wait_s=0.5)


def test_a_killed_broker_brings_nobody_back(world, broker, tmp_path):
    """Neither to the running agent, nor to one that was restarted meanwhile, nor after its clock was set."""
    with a_box(world, tmp_path / "box", "EMP001") as box:
        box.enrol(world, "EMP001")
        box.errands.stop()
        broker.accounts.put(box.identity.agent_id, "a password")
        old = box.api.manifest()
        publish_retained(broker, box.identity.agent_id, old)
        save(broker)
        heard: list = []
        with running(a_link(box, broker, heard)):
            wait_until(lambda: heard, about="the manifest is heard")
            world.resign("EMP001")
            newest = box.api.manifest()
            publish_retained(broker, box.identity.agent_id, newest)
            wait_until(lambda: len(heard) == 2, about="the newest manifest is heard")
            assert heard[-1] == (newest, True)
            box.keeper.fetch(box.downloads)
            box.keeper.enforce_lease()
            broker.kill()
            broker.start()
            wait_until(lambda: len(heard) == 3, 30, about="the broker repeats what it had saved")
        assert heard[-1] == (old, False)  # the real thing: mosquitto did go back
        assert not box.people and not box.keeper.is_due()

        box.clocks.is_off(-86_400 * 30)
        box.keeper = box.restarted_keeper()
        heard.clear()
        with running(a_link(box, broker, heard)):
            wait_until(lambda: heard, about="the old manifest is heard after the restart")
        assert heard[0] == (old, False)
        assert not box.people and not box.keeper.is_due() and box.keeper.gen == newest.gallery_gen
        assert b"EMP001" not in box.file.path.read_bytes()


def test_the_server_hears_at_once_that_a_box_has_forgotten(world, engine, broker, tmp_path):
    """From the erasure to the word of the box it takes seconds, however rare its heartbeats are."""
    with a_box(world, tmp_path / "box", "EMP001") as box:
        box.enrol(world, "EMP001")
        box.errands.stop()
        broker.accounts.put(box.identity.agent_id, "a password")
        beats: list = []
        link = a_link(box, broker, beats, heartbeat_s=600)
        errands = Errands(
            box.api, box.keeper, box.analyser, box.outbox, None, lambda _: None, link.speak_soon
        )
        link.voice = AgentVoice(
            birth=link.voice.birth,
            heartbeat=link.voice.heartbeat,
            cameras=list,
            on_manifest=errands.hear,
            on_command=errands.do,
        )

        def agent():
            return world.web.rows(models.Agent)[0]

        with running(a_subscriber(engine, broker), link, errands):
            wait_until(lambda: agent().heartbeat_at, about="the first heartbeat")
            first = agent().heartbeat_at
            world.resign("EMP001")
            wait_until(lambda: not box.people, about="EMP001 is forgotten")
            wait_until(lambda: agent().heartbeat_at > first, about="a heartbeat before its time")
        assert agent().gallery_gen == box.keeper.gen
