"""A box's memory of configurations: what it survives, and what it never takes."""

import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest

from common.agent_settings import AgentSettings, to_json
from common.camera_settings import KEPT, CameraConfig
from common.events import CameraReason, ConfigOrigin, Manifest
from common.ids import CameraId
from common.signing import signed
from edge_agent.adapters.central_api import CentralError
from edge_agent.adapters.config_file import ConfigFile
from edge_agent.config import EdgeConfig
from edge_agent.config_keeper import ConfigKeeper, Hooks, Patience
from edge_agent.core.config_change import MOST_STARTS, Look, Stage
from edge_agent.wanted_config import MOST_BYTES, Plan, local_plan, without_secrets
from tests.link_world import wait_until

KEY = "5a" * 32
QUICK = Patience(running_s=0.6, booting_s=0.6)
SEES = Look(True, 100.0)
BLIND = Look(False, 100.0, CameraReason.AUTH)


def camera(camera_id: str, url: str = "rtsp://10.0.0.5/1", **more: object) -> CameraConfig:
    return CameraConfig(camera_id=CameraId(camera_id), name=camera_id, url=url, zone="", **more)  # type: ignore[arg-type]


@dataclass
class Dashboard:
    """A server that has one configuration to give, and signs for it."""

    content: bytes = b""
    gen: int = 0
    asked: int = 0
    fails: int = 0

    def wants(self, gen: int, *cameras: CameraConfig) -> Manifest:
        self.gen, self.content = gen, to_json(AgentSettings(gen=gen, cameras=cameras))
        return self.manifest()

    def manifest(self) -> Manifest:
        digest = sha256(self.content).hexdigest()
        unsigned = Manifest(
            config_gen=self.gen, gallery_gen=0, gallery_sha256="", issued=0, lease_s=9, config_sha256=digest
        )
        return signed(unsigned, bytes.fromhex(KEY))

    def configuration(self) -> bytes:
        self.asked += 1
        if self.asked <= self.fails:
            raise CentralError("the server is away")
        return self.content


@dataclass
class Box:
    """An agent's keeper, and cameras of which the test says whether they see."""

    home: Path
    server: Dashboard = field(default_factory=Dashboard)
    own: tuple[CameraConfig, ...] = ()
    sees: Callable[[str], Look] = lambda _: SEES
    owner: str = "gate at https://hadir"
    remote: bool = True
    ran: list[Plan] = field(default_factory=list)
    told: int = 0

    def boot(self) -> ConfigKeeper:
        local = EdgeConfig(home=self.home, cameras=self.own, remote=self.remote)
        file = ConfigFile(self.home / "config.json", self.owner)
        keeper = ConfigKeeper(file, local, KEY, self.server, QUICK)
        self.ran = [keeper.plan]
        return keeper

    def start(self) -> ConfigKeeper:
        keeper = self.boot()
        keeper.start(Hooks(self.ran.append, lambda _: None, self.looks, self.tell))
        return keeper

    def looks(self) -> dict[str, Look]:
        return {each.camera_id: self.sees(each.camera_id) for each in self.ran[-1].cameras}

    def tell(self) -> None:
        self.told += 1

    def names(self) -> list[str]:
        return [each.camera_id for each in self.ran[-1].cameras]


def until(keeper: ConfigKeeper, stage: Stage) -> None:
    wait_until(lambda: keeper.standing().stage is stage, 10, about=f"{stage}, not {keeper.standing()}")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_power_cut_between_storing_and_applying_loses_nothing(tmp_path):
    """What was stored is tried at the next start, with what worked before still known."""
    box = Box(tmp_path, own=(camera("gate"),))

    def dies(plan: Plan) -> None:
        raise SystemExit  # ends the thread as a power cut would: stored, and not applied

    keeper = box.boot()
    keeper.start(Hooks(dies, lambda _: None, box.looks, box.tell))
    keeper.hear(box.server.wants(1, camera("gate", "rtsp://10.0.0.9/1")))
    wait_until(lambda: not keeper.is_alive(), about="the power is cut")

    box.sees = lambda _: BLIND
    again = box.start()
    assert box.ran[0].cameras[0].url == "rtsp://10.0.0.9/1"
    until(again, Stage.ROLLED_BACK)
    assert (box.names(), box.ran[-1].is_local) == (["gate"], True)
    again.stop()


def test_a_configuration_that_kills_the_agent_does_not_lock_the_box(tmp_path):
    """After a few starts in one trial the agent runs what worked before, and says so."""
    box = Box(tmp_path)
    keeper = box.start()
    keeper.hear(box.server.wants(1, camera("gate")))
    until(keeper, Stage.GOOD)
    box.sees = lambda _: BLIND  # so that the trial is not over at once
    keeper.hear(box.server.wants(2, camera("bomb")))
    until(keeper, Stage.TRYING)
    keeper.stop()
    runs = [[each.camera_id for each in box.boot().plan.cameras] for _ in range(MOST_STARTS + 2)]
    assert runs == [["bomb"]] * MOST_STARTS + [["gate"]] * 2
    standing = box.boot().standing()
    assert (standing.gen, standing.wanted, standing.origin) == (1, 2, ConfigOrigin.ROLLED_BACK)
    assert "3 times" in standing.errors[0].words


@pytest.mark.parametrize(
    "damage", [b"", b"{", b'{"owner": 3}', b'{"owner":"gate at https://hadir","held":{}}', b"\xff"]
)
def test_a_damaged_file_is_fetched_anew(tmp_path, damage):
    """The box's own file counts meanwhile; nothing of the damage keeps the agent from starting."""
    (tmp_path / "config.json").write_bytes(damage)
    box = Box(tmp_path, own=(camera("mine"),))
    keeper = box.start()
    assert box.names() == ["mine"]
    keeper.hear(box.server.wants(4, camera("gate")))
    until(keeper, Stage.GOOD)
    keeper.stop()
    assert [each.camera_id for each in box.boot().plan.cameras] == ["gate"]


def test_what_was_configured_by_another_server_is_not_taken_up(tmp_path):
    """A box that moved to another company does not look through the first one's cameras."""
    box = Box(tmp_path)
    keeper = box.start()
    keeper.hear(box.server.wants(9, camera("gate")))
    until(keeper, Stage.GOOD)
    keeper.stop()
    box.owner = "gate at https://other"
    assert box.boot().plan.cameras == ()
    assert box.boot().standing().wanted == 0


def test_only_what_the_server_signed_for_is_taken(tmp_path, caplog):
    """Neither a forged manifest, nor an old one, nor bytes that do not fit."""
    box = Box(tmp_path)
    keeper = box.start()
    manifest = box.server.wants(3, camera("gate"))
    keeper.hear(replace(manifest, config_gen=7))
    keeper.hear(manifest)
    until(keeper, Stage.GOOD)
    keeper.hear(box.server.wants(2, camera("old")))
    box.server.wants(4, camera("new"))
    wrong = replace(box.server.manifest(), config_sha256="00" * 32)
    box.server.manifest = lambda: signed(wrong, bytes.fromhex(KEY))  # type: ignore[method-assign]
    with caplog.at_level(logging.WARNING, "hadir.config"):
        keeper.hear(box.server.manifest())
        wait_until(lambda: "signed for" in caplog.text, about="it is said")
    assert (keeper.standing().wanted, box.names()) == (3, ["gate"])
    keeper.stop()


def test_a_server_that_is_away_is_asked_again(tmp_path):
    """The manifest came by the broker, and the web server answers later."""
    box = Box(tmp_path, server=Dashboard(fails=1))
    keeper = box.start()
    keeper.hear(box.server.wants(1, camera("gate")))
    until(keeper, Stage.GOOD)
    assert box.server.asked == 2
    keeper.stop()


def test_an_address_that_the_box_keeps_is_its_own(tmp_path):
    """Where its file has none, the whole generation is refused with the key, and what runs goes on."""
    box = Box(tmp_path, own=(camera("gate", "rtsp://u:s3cret-word@10.0.0.5/1", sub_url="rtsp://10.0.0.5/2"),))
    keeper = box.start()
    keeper.hear(box.server.wants(1, camera("gate", KEPT, sub_url=KEPT, min_face_px=40)))
    until(keeper, Stage.GOOD)
    (plan,) = box.ran[-1].cameras
    assert (plan.url, plan.sub_url, plan.min_face_px) == (
        "rtsp://u:s3cret-word@10.0.0.5/1",
        "rtsp://10.0.0.5/2",
        40,
    )
    assert "s3cret-word" not in (tmp_path / "config.json").read_text()
    keeper.hear(box.server.wants(2, camera("gate", KEPT), camera("dock", KEPT)))
    wait_until(lambda: keeper.standing().wanted == 2, about="it is refused")
    standing = keeper.standing()
    assert (standing.gen, standing.stage, [each.key for each in standing.errors]) == (
        1,
        Stage.GOOD,
        ["cameras.dock.url"],
    )
    keeper.stop()


def test_a_change_waits_for_the_cameras_after_a_start(tmp_path):
    """Else a camera that the change breaks would not be known to have worked."""
    began = time.monotonic()
    box = Box(
        tmp_path, own=(camera("gate"),), sees=lambda _: SEES if time.monotonic() - began > 0.1 else BLIND
    )
    keeper = box.start()
    keeper.hear(box.server.wants(1, camera("gate", "rtsp://10.0.0.9/1")))
    until(keeper, Stage.TRYING)
    box.sees = lambda _: BLIND
    until(keeper, Stage.ROLLED_BACK)
    keeper.stop()


def test_a_disk_that_takes_nothing_keeps_what_runs_running(tmp_path, caplog):
    """A generation that cannot be stored is not applied; it is tried again."""
    blocked = tmp_path / "home"
    blocked.write_text("a file where a folder should be")
    box = Box(blocked, own=(camera("mine"),))
    keeper = box.start()
    with caplog.at_level(logging.WARNING, "hadir.config"):
        keeper.hear(box.server.wants(1, camera("gate")))
        wait_until(lambda: "trying again" in caplog.text, about="it is said")
    assert (box.names(), keeper.standing().gen) == (["mine"], 0)
    assert keeper.is_alive()
    keeper.stop()


def test_what_a_birth_tells_has_an_end_and_no_secret():
    """A broker hangs up on a message that is too long: it is cut, and says so."""
    corner = tuple((round(n / 60, 4), round(n / 61, 4)) for n in range(60))
    many = [camera(f"cam-{n}", "rtsp://u:s3cret-word@10.0.0.5/1", mask=(corner,) * 5) for n in range(60)]
    few = without_secrets(local_plan(EdgeConfig(home=Path(), cameras=tuple(many[:2]))))
    all_of_them = without_secrets(local_plan(EdgeConfig(home=Path(), cameras=tuple(many))))
    assert "is_cut" not in few and len(few["cameras"][0]["mask"]) == 5
    assert all_of_them["is_cut"] and len(all_of_them["cameras"]) == 60
    assert len(json.dumps(all_of_them)) < MOST_BYTES
    assert "s3cret-word" not in json.dumps([few, all_of_them])
