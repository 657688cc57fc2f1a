"""Cameras exchanged in a running agent: nobody looks away unnoticed, no event slips past the watermark."""

import threading
from dataclasses import dataclass, field

from common.camera_settings import CameraConfig
from common.events import CameraReason, CameraState
from common.ids import CameraId
from edge_agent.adapters.video_source import SourceHealth
from edge_agent.camera_set import CameraSet
from tests.link_world import wait_until


@dataclass
class SlowWorker:
    """A camera's worker that ends when the test lets it, with a frame of that instant in hand until then."""

    camera: CameraConfig
    ends: threading.Event = field(default_factory=threading.Event)
    frame_ts: int = 1000
    is_running: bool = False

    def start(self) -> None:
        self.is_running = True

    def stop(self) -> None:
        self.ends.wait(10)
        self.is_running = False

    def is_alive(self) -> bool:
        return self.is_running

    def in_hand(self) -> list[int]:
        return [self.frame_ts] if self.is_running else []

    def health(self) -> SourceHealth:
        return SourceHealth(
            state=CameraState.ONLINE, reason=CameraReason.NONE, since_ms=0, fps=5, last_frame_age_ms=1,
            dropped=0,
        )  # fmt: skip


def camera(camera_id: str, url: str = "rtsp://10.0.0.5/1") -> CameraConfig:
    return CameraConfig(camera_id=CameraId(camera_id), name=camera_id, url=url, zone="")


def states(cameras: CameraSet) -> dict[str, CameraState]:
    return {each.camera_id: each.state for each in cameras.statuses()}


def test_a_camera_that_is_being_exchanged_is_offline_and_what_it_saw_is_still_to_come():
    """Until the old worker has ended its instant holds the watermark back; the others go on untouched."""
    made: list[SlowWorker] = []

    def make(config: CameraConfig) -> SlowWorker:
        made.append(SlowWorker(config))
        return made[-1]

    cameras = CameraSet(make, [camera("gate"), camera("dock"), camera("yard")])  # type: ignore[arg-type]
    cameras.start()
    gate, dock, yard = made
    gate.frame_ts, dock.frame_ts, yard.frame_ts = 1, 2, 3
    after = [camera("gate", "rtsp://10.0.0.9/1"), camera("yard")]
    exchange = threading.Thread(target=cameras.replace, args=(after,))
    exchange.start()
    wait_until(lambda: states(cameras).get("gate") is CameraState.OFFLINE, about="nobody looks")
    assert states(cameras) == {
        "gate": CameraState.OFFLINE, "yard": CameraState.ONLINE, "dock": CameraState.DISABLED,
    }  # fmt: skip
    assert sorted(cameras.in_hand()) == [1, 2, 3]
    assert not cameras.looks()["gate"].has_picture
    assert cameras.dead() == []
    gate.ends.set()
    dock.ends.set()
    exchange.join(10)
    assert [each.camera.url for each in made[3:]] == ["rtsp://10.0.0.9/1"]
    assert sorted(cameras.in_hand()) == [3, 1000]
    assert yard.is_running and states(cameras)["gate"] is CameraState.ONLINE


def test_an_agent_that_ends_during_an_exchange_starts_no_camera():
    """Whatever comes first."""
    made: list[SlowWorker] = []

    def make(config: CameraConfig) -> SlowWorker:
        made.append(SlowWorker(config))
        made[-1].ends.set()
        return made[-1]

    cameras = CameraSet(make, [camera("gate")])  # type: ignore[arg-type]
    cameras.start()
    cameras.stop()
    cameras.replace([camera("dock")])
    assert [each.is_running for each in made] == [False, False]
