"""A camera as a stream of its newest frame: RTSP over TCP, a file played in real time, or a webcam.

The thread of a source never waits for who takes the frames: a slot holds one frame, the newest wins, and
those nobody took are counted. It never dies with a camera either: it says why there is no picture, waits a
jittered and growing while, and tries again.
"""

import logging
import random
import threading
import time
from collections import deque
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from common.events import CameraReason, CameraState
from edge_agent.adapters import machine
from edge_agent.adapters.camera_reader import Sample, read_camera
from edge_agent.adapters.decoding import SourceError
from edge_agent.adapters.detail_stream import DetailStream
from edge_agent.config import CameraConfig
from edge_agent.core.pulse import Pulse
from edge_agent.core.retry import RETRY, RetryPolicy
from edge_agent.frame import Frame

log = logging.getLogger("hadir.video")

FPS_WINDOW_S = 10.0
LONGEST_ROUND_S = 60.0  # besides the time-outs of opening and reading: a name that nobody resolves
BLIND_AFTER_S = 10.0  # without a picture, whatever else arrives: then nothing is seen


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHealth:
    """What a source can say about its camera."""

    state: CameraState
    reason: CameraReason
    since_ms: int  # UTC: when the state began; while online, the start of unbroken coverage
    fps: float  # samples a second, over the last ten; one at which the camera was at rest counts
    last_frame_age_ms: int | None
    dropped: int  # frames that nobody took in time
    sampled: int = 0  # samples so far, dropped or not


class VideoSource:
    """One camera's own thread. `take` hands over the newest frame not taken yet."""

    def __init__(self, camera: CameraConfig, *, retry: RetryPolicy = RETRY) -> None:
        self._camera, self._retry = camera, retry
        self._slot: Frame | None = None
        self._ready = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"video-{camera.camera_id}", daemon=True)
        self._state, self._reason = CameraState.OFFLINE, CameraReason.STARTING
        self._since = machine.steady_s()  # the wall clock may be set while a state lasts
        self._offered: deque[float] = deque(maxlen=1000)
        self._pictured = 0.0  # steady: the newest picture
        self._dropped = self._index = self._sampled = 0
        self._detail = DetailStream(camera, retry=retry) if camera.sub_url else None
        self._moved_s = time.monotonic()  # when the thread last went round, or will after a wait
        self.is_calm = False  # set by who takes the frames: nothing moves, key frames are enough

    def start(self) -> None:
        self._thread.start()
        if self._detail:
            self._detail.start()

    def stop(self) -> None:
        """End the thread; it may take as long as a read may."""
        self._stopping.set()
        with self._ready:
            self._ready.notify_all()
        if self._thread.is_alive():
            self._thread.join(self._camera.open_timeout_s + self._camera.read_timeout_s + 1)
        if self._detail:
            self._detail.stop()

    def take(self, timeout_s: float) -> Frame | None:
        """Return the newest frame not taken yet, waiting at most timeout_s for one; None if none came."""
        with self._ready:
            self._ready.wait_for(lambda: self._slot is not None or self._stopping.is_set(), timeout_s)
            frame, self._slot = self._slot, None
            return frame

    def waiting(self) -> Frame | None:
        """Return the frame that is to be taken next, if there is one already."""
        return self._slot

    def pulse(self) -> Pulse:
        """Return when the thread last moved: by a picture, a failure, or a wait for the next attempt."""
        most_s = LONGEST_ROUND_S + self._camera.open_timeout_s + self._camera.read_timeout_s
        return Pulse(f"the stream of camera {self._camera.camera_id}", self._moved_s, most_s)

    def health(self) -> SourceHealth:
        with self._ready:
            now = time.monotonic()
            recent = [at for at in self._offered if now - at <= FPS_WINDOW_S]
            span = min(FPS_WINDOW_S, now - recent[0]) if recent else 0.0
            state, reason, since = self._state, self._reason, self._since
            if state is CameraState.ONLINE and self._was_blind(machine.steady_s()):
                state, reason, since = CameraState.OFFLINE, CameraReason.STALLED, self._pictured
            return SourceHealth(
                state=state,
                reason=reason,
                since_ms=machine.utc_ms_at(since),
                fps=len(recent) / span if span > 0.5 else 0.0,
                last_frame_age_ms=round((now - self._offered[-1]) * 1000) if self._offered else None,
                dropped=self._dropped,
                sampled=self._sampled,
            )

    def _was_blind(self, steady: float) -> bool:
        """Tell whether there was no picture for so long by then that somebody may have passed unseen."""
        return steady - self._pictured > most_blind_s(self._camera)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._moved_s = began = time.monotonic()
            reason = self._watch()
            if reason is CameraReason.ENDED or self._stopping.is_set():
                self._moved_s = float("inf")  # done, and no hang
                self._now_is(CameraState.OFFLINE, reason)
                return
            lasted = self._offered[-1] - began if self._offered else 0.0
            failures = self._retry.failures(failures, lasted)
            tried = time.monotonic() - began
            wait = self._retry.wait_s(failures, lasted, tried, chance=random.random())
            self._now_is(CameraState.OFFLINE, reason, f"; trying again in {wait:.1f} s")
            self._pause(wait)

    def _watch(self) -> CameraReason:
        """Offer frames until the stream ends or fails; return why."""
        try:
            with closing(read_camera(self._camera, lambda: self.is_calm, self._pause)) as reader:
                for sample in reader:
                    self._moved_s = time.monotonic()
                    if self._stopping.is_set():
                        break
                    if sample is not None:
                        self._offer(sample)
        except SourceError as error:
            return error.reason
        except Exception:  # of closing, too: this thread never dies with a camera
            log.exception("camera %s: the reader failed", self._camera.camera_id)
            return CameraReason.DECODE
        finally:
            machine.give_back()  # pictures of a stream take megabytes, and the next may have another size
        return CameraReason.ENDED

    def _pause(self, seconds: float) -> None:
        if seconds > 0:
            self._moved_s = time.monotonic() + seconds
            self._stopping.wait(seconds)

    def _offer(self, sample: Sample) -> None:
        with self._ready:
            now = time.monotonic()
            self._offered.append(now)
            self._sampled += 1
            if (picture := sample.picture) is not None:
                if self._camera.mask:
                    picture = picture.without(self._camera.mask)
                self._dropped += self._slot is not None
                self._index += 1
                steady = machine.steady_s()
                if self._was_blind(steady):  # with the stream open, or while the whole box stood still
                    self._since = steady
                self._pictured = steady
                closer = partial(self._detail.picture, now) if self._detail else None
                self._slot = Frame(picture, _utc_ms(), round(steady * 1000), self._index, closer)
                self._ready.notify()
        self._now_is(CameraState.ONLINE, CameraReason.NONE)

    def _now_is(self, state: CameraState, reason: CameraReason, more: str = "") -> None:
        with self._ready:
            changed = (state, reason) != (self._state, self._reason)
            if state is not self._state:
                self._since = machine.steady_s()
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


def most_blind_s(camera: CameraConfig) -> float:
    """Return for how long there may be no picture before the camera counts as away."""
    return max(BLIND_AFTER_S, 3 / camera.sample_fps)


def _utc_ms() -> int:
    return time.time_ns() // 1_000_000
