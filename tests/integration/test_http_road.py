"""The road beside MQTT: a site that lets nothing but HTTPS out, over real sockets."""

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from common import topics, wire
from common.events import Birth, CameraInfo, CameraState, CameraStatus, CommandResult, Heartbeat
from common.ids import CameraId
from common.letters import bundle
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.http_road import HTTPRoad
from tests.agent_world import AgentWorld, an_agent_world
from tests.link_world import Edge, running, wait_until


@pytest.fixture
def world(engine, tmp_path) -> Iterator[AgentWorld]:
    with an_agent_world(engine, tmp_path / "server") as found:
        yield found


class Box:
    """A joined agent whose broker cannot be reached, until `is_blocked` says otherwise."""

    def __init__(self, world: AgentWorld, home: Path) -> None:
        self.identity = world.join(home)
        self.is_blocked = True
        self.edge = Edge(self.identity, home)
        self.road = HTTPRoad(
            CentralAPI.of(self.identity),
            topics.AgentTopics(self.identity.agent_id),
            self.edge.outbox,
            self.edge.link.voice,
            lambda: self.is_blocked,
            heartbeat_s=0.2,
            turn_s=0.05,
        )

    def start(self) -> None:
        self.road.start()

    def stop(self) -> None:
        self.road.stop()


@pytest.fixture
def box(world, tmp_path) -> Box:
    return Box(world, tmp_path / "edge")


def the_agent(world: AgentWorld) -> models.Agent:
    (agent,) = world.web.rows(models.Agent)
    return agent


def test_everything_goes_by_https(world, box):
    """Birth, heartbeats and events arrive; the manifest comes down; the goodbye is heard."""
    stored = box.edge.see(120)
    with running(box):
        wait_until(lambda: box.edge.outbox.state().depth == 0, about="the spool is empty")
        wait_until(lambda: the_agent(world).heartbeat_at, about="a heartbeat")
        live = box.edge.see(1)
        wait_until(lambda: box.edge.outbox.state().depth == 0, about="a live event")
        agent = the_agent(world)
        assert (agent.state, agent.road, agent.version) == ("online", "http", "test")
        assert box.road.is_open and box.edge.manifests
    assert [each.event_id for each in world.web.rows(models.Event)] == [e.event_id for e in stored + live]
    assert the_agent(world).state == "stopped"


def test_a_camera_is_told_of_when_it_changes(world, box):
    """A camera's state goes with the next turn, and once."""
    with UnitOfWork(world.web.engine) as work:
        work.session.add(
            models.Camera(camera_id="door", agent_id=box.identity.agent_id, site_id="plant", name="D")
        )
    statuses = [CameraStatus(camera_id=CameraId("door"), state=CameraState.ONLINE, since=1, ts=1)]
    object.__setattr__(box.edge.link.voice, "cameras", lambda: statuses)
    birth = box.edge.link.voice.birth
    object.__setattr__(box.edge.link.voice, "birth", lambda sid: _with_camera(birth(sid)))

    def state() -> str:
        return world.web.rows(models.Camera)[0].state

    with running(box):
        wait_until(lambda: state() == "online", about="online")
        statuses[:] = [CameraStatus(camera_id=CameraId("door"), state=CameraState.OFFLINE, since=2, ts=2)]
        wait_until(lambda: state() == "offline", about="offline")


def _with_camera(birth: Birth) -> Birth:
    return replace(birth, cameras=(CameraInfo(camera_id=CameraId("door")),))


def test_a_command_is_obeyed_once_and_its_result_comes_back(world, box):
    """It comes with every answer until it is finished, and is done once."""
    with running(box):
        wait_until(lambda: box.road.is_open)
        with UnitOfWork(world.web.engine) as work:
            work.session.add(
                models.AgentCommand(
                    command_id="sync-1",
                    agent_id=box.identity.agent_id,
                    kind="sync",
                    created_at=datetime.now(UTC),
                )
            )
        wait_until(lambda: box.edge.commands, about="the command")
        beats = the_agent(world).heartbeat_at
        wait_until(lambda: the_agent(world).heartbeat_at > beats, about="another turn")
        assert [each.command_id for each in box.edge.commands] == ["sync-1"]
        box.road.send_result(CommandResult(command_id="sync-1", ok=True, ts=0, detail="done"))
        wait_until(lambda: world.web.rows(models.AgentCommand)[0].ok, about="the result")


def test_the_road_closes_when_the_broker_is_back(world, box):
    """Nothing more is said on it, and it opens again with a new introduction when it is needed."""
    with running(box):
        wait_until(lambda: box.road.is_open)
        first = the_agent(world).sid
        box.is_blocked = False
        wait_until(lambda: not box.road.is_open, about="closed")
        box.is_blocked = True
        wait_until(lambda: the_agent(world).sid != first, about="introduced again")


def test_a_server_that_is_away_costs_nothing(world, box, caplog):
    """Without any road the events wait, one line is logged, and all arrives later."""
    url = box.road._api.url
    box.road._api.url = "http://127.0.0.1:9"
    with running(box):
        box.edge.see(5)
        wait_until(lambda: "HTTPS does not get through either" in caplog.text, about="it says so")
        assert box.edge.outbox.state().depth == 5 and not box.road.is_open
        box.road._api.url = url
        wait_until(lambda: box.edge.outbox.state().depth == 0, about="drained")
    assert caplog.text.count("HTTPS does not get through either") == 1


def test_nobody_speaks_for_another_agent(world, box):
    """Topics of another agent, of the server, or no topics at all are refused, and nothing is recorded."""
    mine = {"Authorization": f"Bearer {box.identity.token}"}
    beat = wire.encode(Heartbeat(sid="s", ts=1, reported_to=1))
    for topic in ("hadir/1/up/other/hb", "hadir/1/down/gate-box/cmd/x", "hadir/1/srv/state", "x"):
        answer = requests.post(
            f"{world.url}/agent/v1/messages", data=bundle([(topic, beat)]), headers=mine, timeout=5
        )
        assert answer.status_code == 403, topic
    assert requests.post(f"{world.url}/agent/v1/messages", data=bundle([]), timeout=5).status_code == 401
    for rubbish in (b"", b"{", b'{"v":2,"letters":[]}', b'{"v":1,"letters":[{}]}'):
        answer = requests.post(f"{world.url}/agent/v1/messages", data=rubbish, headers=mine, timeout=5)
        assert answer.status_code == 422, rubbish
    assert the_agent(world).heartbeat_at is None


def test_an_envelope_that_cannot_be_read_is_parked(world, box):
    """The answer says so, and somebody can look at it."""
    answer = requests.post(
        f"{world.url}/agent/v1/events",
        data=b'{"v":1,"epoch":"e","first":"one","events":[]}',
        headers={"Authorization": f"Bearer {box.identity.token}"},
        timeout=5,
    )
    assert (answer.status_code, len(world.web.rows(models.BadMessage))) == (422, 1)


def test_the_link_knows_for_how_long_it_has_been_cut_off(box):
    """That is what decides when this road is needed."""
    assert box.edge.link.offline_s() >= 0
    began = time.monotonic()
    with running(box.edge.link):
        wait_until(lambda: time.monotonic() - began > 0.3)
        assert box.edge.link.offline_s() >= 0.3


def test_what_did_not_get_through_is_told_again(world, box):
    """A command's result and a camera's state survive a server that is away when they are told."""
    real, letters = box.road._api, []

    class Away:
        """The server's address while nobody answers there."""

        def post_messages(self, given):
            letters.append(given)
            raise CentralError("nobody answers")

    box.road._api = Away()
    box.road.send_result(CommandResult(command_id="c-1", ok=True, ts=0, detail="done"))
    with running(box):
        wait_until(lambda: letters, about="the server is asked")
        box.road._api = real
        wait_until(lambda: box.road.is_open, about="the server answers")
    assert any("c-1" in each.topic for each in world.web.rows(models.BadMessage)), "nobody asked for it"


def test_the_broker_has_the_last_word_when_it_is_back(box):
    """A hello by this road may be recorded after the link's: the link then introduces itself again."""
    said = []
    box.road._closed = lambda: said.append("closed")
    with running(box):
        wait_until(lambda: box.road.is_open, about="the road is open")
        assert said == []
        box.is_blocked = False
        wait_until(lambda: said, about="it is closed")
    assert said == ["closed"]


def test_what_changes_during_a_hello_is_told_by_another(world, box):
    """A configuration that comes into force while the request is under way is not forgotten."""
    real, hellos = box.road._api, []

    class Slow:
        """The server, while something changes at the agent."""

        def post_messages(self, given):
            if any(topic.endswith("/birth") for topic, _ in given):
                hellos.append(given)
                if len(hellos) == 1:
                    box.road.introduce_again()
            return real.post_messages(given)

        post_events = real.post_events

    box.road._api = Slow()
    with running(box):
        wait_until(lambda: len(hellos) == 2, about="a second hello")
    assert box.road._session.is_introduced
