"""A camera as a stream of its newest frame: RTSP over TCP, a file played in real time, or a webcam.

The thread of a source never waits for who takes the frames: a slot holds one frame, the newest wins, and
those nobody took are counted. It never dies with a camera either: it says why there is no picture, waits a
jittered and growing while, and tries again.
"""

import logging
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from common.backoff import delay_s
from common.events import CameraReason, CameraState
from edge_agent.adapters.opencv import cv2
from edge_agent.adapters.rtsp_probe import reason_refused, reason_unreachable
from edge_agent.config import CameraConfig
from edge_agent.frame import Frame
from edge_agent.picture import ColourPicture

log = logging.getLogger(__name__)

STALL_SHARE = 0.9  # a read that takes this much of its timeout is a stall, even if it brings a frame
FPS_WINDOW_S = 10.0


class SourceError(Exception):
    """The stream cannot be opened or goes no further."""

    def __init__(self, reason: CameraReason) -> None:
        self.reason = reason
        super().__init__(reason.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    first_s: float = 1.0
    most_s: float = 60.0
    stable_s: float = 30.0  # unbroken frames for this long forgive earlier failures


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """What a source can say about its camera."""

    state: CameraState
    reason: CameraReason
    since_ms: int  # UTC: when the state began; while online, the start of unbroken coverage
    fps: float  # frames offered a second, over the last ten
    last_frame_age_ms: int | None
    dropped: int  # frames that nobody took in time


class VideoSource:
    """One camera's own thread. `take` hands over the newest frame not taken yet."""

    def __init__(self, camera: CameraConfig, *, retry: RetryPolicy = RetryPolicy()) -> None:
        self._camera, self._retry = camera, retry
        self._slot: Frame | None = None
        self._ready = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"video-{camera.camera_id}", daemon=True)
        self._state, self._reason, self._since_ms = CameraState.OFFLINE, CameraReason.STARTING, _utc_ms()
        self._offered: deque[float] = deque(maxlen=1000)
        self._dropped = self._index = 0

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End the thread; it may take as long as a read may."""
        self._stopping.set()
        with self._ready:
            self._ready.notify_all()
        if self._thread.is_alive():
            self._thread.join(self._camera.open_timeout_s + self._camera.read_timeout_s + 1)

    def take(self, timeout_s: float) -> Frame | None:
        """Return the newest frame not taken yet, waiting at most timeout_s for one; None if none came."""
        with self._ready:
            self._ready.wait_for(lambda: self._slot is not None or self._stopping.is_set(), timeout_s)
            frame, self._slot = self._slot, None
            return frame

    def health(self) -> SourceHealth:
        with self._ready:
            now = time.monotonic()
            recent = [at for at in self._offered if now - at <= FPS_WINDOW_S]
            span = min(FPS_WINDOW_S, now - recent[0]) if recent else 0.0
            return SourceHealth(
                state=self._state,
                reason=self._reason,
                since_ms=self._since_ms,
                fps=len(recent) / span if span > 0.5 else 0.0,
                last_frame_age_ms=round((now - self._offered[-1]) * 1000) if self._offered else None,
                dropped=self._dropped,
            )

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            began = time.monotonic()
            reason = self._watch()
            if reason is CameraReason.ENDED or self._stopping.is_set():
                self._now_is(CameraState.OFFLINE, reason)
                return
            lasted = self._offered[-1] - began if self._offered else 0.0
            failures = 1 if lasted >= self._retry.stable_s else failures + 1
            wait = delay_s(
                failures, chance=random.random(), first_s=self._retry.first_s, most_s=self._retry.most_s
            )
            self._now_is(CameraState.OFFLINE, reason, f"; trying again in {wait:.1f} s")
            self._stopping.wait(wait)

    def _watch(self) -> CameraReason:
        """Offer frames until the stream ends or fails; return why."""
        capture = None
        try:
            capture = open_capture(self._camera)
            for image in _frames(capture, self._camera, self._stopping.wait):
                if self._stopping.is_set():
                    break
                if image is not None:
                    self._offer(image)
        except SourceError as error:
            return error.reason
        except Exception:
            log.exception("camera %s: the reader failed", self._camera.camera_id)
            return CameraReason.DECODE
        finally:
            if capture is not None:
                capture.release()
        return CameraReason.ENDED

    def _offer(self, image: np.ndarray) -> None:
        with self._ready:
            now = time.monotonic()
            self._dropped += self._slot is not None
            self._index += 1
            self._slot = Frame(ColourPicture(image), _utc_ms(), round(now * 1000), self._index)
            self._offered.append(now)
            self._ready.notify()
        self._now_is(CameraState.ONLINE, CameraReason.NONE)

    def _now_is(self, state: CameraState, reason: CameraReason, more: str = "") -> None:
        with self._ready:
            changed = (state, reason) != (self._state, self._reason)
            if state is not self._state:
                self._since_ms = _utc_ms()
            self._state, self._reason = state, reason
        level = (
            logging.DEBUG
            if not changed or self._stopping.is_set()
            else logging.INFO
            if state is CameraState.ONLINE
            else logging.WARNING
        )
        if changed or more:
            where, why = self._camera.shown_url, f" ({reason.value})" if reason.value else ""
            log.log(level, "camera %s at %s: %s%s%s", self._camera.camera_id, where, state.value, why, more)


def open_capture(camera: CameraConfig) -> cv2.VideoCapture:
    """Return the opened stream of camera. Raises SourceError with the reason."""
    url = camera.url
    if url.startswith("webcam:"):
        capture = cv2.VideoCapture(int(url.removeprefix("webcam:")))
    else:
        if is_rtsp(url) and (reason := reason_unreachable(url, camera.open_timeout_s)):
            raise SourceError(reason)
        capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG, _limits(camera) if is_stream(url) else [])
    if capture.isOpened():
        return capture
    capture.release()
    raise SourceError(reason_refused(url, camera.open_timeout_s) if is_rtsp(url) else _missing(url))


def is_rtsp(url: str) -> bool:
    return url.lower().startswith(("rtsp://", "rtsps://"))


def is_stream(url: str) -> bool:
    return "://" in url and not url.lower().startswith("file://")


def _limits(camera: CameraConfig) -> list[int]:
    return [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        round(camera.open_timeout_s * 1000),
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        round(camera.read_timeout_s * 1000),
        cv2.CAP_PROP_N_THREADS,
        1,
    ]


def _missing(url: str) -> CameraReason:
    return CameraReason.DECODE if os.path.exists(url) else CameraReason.REFUSED  # noqa: PTH110


def _frames(
    capture: cv2.VideoCapture, camera: CameraConfig, pause: Callable[[float], object]
) -> Iterator[np.ndarray | None]:
    """Yield the sampled frames, None where there is none yet; pause waits without outliving the source."""
    if is_stream(camera.url) or camera.url.startswith("webcam:"):
        return _live_frames(capture, camera)
    return _file_frames(capture, camera, pause)


def _live_frames(capture: cv2.VideoCapture, camera: CameraConfig) -> Iterator[np.ndarray | None]:
    """Yield the sampled frames of a live stream, None for one that only had to be read past."""
    due = time.monotonic()
    while True:
        began = time.monotonic()
        is_there = capture.grab()
        now = time.monotonic()
        if now - began >= STALL_SHARE * camera.read_timeout_s:
            raise SourceError(CameraReason.STALLED)
        if not is_there:
            raise SourceError(CameraReason.STALLED)  # it hung up; why, the next open tells
        if now < due:
            yield None
            continue
        due = max(due + 1 / camera.sample_fps, now - 1 / camera.sample_fps)
        yield _retrieved(capture)


def _retrieved(capture: cv2.VideoCapture) -> np.ndarray:
    is_there, image = capture.retrieve()
    if not is_there or image is None:
        raise SourceError(CameraReason.DECODE)
    return image


def _file_frames(
    capture: cv2.VideoCapture, camera: CameraConfig, pause: Callable[[float], object]
) -> Iterator[np.ndarray | None]:
    """Yield a file's frames when they are due by the wall clock; a looping file never ends.

    With an anchor the file plays as if it had played since then, so a restarted agent goes on in the story.
    """
    fps = capture.get(cv2.CAP_PROP_FPS) or 25.0
    count = max(1, round(capture.get(cv2.CAP_PROP_FRAME_COUNT)))
    due_s = time.time()
    anchor_s = camera.loop_anchor_s if camera.loop and camera.loop_anchor_s is not None else due_s
    at = -1  # the frame grabbed last
    while True:
        target = int((time.time() - anchor_s) * fps)
        if target >= count and not camera.loop:
            return
        target %= count
        if target < at:
            capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            at = -1
        while at < target and capture.grab():
            at += 1
        if at < 0:
            raise SourceError(CameraReason.DECODE)
        count = count if at == target else at + 1  # the file promised more frames than it has
        yield _retrieved(capture)
        due_s = max(due_s + 1 / camera.sample_fps, time.time())
        pause(due_s - time.time())


def _utc_ms() -> int:
    return time.time_ns() // 1_000_000
