"""A camera's worker on a real video: what it says about itself."""

import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest

from common.events import CameraReason, CameraState
from common.ids import CameraId
from edge_agent.adapters.video_source import SourceHealth
from edge_agent.camera_worker import CameraWorker
from edge_agent.config import CameraConfig
from edge_agent.core.gallery import Gallery
from edge_agent.core.geometry import Detection
from edge_agent.pipeline import CameraPipeline
from tests.vision_world import POLICY, ScriptedAnalyser

LIGHTS_OUT_S, CLIP_S = 14, 30


@pytest.fixture
def dark_then_light(tmp_path: Path) -> str:
    """A video of fourteen seconds without light, and then with."""
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is not installed: no video can be made")
    file = tmp_path / "lights.mp4"
    lamp = f"testsrc=s=320x180:r=15:d={CLIP_S},drawbox=c=black:t=fill:enable='lt(t,{LIGHTS_OUT_S})'"
    options = "-c:v libx264 -tune zerolatency -g 15 -pix_fmt yuv420p"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", lamp, *options.split(), str(file)]
    subprocess.run(command, check=True)
    return str(file)


class SeesNobody(ScriptedAnalyser):
    def detect(self, image: np.ndarray) -> list[Detection]:
        return []


def a_worker(url: str) -> CameraWorker:
    camera = CameraConfig(camera_id=CameraId("gate"), name="Gate", url=url, zone="z", rests=False)
    gallery = Gallery.build("test:0", 1, [])

    def pipeline() -> CameraPipeline:
        return CameraPipeline(camera, SeesNobody(), POLICY, "boot", lambda: gallery)

    return CameraWorker(camera, pipeline, lambda _: None)


def until(worker: CameraWorker, state: CameraState, within_s: float) -> SourceHealth:
    deadline = time.monotonic() + within_s
    while (health := worker.health()).state is not state:
        assert time.monotonic() < deadline, f"it did not become {state} in time"
        time.sleep(0.05)
    return health


def test_a_dark_camera_is_degraded_until_it_sees_and_proves_nothing_before(dark_then_light):
    """Pictures arrive all along; after ten dark seconds they count for nothing until there is light."""
    worker = a_worker(dark_then_light)
    worker.start()
    try:
        first = until(worker, CameraState.ONLINE, 10)
        dark = until(worker, CameraState.DEGRADED, 15)
        assert dark.reason is CameraReason.DARK and dark.fps > 0
        assert 9_000 < dark.since_ms - first.since_ms < 14_000
        light = until(worker, CameraState.ONLINE, 10)
        assert light.reason is CameraReason.NONE
        assert 13_000 < light.since_ms - first.since_ms < 17_000  # covered anew, from the light on
    finally:
        worker.stop()
