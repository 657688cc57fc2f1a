"""A few seconds through one camera, for `hadir agent check`: measured, not judged."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from statistics import mean

import numpy as np

from common.events import CameraReason, CameraState
from edge_agent.adapters.video_source import SourceHealth, VideoSource
from edge_agent.config import CameraConfig
from edge_agent.core.attention import GREY
from edge_agent.core.camera_health import is_dark, is_featureless
from edge_agent.core.capacity import CameraCost
from edge_agent.core.geometry import Detection, is_inside, nod_of
from edge_agent.core.quality import QualityPolicy, assess, sharpness
from edge_agent.core.suitability import CameraLook, FaceLook
from edge_agent.faces import grey_crop
from edge_agent.frame import Frame
from edge_agent.picture import Picture
from edge_agent.pipeline_cost import EVERYTHING, cost_of
from edge_agent.ports import FaceAnalyser
from edge_agent.searching import Search, Tally

UNHURRIED_S = 2.0  # of taking pictures without searching them, while the decoder's work is measured
MOST_KEPT = 12  # of those: a picture in 4K has 12 MB


class NoPictureError(Exception):
    """The camera shows nothing."""

    def __init__(self, reason: CameraReason) -> None:
        self.reason = reason
        super().__init__(reason.value)


def look_through(camera: CameraConfig, analyser: FaceAnalyser | None, seconds: float) -> CameraLook:
    """Return what the camera shows from its first picture on; without an analyser, faces are left out.

    The picture is looked at without its mask, so that faces under it can be counted; nothing of it is kept.
    Raises NoPictureError when there is none.
    """
    source, notes = VideoSource(replace(camera, mask=())), _Notes(camera, analyser)
    source.start()
    try:
        first = _first(source, seconds, seconds + camera.open_timeout_s + camera.read_timeout_s)
        until = time.monotonic() + seconds
        decode_ms, kept = _unhurried(source, min(UNHURRIED_S, seconds / 2))
        for frame in (first, *kept):
            notes.see(frame)
        for frame in _frames(source, until):
            notes.see(frame)
        health = source.health()
    finally:
        source.stop()
    return notes.look(health, decode_ms)


def _first(source: VideoSource, least_s: float, most_s: float) -> Frame:
    """Return the first picture; give up after least_s if it is known why there is none, else after most_s."""
    began = time.monotonic()
    reason = CameraReason.STARTING
    while (waited := time.monotonic() - began) < most_s:
        if (frame := source.take(0.2)) is not None:
            return frame
        reason = source.health().reason
        if waited >= least_s and reason is not CameraReason.STARTING:
            break
    raise NoPictureError(CameraReason.TIMEOUT if reason is CameraReason.STARTING else reason)


def _frames(source: VideoSource, until: float) -> Iterator[Frame]:
    while (left := until - time.monotonic()) > 0:
        if (frame := source.take(min(left, 0.5))) is not None:
            yield frame


def _unhurried(source: VideoSource, seconds: float) -> tuple[float, list[Frame]]:
    """Return what one picture costs while nothing else is done, in ms of processor time, and the pictures."""
    kept: deque[Frame] = deque(maxlen=MOST_KEPT)
    before, count = time.process_time(), 0
    for frame in _frames(source, time.monotonic() + seconds):
        kept.append(frame)
        count += 1
    return (time.process_time() - before) * 1000 / max(1, count), list(kept)


@dataclass(slots=True)
class _Notes:
    """What was seen so far."""

    camera: CameraConfig
    analyser: FaceAnalyser | None
    greys: list[np.ndarray] = field(default_factory=list)
    coloured: int = 0
    faces: list[FaceLook] = field(default_factory=list)
    hidden: int = 0
    with_faces: deque[Frame] = field(default_factory=lambda: deque(maxlen=MOST_KEPT))
    last: Frame | None = None
    size: tuple[int, int] = (0, 0)
    frames: list[tuple[int, int]] = field(default_factory=list)  # number, ms

    def see(self, frame: Frame) -> None:
        camera = self.camera
        picture = frame.picture.without(camera.mask) if camera.mask else frame.picture
        self.frames.append((frame.index, frame.mono))
        self.size = (picture.width, picture.height)
        grey = picture.grey(GREY)
        self.greys.append(grey)
        self.coloured += picture.has_colour()
        self.last = replace(frame, picture=picture)
        if self.analyser is not None:
            self._see_faces(self.analyser, frame, grey)

    def _see_faces(self, analyser: FaceAnalyser, frame: Frame, grey: np.ndarray) -> None:
        search = Search(analyser, Tally(), EVERYTHING, (), self.camera.search_px)
        policy = QualityPolicy(min_side_px=self.camera.min_face_px)
        found = search.faces(frame, grey, [], is_cut=False)
        open_to_view = [each for each in found if not self._is_hidden(each, frame.picture)]
        self.hidden += len(found) - len(open_to_view)
        self.faces += [self._face(each, frame.picture, policy) for each in open_to_view]
        if open_to_view and self.last is not None:
            self.with_faces.append(self.last)

    def _is_hidden(self, face: Detection, picture: Picture) -> bool:
        place, camera = face.box.middle_within((picture.width, picture.height)), self.camera
        is_watched = not camera.watch or any(is_inside(place, each) for each in camera.watch)
        return not is_watched or any(is_inside(place, each) for each in camera.mask)

    def _face(self, face: Detection, picture: Picture, policy: QualityPolicy) -> FaceLook:
        crop = grey_crop(picture, face.box)
        return FaceLook(
            side_px=face.box.shorter_side,
            turn=face.turn,
            nod=self._nod(face),
            sharpness=sharpness(crop),
            contrast=float(crop.std()),
            score=face.score,
            flaw=assess(face, crop, policy).flaw,
        )

    def _nod(self, face: Detection) -> float | None:
        if self.analyser is None or self.analyser.engine != "insightface":
            return None  # dlib's five points have no mouth
        points = face.landmarks
        return nod_of(points[:2].mean(axis=0), points[2], points[3:].mean(axis=0))

    def look(self, health: SourceHealth, decode_ms: float) -> CameraLook:
        greys, half = self.greys, len(self.greys) / 2
        return CameraLook(
            width=self.size[0],
            height=self.size[1],
            pictures=len(greys),
            fps=self._fps(),
            wanted_fps=self.camera.sample_fps,
            decode_ms=decode_ms,
            level=mean(float(each.mean()) for each in greys),
            is_dark=sum(map(is_dark, greys)) > half,
            is_plain=sum(map(is_featureless, greys)) > half,
            is_still=len(greys) > 1 and all(np.array_equal(greys[0], each) for each in greys[1:]),
            has_colour=self.coloured > half,
            broke_off=health.reason if health.state is CameraState.OFFLINE else CameraReason.NONE,
            faces=self.faces,
            hidden=self.hidden,
            cost=self._cost(decode_ms),
        )

    def _cost(self, decode_ms: float) -> CameraCost | None:
        if self.analyser is None or self.last is None:
            return None
        return cost_of(self.camera, self.analyser, list(self.with_faces), self.last, decode_ms)

    def _fps(self) -> float:
        """Return how many pictures came a second, those that were passed over while searching included."""
        (first, began), (last, ended) = self.frames[0], self.frames[-1]
        return (last - first) * 1000 / (ended - began) if ended > began else 0.0
