"""A camera with two streams over real RTSP: one is watched, small faces are taken from the other."""

import logging
import time
from collections.abc import Iterator

import numpy as np
import pytest

from common.ids import CameraId
from edge_agent.adapters.detail_stream import DetailStream
from edge_agent.adapters.video_source import RetryPolicy, VideoSource
from edge_agent.bench.clips import Clip, make_clip
from edge_agent.bench.rtsp_camera import Faults, RtspServer
from edge_agent.config import CameraConfig
from edge_agent.core.geometry import Box
from edge_agent.faces import closer_look
from edge_agent.frame import Frame
from edge_agent.picture import ColourPicture
from tests.vision_world import TEXTURE, ScriptedAnalyser, detection_at


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Clip, Clip]:
    """The same pattern twice: large and small."""
    folder = tmp_path_factory.mktemp("streams")
    sizes = {"main": "960x540", "sub": "320x180"}
    main, sub = (Clip.read(make_clip(folder / f"{name}.h264", size=size)) for name, size in sizes.items())
    return main, sub


@pytest.fixture
def streams(clips) -> Iterator[tuple[RtspServer, RtspServer]]:
    with RtspServer(clips[0], faults=Faults()) as main, RtspServer(clips[1]) as sub:
        yield main, sub


def camera(main: RtspServer, sub: RtspServer, **more: object) -> CameraConfig:
    wanted = {"sample_fps": 15.0, "open_timeout_s": 2.0, "read_timeout_s": 1.0} | more
    return CameraConfig(camera_id=CameraId("gate"), name="", zone="", url=main.url, sub_url=sub.url, **wanted)


def within(seconds: float, get):
    """Return what get returns once that is something."""
    until = time.monotonic() + seconds
    while (found := get()) is None:
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
    return found


def test_the_sub_stream_is_watched_and_the_main_one_is_there_when_asked(streams):
    """Frames have the small size; the picture behind them has the large one, and shows the same moment."""
    source = VideoSource(camera(*streams), retry=RetryPolicy(first_s=0.2))
    source.start()
    try:
        frame = within(10, lambda: source.take(1))
        assert (frame.picture.width, frame.picture.height) == (320, 180)
        close = within(10, lambda: frame.closer())
        assert (close.width, close.height) == (960, 540)
        assert frame.closer() is close or frame.closer() is not None, "asked twice, it is not gone"
        frame = within(5, lambda: source.take(1))
        small, large = (each.grey((160, 90)).astype(int) for each in (frame.picture, frame.closer()))
        assert np.abs(small - large).mean() < 12
    finally:
        source.stop()


def test_the_main_stream_is_masked_too(streams):
    """What is not to be seen is black in either."""
    whole = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    detail = DetailStream(camera(*streams, mask=(whole,)))
    detail.start()
    try:
        assert within(10, lambda: detail.picture(time.monotonic())).cut().image.max() == 0
    finally:
        detail.stop()


def test_without_the_main_stream_the_sub_stream_goes_on(streams, caplog):
    """A main stream that is gone is said once, without the password; small faces stay small."""
    caplog.set_level(logging.WARNING, logger="edge_agent.adapters.detail_stream")  # whatever else was set
    main, sub = streams
    main.faults.auth = "guard:secret-word"
    wrong = camera(main, sub)
    source = VideoSource(wrong, retry=RetryPolicy(first_s=0.2))
    source.start()
    try:
        frame = within(10, lambda: source.take(1))
        within(10, lambda: True if "no main stream (auth)" in caplog.text else None)
        assert frame.closer() is None
        assert "secret-word" not in caplog.text
    finally:
        source.stop()


def test_a_main_stream_that_stands_still_is_not_used(streams):
    """Its picture would be of another moment."""
    main, sub = streams
    main.faults.stall_after = 20
    detail = DetailStream(camera(main, sub, read_timeout_s=5.0))
    detail.start()
    try:
        within(10, lambda: detail.picture(time.monotonic()))
        within(10, lambda: True if detail.picture(time.monotonic()) is None else None)
    finally:
        detail.stop()


def test_a_small_face_is_taken_from_where_it_is_larger():
    """The face is found again in the sharper picture; a large one, or one not found there, stays as it is."""
    sharp = np.kron(TEXTURE, np.ones((3, 3, 1), np.uint8))
    small, large, lost = Box(300, 200, 340, 240), Box(100, 100, 200, 200), Box(500, 300, 530, 330)
    analyser = ScriptedAnalyser()
    there = Box(small.left * 3 + 12, small.top * 3, small.right * 3 + 12, small.bottom * 3)

    class Stage(ColourPicture):
        def cut(self, box=None, scale=1.0):
            cut = super().cut(box, scale)
            self.seen = cut
            return cut

    stage = Stage(sharp)

    class Finds(ScriptedAnalyser):
        def detect(self, image):
            cut = stage.seen
            corners = cut.to_cut(np.array([[there.left, there.top], [there.right, there.bottom]]))
            box = Box(*corners.ravel())
            inside = box.left >= 0 and box.right <= image.shape[1] and box.top >= 0
            return [detection_at(box)] if inside and box.bottom <= image.shape[0] else []

    frame = Frame(analyser.on(TEXTURE), 1, 1, 1, lambda: stage)
    picture, face = closer_look(frame, detection_at(small), Finds())
    assert picture is stage and abs(face.box.left - there.left) < 2 and abs(face.box.width - 120) < 2
    for box in (large, lost):
        picture, face = closer_look(frame, detection_at(box), Finds())
        assert picture is frame.picture and face.box == box
    gone = Frame(analyser.on(TEXTURE), 1, 1, 1, lambda: None)
    assert closer_look(gone, detection_at(small), Finds())[0] is gone.picture
