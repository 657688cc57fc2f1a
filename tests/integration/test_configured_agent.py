"""A real agent with real RTSP cameras, configured over a real web server and a real broker."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import configure_agent
from central_server.services.take_still import ask_for_still, still_of
from common.camera_settings import KEPT, MatchOverrides
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.bench.clips import Clip, make_clip
from edge_agent.bench.rtsp_camera import Faults, RtspServer
from tests.configured_world import ConfiguredWorld, a_camera, a_configured_world
from tests.link_world import BROKERS, wait_until

LOCKED = "guard:s3cret-word"


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Clip:
    return Clip.read(make_clip(tmp_path_factory.mktemp("clip") / "clip.h264"))


@pytest.fixture
def world(engine, tmp_path, free_port) -> Iterator[ConfiguredWorld]:
    with a_configured_world(engine, tmp_path, free_port(), "mosquitto") as found:
        yield found


pytestmark = list(BROKERS[0].marks)


@contextmanager
def camera_servers(clip: Clip, count: int) -> Iterator[list[RtspServer]]:
    servers = [RtspServer(clip) for _ in range(count)]
    try:
        yield [each.__enter__() for each in servers]
    finally:
        for each in servers:
            each.__exit__()


def camera_states(world: ConfiguredWorld) -> dict[str, str]:
    return {each.camera_id: each.state for each in world.web.rows(models.Camera)}


def until_cameras(world: ConfiguredWorld, **wanted: str) -> None:
    wait_until(lambda: camera_states(world).items() >= wanted.items(), 20, about=f"cameras are {wanted}")


def test_a_dead_address_is_rolled_back_and_a_right_one_is_kept(world, clip):
    """The camera that worked has its picture back by itself, and the page can say why; the fix is applied."""
    with camera_servers(clip, 2) as (first, second), world.agent() as agent:
        world.until_told(state="online", config_origin="local", config_applied=0)
        world.put(a_camera("gate", first.url))
        world.until_told(config_applied=1, config_origin="remote")
        until_cameras(world, gate="online")
        wait_until(lambda: agent._configured.standing().stage == "good", about="the first is good")

        world.put(a_camera("gate", "rtsp://127.0.0.1:9/cam"))
        told = world.until_told(config_origin="rolled_back", config_tried=2, config_applied=1)
        assert told.config_errors == [["cameras.gate", "no picture (refused)"]]
        until_cameras(world, gate="online")

        world.put(a_camera("gate", second.url))
        world.until_told(config_applied=3, config_origin="remote", config_errors=[])
        until_cameras(world, gate="online")
        assert second.plays


def test_a_new_camera_that_does_not_come_up_costs_the_others_nothing(world, clip):
    """The camera that works is not even restarted; the error stays told until the new one has a picture."""
    with (
        camera_servers(clip, 1) as (good,),
        RtspServer(clip, faults=Faults(auth=LOCKED)) as locked,
        world.agent(a_camera("gate", good.url)),
    ):
        until_cameras(world, gate="online")
        world.put(a_camera("gate", KEPT), a_camera("dock", locked.url))
        world.until_told(config_applied=2, config_origin="remote")
        world.until_told(config_errors=[["cameras.dock", "no picture (auth)"]])
        assert good.plays == 1
        locked.faults.auth = None
        world.until_told(config_errors=[], within_s=40)
        until_cameras(world, gate="online", dock="online")


def test_a_camera_that_is_taken_away_is_told_as_disabled_and_the_secrets_stay_where_they_are(world, clip):
    """The password is in no log and no message, sealed in the database, and for its owner on the box."""
    with RtspServer(clip, faults=Faults(auth=LOCKED)) as server, world.agent() as agent:
        url = server.url.replace("://", f"://{LOCKED}@")
        world.put(a_camera("gate", url), a_camera("dock", url))
        until_cameras(world, gate="online", dock="online")
        world.do(configure_agent.remove_camera, "dock")
        until_cameras(world, gate="online", dock="disabled")
        kept = world.home / "config.json"
        assert kept.stat().st_mode & 0o777 == 0o600 and "s3cret-word" in kept.read_text()
        assert "s3cret-word" not in json.dumps(dict(agent._birth("s").extra))
        assert all(b"s3cret-word" not in each.body for each in world.web.rows(models.AgentConfig))
        assert all("s3cret-word" not in json.dumps(each.detail) for each in world.web.rows(models.AuditLog))


def test_what_was_applied_works_again_without_any_server(world, clip):
    """An agent that boots alone runs the newest generation from its disk, and remembers not to go back."""
    with camera_servers(clip, 1) as (server,):
        with world.agent() as agent:
            world.put(a_camera("gate", server.url))
            until_cameras(world, gate="online")
            wait_until(lambda: agent._configured.standing().stage == "good", about="it is good")
        world.identity = replace(
            world.identity, broker=replace(world.identity.broker, port=9), token="unknown" * 5
        )
        with world.agent() as agent:
            wait_until(
                lambda: any(each.has_picture for each in agent._cameras.looks().values()), about="it sees"
            )
            assert agent._configured.standing().gen == 1


def test_a_box_whose_file_says_no_is_left_alone_and_says_so(world, clip):
    """Its own cameras run; the dashboard hears that it has no say."""
    with camera_servers(clip, 1) as (server,), world.agent(a_camera("gate", server.url), remote=False):
        until_cameras(world, gate="online")
        world.put(a_camera("dock", server.url))
        told = world.until_told(config_origin="refused", config_tried=1, config_applied=0)
        assert told.config_errors[0][0] == "remote"
        assert set(camera_states(world)) == {"gate"}


def test_thresholds_take_effect_without_restarting_a_camera(world, clip):
    """The policy of the running pipeline changes, and the camera is not asked for anything anew."""
    with camera_servers(clip, 1) as (server,), world.agent(a_camera("gate", server.url)) as agent:
        until_cameras(world, gate="online")
        worker = agent._cameras._workers["gate"]
        world.do(configure_agent.take_over)
        world.do(configure_agent.set_match, MatchOverrides(threshold=0.61))
        world.until_told(config_applied=2)
        assert agent._cameras._workers["gate"] is worker
        assert worker._pipeline._policy.threshold == 0.61
        assert server.plays == 1


def test_a_still_is_brought_only_when_it_was_asked_for(world, clip):
    """The picture comes over HTTP, and the page is told when there is none."""
    with camera_servers(clip, 1) as (server,), world.agent(a_camera("gate", server.url)):
        until_cameras(world, gate="online")
        api = CentralAPI(world.identity.server_url, world.identity.token)
        with pytest.raises(CentralError, match="Nobody has asked"):
            api.put_still("gate", b"\xff\xd8\xff" + bytes(100))
        with UnitOfWork(world.web.engine) as work:
            row = work.session.get_one(models.Agent, "gate")
            ask_for_still(work, row, "gate", by="admin", now=datetime.now(UTC))
            ask_for_still(work, row, "attic", by="admin", now=datetime.now(UTC))

        def state(camera_id: str) -> str:
            with UnitOfWork(world.web.engine) as work:
                row = work.session.get_one(models.Agent, "gate")
                return still_of(work.session, world.web.home, row, camera_id, now=datetime.now(UTC)).state

        wait_until(lambda: (state("gate"), state("attic")) == ("ready", "failed"), about="both are answered")
        (path,) = (world.web.home / "stills").glob("*/*.jpg")
        assert path.read_bytes().startswith(b"\xff\xd8\xff") and path.stat().st_mode & 0o777 == 0o600


def test_the_lost_power_in_a_trial_is_survived_wherever_it_strikes(world, clip):
    """Stored but not yet applied: the next start tries it, and rolls back when the camera stays dead."""
    with camera_servers(clip, 1) as (server,):
        with world.agent() as agent:
            world.put(a_camera("gate", server.url))
            wait_until(lambda: agent._configured.standing().stage == "good", about="the first is good")
            world.put(a_camera("gate", "rtsp://127.0.0.1:9/cam"))
            wait_until(lambda: agent._configured.standing().stage == "trying", about="it is being tried")
        with world.agent() as agent:
            wait_until(lambda: agent._configured.standing().stage == "rolled_back", about="it is rolled back")
            world.until_told(config_origin="rolled_back", config_applied=1, config_tried=2)
            until_cameras(world, gate="online")
