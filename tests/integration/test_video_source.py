"""The video source against a real RTSP server over real sockets, and against real files."""

import contextlib
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from common.events import CameraReason, CameraState
from common.ids import CameraId
from edge_agent.adapters import machine
from edge_agent.adapters.video_source import VideoSource
from edge_agent.bench.clips import Clip, make_clip
from edge_agent.bench.rtsp_camera import Faults, RtspServer
from edge_agent.config import CameraConfig
from edge_agent.core.retry import RetryPolicy
from edge_agent.picture import Picture

SOON = RetryPolicy(first_s=0.2, most_s=0.5, stable_s=30)


def camera(url: str, **more: object) -> CameraConfig:
    wanted = {"sample_fps": 15.0, "open_timeout_s": 2.0, "read_timeout_s": 1.0} | more
    return CameraConfig(camera_id=CameraId("gate"), name="Gate", url=url, zone="z", **wanted)


def until(true: Callable[[], bool], *, within_s: float = 12.0) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return Clip.read(make_clip(tmp_path_factory.mktemp("rtsp") / "clip.h264"))


@pytest.fixture
def watch() -> Iterator[Callable[..., VideoSource]]:
    """Return a function that starts a source; all are stopped afterwards."""
    started: list[VideoSource] = []

    def start(url: str, retry: RetryPolicy = SOON, **more: object) -> VideoSource:
        source = VideoSource(camera(url, **more), retry=retry)
        started.append(source)
        source.start()
        return source

    yield start
    for each in started:
        each.stop()


def is_offline_for(source: VideoSource, reason: CameraReason) -> Callable[[], bool]:
    return lambda: (source.health().state, source.health().reason) == (CameraState.OFFLINE, reason)


def test_frames_arrive_over_rtsp(clip, watch):
    """A reachable camera is online and hands over pictures of its own size, newest first."""
    with RtspServer(clip) as server:
        source = watch(server.url)
        first = source.take(10)
        assert first is not None and (first.picture.height, first.picture.width) == (180, 320)
        second = source.take(5)
        assert second is not None and second.mono > first.mono and second.index > first.index
        assert abs(second.ts - time.time() * 1000) < 5000
        health = source.health()
        assert (health.state, health.reason) == (CameraState.ONLINE, CameraReason.NONE)
        assert health.last_frame_age_ms is not None


def test_only_the_newest_frame_waits(clip, watch):
    """Frames that nobody takes are dropped and counted; the one that is taken is fresh."""
    with RtspServer(clip) as server:
        source = watch(server.url)
        until(lambda: source.health().dropped >= 5)
        frame = source.take(1)
        assert frame is not None and machine.mono_ms() - frame.mono < 500


def test_the_sampling_rate_is_kept(clip, watch):
    """A 15 fps stream sampled at 5 offers about five frames a second."""
    with RtspServer(clip) as server:
        source = watch(server.url, sample_fps=5.0)
        until(lambda: source.health().dropped >= 12)
        assert 3.5 <= source.health().fps <= 6.5


@pytest.mark.parametrize("given", ["", "guard:wrong@", "guard:right-word@"])
def test_a_wrong_password_is_reported_as_such(clip, watch, given, caplog):
    """A camera that refuses the password is offline for `auth`; the right one opens it; neither is logged."""
    with RtspServer(clip, faults=Faults(auth="guard:right-word")) as server, caplog.at_level(logging.DEBUG):
        source = watch(server.url.replace("rtsp://", f"rtsp://{given}"))
        if "right" in given:
            assert source.take(10) is not None
        else:
            until(is_offline_for(source, CameraReason.AUTH))
        assert "wrong" not in caplog.text and "right-word" not in caplog.text


def test_a_stalled_stream_is_noticed_and_recovers(clip, watch):
    """A camera that keeps the connection but sends nothing is `stalled`, and is opened again."""
    faults = Faults(stall_after=10)
    with RtspServer(clip, faults=faults) as server:
        source = watch(server.url)
        until(is_offline_for(source, CameraReason.STALLED))
        faults.stall_after = 0
        until(lambda: source.health().state is CameraState.ONLINE and server.plays >= 2)


def sound_and_pictures(path: Path, pictures_s: int, sound_s: int) -> bytes:
    """Return a transport stream whose pictures end before its sound does."""
    with av.open(str(path), "w", format="mpegts") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 160, 96, "yuv420p"
        video.options = {"tune": "zerolatency", "g": "10"}
        sound = container.add_stream("mp2", rate=16_000)
        for tenth in range(sound_s * 10):
            if tenth < pictures_s * 10:
                image = np.full((96, 160, 3), tenth * 3 % 255, np.uint8)
                container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1600), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, tenth * 1600
            container.mux(sound.encode(frame))
    return path.read_bytes()


def test_sound_does_not_hide_that_the_pictures_have_stopped(watch, tmp_path):
    """The camera is `stalled` though packets go on arriving."""
    stream = sound_and_pictures(tmp_path / "both.ts", pictures_s=3, sound_s=40)
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection, contextlib.suppress(OSError):
                    for start in range(0, len(stream), 1880):
                        connection.sendall(stream[start : start + 1880])
                        time.sleep(0.02 if start < len(stream) // 3 else 0.2)

    threading.Thread(target=serve, daemon=True).start()
    try:
        source = watch(f"tcp://127.0.0.1:{listener.getsockname()[1]}")
        assert source.take(10) is not None
        until(is_offline_for(source, CameraReason.STALLED), within_s=30)
    finally:
        listener.close()


def test_a_server_that_goes_and_comes_back(clip, watch, free_port):
    """While the camera is gone its port is `refused`; when it is back there are pictures again."""
    port = free_port()
    with RtspServer(clip, port=port) as server:
        source = watch(server.url)
        assert source.take(10) is not None
    until(is_offline_for(source, CameraReason.REFUSED))
    before = source.health().since_ms
    with RtspServer(clip, port=port):
        until(lambda: source.health().state is CameraState.ONLINE)
        assert source.health().since_ms >= before


def test_a_connection_that_breaks_is_opened_again(clip, watch):
    """A camera that hangs up in the middle is opened again, as often as it takes."""
    with RtspServer(clip, faults=Faults(drop_after=5)) as server:
        watch(server.url)
        until(lambda: server.plays >= 3)


def test_an_unreachable_name_and_port(watch, free_port):
    """A closed port is `refused`; a name that does not exist is `dns`."""
    until(is_offline_for(watch(f"rtsp://127.0.0.1:{free_port()}/cam"), CameraReason.REFUSED))
    until(is_offline_for(watch("rtsp://no-such-camera.invalid/cam"), CameraReason.DNS), within_s=30)


def test_a_flapping_camera_is_asked_less_and_less_often(clip, watch):
    """Frames for a moment do not forgive earlier failures: the wait goes on growing."""
    with RtspServer(clip, faults=Faults(drop_after=2)) as server:
        watch(server.url, retry=RetryPolicy(first_s=0.4, most_s=60, stable_s=30))
        until(lambda: server.plays >= 2)
        began = time.monotonic()
        until(lambda: server.plays >= 4, within_s=20)
        assert time.monotonic() - began > 1.0  # at least 0.4 + 0.8 s of waiting, half of it jitter


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    """A two-second file at 10 fps whose brightness tells the frame's number."""
    path = tmp_path / "numbered.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for number in range(20):
        writer.write(np.full((48, 64, 3), number * 12, np.uint8))
    writer.release()
    return path


def number_in(picture: Picture) -> int:
    return round(float(picture.cut().image.mean()) / 12)


def test_a_file_plays_in_real_time_and_ends(watch, numbered):
    """A file takes as long as it lasts, and then its camera is offline because it `ended`."""
    began = time.monotonic()
    source = watch(str(numbered), sample_fps=10.0)
    seen = []
    while (frame := source.take(1.5)) is not None:
        seen.append(number_in(frame.picture))
    assert seen == sorted(seen) and len(seen) >= 8
    assert is_offline_for(source, CameraReason.ENDED)()
    assert 1.7 <= time.monotonic() - began <= 6


def test_a_looping_file_goes_on_where_the_clock_says(watch, numbered):
    """With an anchor a restarted source shows the place where the story has got to."""
    anchor = time.time() - 100.5  # fifty loops and half a second ago
    frame = watch(str(numbered), sample_fps=10.0, loop=True, loop_anchor_s=anchor).take(5)
    expected = int(((time.time() - anchor) % 2.0) * 10)
    assert frame is not None and (expected - number_in(frame.picture)) % 20 <= 3


def test_a_looping_file_does_not_end(watch, numbered):
    """A looping file offers more than it holds."""
    source = watch(str(numbered), sample_fps=20.0, loop=True)
    numbers = [number_in(frame.picture) for _ in range(55) if (frame := source.take(2)) is not None]
    assert any(later < earlier for earlier, later in pairwise(numbers))
    assert source.health().state is CameraState.ONLINE


def test_a_file_that_is_missing_or_broken(watch, tmp_path):
    """A missing file is `refused`; one that is no video cannot be decoded."""
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"this is no video" * 100)
    until(is_offline_for(watch(str(tmp_path / "none.mp4")), CameraReason.REFUSED))
    until(is_offline_for(watch(str(broken)), CameraReason.DECODE))
