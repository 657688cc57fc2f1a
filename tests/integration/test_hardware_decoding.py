"""Decoding beside this process, and what this machine's hardware is good for."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from common.events import CameraReason
from common.ids import CameraId
from edge_agent.adapters.decoding import Decoder, Opening, SourceError, Video
from edge_agent.adapters.ffmpeg_child import ChildContext
from edge_agent.adapters.hardware import probe_hardware
from edge_agent.adapters.video_source import VideoSource
from edge_agent.bench.clips import Clip, make_clip
from edge_agent.bench.rtsp_camera import Faults, RtspServer
from edge_agent.config import DECODERS, CameraConfig
from tests.clips import Recipe, make_video, scene_at

with_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")


def beside(path: Path) -> Video:
    return Video(Opening(url=str(path), is_live=False, decode="ffmpeg"))


def command_lines() -> dict[int, str]:
    """Return what everybody on this machine can read of each process."""
    found = {}
    for each in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[int(each.parent.name)] = each.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it has just ended
            continue
    return found


def children() -> list[str]:
    """Return the command lines of the ffmpeg processes that this one has started."""
    found = []
    for number, line in command_lines().items():
        try:
            parent = Path(f"/proc/{number}/stat").read_text().rsplit(")", 1)[1].split()[1]
        except OSError:
            continue
        if int(parent) == os.getpid() and "ffmpeg" in line:
            found.append(line)
    return found


def until(true: Callable[[], bool], *, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


@with_ffmpeg
def test_every_decoder_is_tried_and_answered_for():
    """The program ffmpeg works where it is; hardware that is not there is said not to be, in words."""
    probes = {each.name: each for each in probe_hardware()}
    assert set(probes) == set(DECODERS) - {"software"}
    assert probes["ffmpeg"].works and probes["ffmpeg"].words == "works"
    assert all(each.words for each in probes.values())
    if not list(Path("/dev").glob("dri/render*")):
        assert not any(probes[name].works for name in ("cuda", "qsv", "drm", "vaapi"))
    assert not children(), "nothing is left running"


def test_without_the_program_it_is_named(monkeypatch, tmp_path):
    """VAAPI needs it too; and a camera that asks for it says `decode`."""
    monkeypatch.setenv("PATH", str(tmp_path))
    probes = {each.name: each for each in probe_hardware()}
    for name in ("vaapi", "ffmpeg"):
        assert not probes[name].works and "program ffmpeg" in probes[name].words
    path = make_video(tmp_path / "clip.mp4", Recipe(pictures=3))
    with pytest.raises(SourceError) as refused:
        beside(path)
    assert refused.value.reason is CameraReason.DECODE


@with_ffmpeg
def test_a_child_that_was_killed_is_an_error_that_opens_the_camera_anew(tmp_path):
    """The decoder gives up, and closing what is left of it complains about nothing."""
    video = beside(make_video(tmp_path / "clip.mp4", Recipe(pictures=150)))
    decoder, packets = Decoder(video), video.packets()
    decoder.feed(next(packets), is_wanted=True, is_idle=False, at_s=0.0)
    assert isinstance(video.context, ChildContext)
    video.context._process.kill()
    video.context._process.wait()
    with pytest.raises(SourceError) as refused:
        for number, packet in enumerate(packets):
            decoder.feed(packet, is_wanted=True, is_idle=False, at_s=number / 15)
    assert refused.value.reason is CameraReason.DECODE
    video.close()
    assert not children()


@with_ffmpeg
def test_pictures_that_come_late_are_never_waited_for_at_rest(tmp_path):
    """A key frame given to another process comes out packets later: at rest that would be seconds."""
    video = beside(make_video(tmp_path / "clip.mp4", Recipe(pictures=60)))
    decoder = Decoder(video)
    for number, packet in enumerate(video.packets()):
        decoder.feed(packet, is_wanted=True, is_idle=True, at_s=number / 15)
        assert not decoder.is_resting
    assert decoder.decoded == 60
    video.close()


@with_ffmpeg
def test_a_camera_decoded_beside_us_shows_what_it_sees_and_its_address_stays_here(tmp_path):
    """Over RTSP with a password: pictures come, the newest first, and no command line tells the address."""
    clip = Clip.read(make_clip(tmp_path / "clip.h264"))
    with RtspServer(clip, faults=Faults(auth="guard:s3cret-word")) as server:
        url = server.url.replace("rtsp://", "rtsp://guard:s3cret-word@")
        camera = CameraConfig(
            camera_id=CameraId("gate"), name="Gate", url=url, zone="z", sample_fps=15.0, decode="ffmpeg"
        )
        source = VideoSource(camera)
        source.start()
        try:
            frames = [source.take(10) for _ in range(4)]
            assert all(each is not None for each in frames)
            assert [(each.picture.width, each.picture.height) for each in frames if each] == [(320, 180)] * 4
            image = frames[-1].picture.cut().image if frames[-1] else np.zeros(1)
            assert image.std() > 25, "the test pattern has every colour"
            assert len(children()) == 1
            assert not any("s3cret-word" in line for line in command_lines().values())
            assert not any(word in line for line in children() for word in (f":{server.port}", "rtsp"))
        finally:
            source.stop()
        until(lambda: not children())


@with_ffmpeg
def test_a_file_decoded_beside_us_plays_to_its_end(tmp_path):
    """Its pictures come in order and a little late; a busy machine takes fewer of them."""
    path = make_video(tmp_path / "clip.mp4", Recipe(pictures=20, keys_every=10))
    camera = CameraConfig(
        camera_id=CameraId("gate"), name="Gate", url=str(path), zone="z", sample_fps=15.0, decode="ffmpeg"
    )
    source, seen = VideoSource(camera), []
    source.start()
    while (frame := source.take(1.5)) is not None:
        seen.append(frame.picture.cut().image.astype(int))
    source.stop()
    right = [scene_at(number).astype(int) for number in range(1, 21)]
    shown = [min(range(20), key=lambda n: float(np.abs(right[n] - image).mean())) for image in seen]
    assert len(shown) >= 5 and shown == sorted(shown) and shown[0] <= 9 and shown[-1] >= 15
