"""The pages on which an agent is configured: what they take, refuse, show and keep to themselves."""

from datetime import UTC, datetime

import pytest

from central_server.adapters.sealing import Seal
from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import configure_agent
from central_server.services.record_health import record_birth, record_heartbeat
from common.agent_settings import AgentSettings
from common.camera_settings import KEPT
from common.events import Birth, CameraInfo, ConfigError, ConfigOrigin, Heartbeat
from common.ids import AgentId, CameraId
from tests.web_world import WebWorld, a_web_world, inhabit, post

AGENT = "/cameras/agents/plant-agent"
TOLD = {
    "stage": "local",
    "match": {"threshold": None, "margin": None},
    "cameras": [
        {"camera_id": "plant-cam", "name": "Gate", "zone": "Gate", "url": KEPT, "shown": "rtsp://10.0.0.5/…"}
    ],
}
GOOD = {
    "camera_id": "dock-1", "name": "Dock", "zone": "Dock", "address": "rtsp://10.0.0.7:554/1",
    "user": "admin", "password": "s3cret@word", "sample_fps": "5", "min_face_px": "32",
    "decode": "software", "rests": "y", "identify": "y",
    "mask": "0,0 0.5,0 0.5,0.5", "zones": "Counter: 0,0 1,0 1,1",
}  # fmt: skip


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    told(found)
    return found


def told(world: WebWorld, agent_id: str = "plant-agent", *camera_ids: str, **fields) -> None:
    """Let an agent say what it is."""
    cameras = tuple(CameraInfo(camera_id=CameraId(each)) for each in camera_ids or ("plant-cam",))
    birth = Birth(
        sid="s", ts=0, version="1", model_id="m", engine="e", epoch="e", cameras=cameras,
        extra={"configuration": TOLD}, **fields,
    )  # fmt: skip
    with UnitOfWork(world.engine) as work:
        record_birth(AgentId(agent_id), birth, work, datetime.now(UTC))


def agent(world: WebWorld) -> models.Agent:
    return next(each for each in world.rows(models.Agent) if each.agent_id == "plant-agent")


def wanted(world: WebWorld) -> AgentSettings:
    seal = Seal(world.app.extensions["hadir"].config.secret_key, configure_agent.PURPOSE)
    with UnitOfWork(world.engine) as work:
        found = configure_agent.wanted_settings(
            work.session, work.session.get_one(models.Agent, "plant-agent"), seal
        )
    assert found is not None
    return found


def saved(world: WebWorld, path: str, **form: str) -> str:
    """Post a form of the newest generation; return the page that follows."""
    return post(
        world.client("admin"), f"{AGENT}{path}", {"base": str(agent(world).config_gen)} | form,
        follow_redirects=True,
    ).text  # fmt: skip


def test_what_the_box_looks_after_is_shown_and_taken_over(world):
    """Its own file counts until an administrator says otherwise; the addresses stay in the box."""
    page = world.client("admin").get(f"{AGENT}/").text
    assert "configured in the box's own file" in page and "rtsp://10.0.0.5/…" in page
    assert f"{AGENT}/camera/plant-cam" not in page, "read only"
    assert "Saved." in saved(world, "/take-over")
    settings = wanted(world)
    assert (settings.gen, [each.url for each in settings.cameras]) == (1, [KEPT])
    assert settings.cameras[0].zone == "Gate"


def test_a_camera_is_added_with_everything_and_its_password_never_comes_back(world):
    """Every field reaches the agent; no page and no audit line holds the password afterwards."""
    assert "Saved." in saved(world, "/camera", **GOOD)
    (camera,) = wanted(world).cameras
    assert camera.url == "rtsp://admin:s3cret%40word@10.0.0.7:554/1"
    assert (camera.mask, camera.zones[0].name) == ((((0, 0), (0.5, 0), (0.5, 0.5)),), "Counter")
    page = world.client("admin").get(f"{AGENT}/camera/dock-1").text
    pages = (
        page + world.client("admin").get(f"{AGENT}/").text + world.client("admin").get("/settings/audit").text
    )
    assert "rtsp://10.0.0.7:554/1" in page and "s3cret" not in pages
    changed = GOOD | {"password": "", "name": "Dock door", "camera_id": "other"}
    assert "Saved." in saved(world, "/camera/dock-1", **changed)
    (camera,) = wanted(world).cameras
    assert (camera.camera_id, camera.name, camera.url) == (
        "dock-1", "Dock door", "rtsp://admin:s3cret%40word@10.0.0.7:554/1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"camera_id": "Dock 1"}, "Only a-z, 0-9 and -"),
        ({"camera_id": "plant-cam-2"}, "belongs to another agent"),
        ({"address": ""}, "This is needed."),
        ({"address": "/etc/passwd", "user": "", "password": ""}, "Write the address of a stream"),
        ({"address": "rtsp://a@b@c/1"}, "This address cannot be read"),
        ({"sub_address": "rtsp://10.0.0.8/2"}, "must come from the same camera"),
        ({"sample_fps": "99"}, "From 0.2 to 30."),
        ({"sample_fps": "many"}, "That is not a number."),
        ({"search_px": "333"}, "Use a multiple of 32."),
        ({"mask": "0,0 1,1"}, "Each line needs three corners"),
        ({"zones": "0,0 1,0 1,1"}, "Write a name and a colon"),
        ({"base": "7"}, "Somebody else has changed it meanwhile"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_saved(world, change, words):
    """In words, and what was typed stays in the form, except for the password."""
    with UnitOfWork(world.engine) as work:
        work.session.add(
            models.Agent(
                agent_id="other", site_id="plant", name="Other box", token_hash="x", manifest_key="00",
                joined_at=datetime.now(UTC),
            )
        )  # fmt: skip
    told(world, "other", "plant-cam-2")
    page = saved(world, "/camera", **GOOD | change)
    assert words in page and "s3cret" not in page and "Dock" in page
    assert "Type the password again." in page or not (GOOD | change)["password"]
    assert agent(world).config_gen == 0 and not world.rows(models.AgentConfig)


def test_the_history_can_be_used_again_and_the_box_have_its_file_back(world):
    """Always as a new generation; a number that the agent has tried is never given again."""
    saved(world, "/take-over")
    saved(world, "/camera", **GOOD)
    saved(world, "/camera/dock-1/remove")
    assert len(wanted(world).cameras) == 1
    saved(world, "/use/2")
    assert (wanted(world).gen, len(wanted(world).cameras)) == (4, 2)
    told(world, config_wanted=9, config_gen=9)
    assert "The box knows a later one" in world.client("admin").get(f"{AGENT}/").text
    saved(world, "/match", threshold="0,45", margin="")
    assert (wanted(world).gen, wanted(world).match.threshold) == (10, 0.45)
    assert "From -1 to 1." in saved(world, "/match", threshold="2", margin="")
    saved(world, "/give-back")
    assert wanted(world).is_local
    assert "Configure here from now on" in world.client("admin").get(f"{AGENT}/").text


def test_a_roll_back_is_told_with_its_reason_in_the_pages_language(world):
    """At the agent, and beside the camera's form."""
    saved(world, "/camera", **GOOD)
    errors = (ConfigError(key="cameras.dock-1", words="no picture (auth)"),)
    told(world, config_wanted=1, config_origin=ConfigOrigin.ROLLED_BACK, config_errors=errors)
    admin = world.client("admin")
    for url in (f"{AGENT}/", f"{AGENT}/state", f"{AGENT}/camera/dock-1"):
        page = admin.get(url).text
        assert "No picture. The camera refused the user name or password." in page, url
    assert "Rolled back" in admin.get("/cameras/").text


def rolled_back(world: WebWorld, tried: int, applied: int) -> None:
    errors = (ConfigError(key="cameras.dock-1", words="no picture (auth)"),)
    told(
        world, config_wanted=tried, config_gen=applied, config_origin=ConfigOrigin.ROLLED_BACK,
        config_errors=errors,
    )  # fmt: skip


def test_after_a_roll_back_a_change_builds_on_what_is_in_force(world):
    """The broken change does not come along with the next one; it can be put right, and used all the same."""
    saved(world, "/camera", **GOOD)
    saved(world, "/camera/dock-1", **GOOD | {"address": "rtsp://10.0.0.99:554/1"})
    rolled_back(world, tried=2, applied=1)
    page = world.client("admin").get(f"{AGENT}/").text
    assert "builds on what is in force on the box, and not on generation 2" in page
    assert "10.0.0.7" in page and "10.0.0.99" not in page
    assert "10.0.0.7" in world.client("admin").get(f"{AGENT}/camera/dock-1").text
    saved(world, "/match", threshold="0.5", margin="")
    assert (wanted(world).gen, wanted(world).cameras[0].url) == (
        3,
        "rtsp://admin:s3cret%40word@10.0.0.7:554/1",
    )
    assert "not on generation" not in world.client("admin").get(f"{AGENT}/").text


def test_a_camera_that_was_rolled_back_can_be_put_right(world):
    """It is not in force, but what was typed is not lost: its form is a click away."""
    saved(world, "/take-over")
    saved(world, "/camera", **GOOD)
    rolled_back(world, tried=2, applied=1)
    assert "Correct dock-1 and add it again" in world.client("admin").get(f"{AGENT}/").text
    changed = GOOD | {"password": "", "name": "Dock door"}
    assert "Saved." in saved(world, "/camera/dock-1", **changed)
    assert [each.name for each in wanted(world).cameras] == ["Gate", "Dock door"]
    assert world.rows(models.AgentConfig)[-1].note == "add:dock-1"


def test_after_a_roll_back_to_the_boxs_own_file_its_cameras_are_what_counts(world):
    """They are shown, and the next change keeps them."""
    saved(world, "/camera", **GOOD)
    rolled_back(world, tried=1, applied=0)
    page = world.client("admin").get(f"{AGENT}/").text
    assert "configured in the box's own file" in page and "Configure here from now on" in page
    saved(world, "/camera/dock-1", **GOOD)
    assert [(each.camera_id, each.url == KEPT) for each in wanted(world).cameras] == [
        ("plant-cam", True), ("dock-1", False),
    ]  # fmt: skip


def test_the_table_of_cameras_is_asked_for_again_and_again(world):
    """State, reason and address are of now, also of an agent that is not heard any more."""
    saved(world, "/take-over")
    admin = world.client("admin")
    assert f'data-live="{AGENT}/state"' in admin.get(f"{AGENT}/").text
    assert "Online" in admin.get(f"{AGENT}/state").text
    with UnitOfWork(world.engine) as work:
        camera = work.session.get_one(models.Camera, "plant-cam")
        camera.state, camera.reason = "offline", "timeout"
    part = admin.get(f"{AGENT}/state").text
    assert "Online" not in part and "No answer. Check power" in part and "rtsp://10.0.0.5/…" in part
    with UnitOfWork(world.engine) as work:
        work.session.get_one(models.Agent, "plant-agent").state = "offline"
    assert "Can't tell" in admin.get(f"{AGENT}/state").text


def test_heartbeats_leave_alone_what_was_said_at_birth(world):
    """The settings that the box reported are still there after the next figures."""
    with UnitOfWork(world.engine) as work:
        work.session.get_one(models.Agent, "plant-agent").sid = ""
        beat = Heartbeat(sid="s", ts=0, reported_to=0, extra={"rss_mb": 50})
        record_heartbeat(AgentId("plant-agent"), beat, work, datetime.now(UTC))
    health = agent(world).health
    assert (health["configuration"], health["rss_mb"]) == (TOLD, 50)


def test_two_agents_with_one_camera_are_noticed_and_a_camera_may_move(world):
    """The first to name it keeps it, and the second's card says so, until the first lets go of it."""
    with UnitOfWork(world.engine) as work:
        work.session.add(
            models.Agent(
                agent_id="other", site_id="plant", name="Other box", token_hash="x", manifest_key="00",
                joined_at=datetime.now(UTC),
            )
        )  # fmt: skip
    told(world, "other", "plant-cam")
    owner = {each.camera_id: each.agent_id for each in world.rows(models.Camera)}
    assert owner["plant-cam"] == "plant-agent"
    words = "plant-cam belongs to the agent plant-agent."
    assert words in world.client("viewer").get("/cameras/").text
    assert words in world.client("admin").get("/cameras/agents/other/").text
    told(world, "plant-agent", "another-cam")
    told(world, "other", "plant-cam")
    owner = {each.camera_id: each.agent_id for each in world.rows(models.Camera)}
    assert owner["plant-cam"] == "other"
    assert words not in world.client("viewer").get("/cameras/").text


def test_another_secret_key_is_said_aloud_and_can_be_got_over(world):
    """The agent's manifest goes on without a configuration, and an administrator begins anew."""
    saved(world, "/camera", **GOOD)
    with UnitOfWork(world.engine) as work:
        row = work.session.query(models.AgentConfig).one()
        row.body = Seal("another key of the server", configure_agent.PURPOSE).close(b"{}")
    page = world.client("admin").get(f"{AGENT}/").text
    assert "the server has another HADIR_SECRET_KEY" in page
    assert "cannot be opened any more" in saved(world, "/camera", **GOOD)
    assert world.client("admin").get(f"{AGENT}/camera/dock-1").status_code == 404
    saved(world, "/take-over")
    assert wanted(world).gen == 2


def test_a_picture_is_for_administrators_and_each_look_is_written_down(world):
    """Kept for ten minutes; asking for a camera that the agent does not have is refused."""
    folder = world.home / "stills" / "plant-agent"
    folder.mkdir(parents=True)
    (folder / "plant-cam.jpg").write_bytes(b"\xff\xd8\xff")
    admin, where = world.client("admin"), f"{AGENT}/camera/plant-cam"
    assert admin.get(f"{where}/still").json["state"] == "ready"
    reply = admin.get(f"{where}/picture")
    assert (reply.data, reply.headers["Cache-Control"]) == (b"\xff\xd8\xff", "no-store")
    assert world.client("hr").get(f"{where}/picture").status_code == 403
    assert [each.subject for each in world.rows(models.AuditLog) if each.action == "still.view"] == [
        "plant-cam"
    ]
    assert post(admin, f"{where}/still", {}, headers={"X-Requested-With": "hadir"}).json["state"] == "ready"
    assert post(admin, f"{AGENT}/camera/attic/still", {}).status_code == 404
    assert admin.get(f"{AGENT}/camera/../../x/picture").status_code == 404


def test_a_camera_in_a_public_zone_never_identifies(world):
    """Whatever the form says: what the agent gets is without identification."""
    with UnitOfWork(world.engine) as work:
        work.session.add(models.Zone(zone_id="street", site_id="plant", name="Street", is_public=True))
    for zone, identifies in (("Street", False), ("Dock", True)):
        camera = GOOD | {"camera_id": f"cam-{zone.lower()}", "zone": zone}
        assert "Saved." in saved(world, "/camera", **camera)
        found = wanted(world).camera(camera["camera_id"])
        assert found is not None and found.identify is identifies
