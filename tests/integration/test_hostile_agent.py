"""A box that was broken into says what no honest one would: only its own words are lost."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select

from central_server.adapters.message_intake import record_messages, record_stubborn_message
from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.evaluate_presence import evaluate_site
from tests.link_world import now_ms
from tests.web_world import WebWorld, a_web_world, inhabit, post

AGENT = "plant-agent"
PAGES = (
    "/", "/board", "/cameras/", "/faces/", "/people/EMP001", "/cameras/unreadable/",
    f"/cameras/agents/{AGENT}/", f"/cameras/agents/{AGENT}/state", f"/cameras/agents/{AGENT}/revoke",
)  # fmt: skip


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    found.app.config["PROPAGATE_EXCEPTIONS"] = False
    with UnitOfWork(engine) as work:
        work.session.get_one(models.Agent, AGENT).sid = ""
    return found


def beat(**said: Any) -> tuple[str, dict[str, Any]]:
    return "hb", {"sid": "s", "ts": now_ms(), "reported_to": now_ms()} | said


def birth(**said: Any) -> tuple[str, dict[str, Any]]:
    usual = {"version": "1", "model_id": "m", "engine": "e", "epoch": "x"}
    return "birth", {"sid": "s", "ts": now_ms()} | usual | said


def told(**configuration: Any) -> tuple[str, dict[str, Any]]:
    return birth(configuration=configuration)


def cam(**said: Any) -> tuple[str, dict[str, Any]]:
    return beat(cameras=[{"camera_id": "plant-cam", "state": "online", "since": now_ms()} | said])


LIES = {
    "an endless interval": beat(interval_s=1e300),
    "a negative interval": beat(interval_s=-1e300),
    "a disk without end": beat(disk_free_mb=10**309),
    "a load without end": beat(cpu_percent=10**400),
    "a spool without end": beat(spool_depth=10**30),
    "events of the year 9999": beat(spool_oldest_ts=253_402_300_799_999),
    "a watermark before the year 1": beat(reported_to=-62_135_596_800_000),
    "a configuration in a heartbeat": beat(configuration="x", taken="abc"),
    "cameras of others in a heartbeat": beat(taken={"abc": ["list"]}),
    "too many pictures": cam(fps=1e308),
    "a picture of long ago": cam(last_frame_age_ms=10**14),
    "a list as configuration": birth(configuration=[1, 2]),
    "a number of cameras": told(cameras=5),
    "cameras that are none": told(cameras=[1, "x"]),
    "odd cameras": told(cameras=[{"camera_id": "c", "sample_fps": 10**400, "mask": [[1]], "name": 5}]),
    "half a character": told(cameras=[{"camera_id": "c", "name": "\ud800", "shown": "\ud800"}]),
    "a limitless threshold": told(match={"threshold": 10**400}),
    "a deep configuration": birth(configuration={"x": json.loads("[" * 900 + "]" * 900)}),
    "generations without end": birth(config_gen=2**70, config_wanted=-5, gallery_gen=2**70),
    "the path of a file as camera": birth(cameras=[{"camera_id": "../../etc/passwd"}]),
    "long names": birth(cameras=[{"camera_id": "c", "name": "n" * 9000, "zone": "z" * 9000}]),
    "a long engine": birth(engine="e" * 9000),
    "half an engine": birth(engine="\udc00"),
}  # fmt: skip


def say(world: WebWorld, leaf: str, body: dict[str, Any]) -> None:
    letter = (f"hadir/1/up/{AGENT}/{leaf}", json.dumps(body).encode())
    rules = world.app.extensions["hadir"].config.rules
    with UnitOfWork(world.engine) as work:
        record_messages([letter], work, rules, datetime.now(UTC))


@pytest.mark.parametrize("lie", LIES)
def test_no_page_breaks_by_what_an_agent_says(world, lie):
    """Above all the page that shuts the agent out must go on working."""
    say(world, *LIES[lie])
    admin = world.client("admin")
    assert {page: code for page in PAGES if (code := admin.get(page).status_code) != 200} == {}
    taken = post(admin, f"/cameras/agents/{AGENT}/take-over", {"base": "0"})
    assert taken.status_code == 302
    with UnitOfWork(world.engine) as work:
        rules = world.app.extensions["hadir"].config.rules
        evaluate_site(work, "plant", rules, now=datetime.now(UTC))


def an_envelope(**frame: Any) -> bytes:
    event = {"event_id": "a", "seq": 1, "camera_id": "plant-cam", "track_id": "t", "kind": "unknown"}
    event |= {"ts": now_ms(), "last_seen": now_ms()}
    return json.dumps({"v": 1, "epoch": "e", "first": 1, "prev": 0, "events": [event]} | frame).encode()


@pytest.mark.parametrize(
    "frame", [{"epoch": "\ud800"}, {"epoch": "e" * 5000}, {"epoch": ""}, {"first": 2**70}, {"prev": 2**70}]
)
def test_an_envelope_without_a_place_is_parked(world, frame):
    """Not even what went wrong could be noted in its place: the server would try it again for ever."""
    letter = (f"hadir/1/up/{AGENT}/ev", an_envelope(**frame))
    rules, now = world.app.extensions["hadir"].config.rules, datetime.now(UTC)
    assert record_stubborn_message(letter, world.engine, rules, now, "it failed") == {}
    with UnitOfWork(world.engine) as work:
        assert record_messages([letter], work, rules, now) == {}
        assert "epoch" in frame or work.session.scalars(select(models.BadMessage)).all()
