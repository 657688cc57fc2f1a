"""One camera from its newest frame to what it means, on a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from common.events import CameraReason, CameraState
from edge_agent.adapters.machine import utc_ms_at
from edge_agent.adapters.video_source import SourceHealth, VideoSource, most_blind_s
from edge_agent.config import CameraConfig
from edge_agent.core.attention import GREY
from edge_agent.core.camera_health import Watched, watched
from edge_agent.core.identification import MatchPolicy
from edge_agent.core.pulse import Pulse
from edge_agent.core.retry import RETRY, RetryPolicy
from edge_agent.frame import Frame
from edge_agent.picture import Picture, hidden_in
from edge_agent.pipeline import CameraPipeline, Sighted

log = logging.getLogger("hadir.camera")

GIVEN_UP_AFTER_S = 5.0  # without a frame, tracks are ended: who was in view may be gone
LONGEST_FRAME_S = 120.0
PAUSE_AFTER_FAILURE_S = 1.0


class CameraWorker:
    """Restarts its own pipeline when a frame makes it fail, and says so in its health.

    Nobody can be seen in a picture that fails, or is dark, frozen, covered or turned away: the camera is
    degraded then, and proves nothing until it sees again.
    """

    def __init__(
        self,
        camera: CameraConfig,
        make_pipeline: Callable[[], CameraPipeline],
        put: Callable[[list[Sighted]], None],
        *,
        retry: RetryPolicy = RETRY,
    ) -> None:
        self.camera = camera
        self._make_pipeline, self._put = make_pipeline, put
        self._source = VideoSource(camera, retry=retry)
        self._pipeline: CameraPipeline | None = None
        self._newest: Frame | None = None  # the last picture that was looked at, while it is fresh
        self._busy: Frame | None = None
        self._busy_since = 0.0
        self._moved_s = time.monotonic()
        self._last_words = ""
        self._watched = Watched()
        self._hidden = hidden_in(camera.mask, GREY) if camera.mask else None
        self._trouble = (CameraReason.NONE, 0)  # what is wrong with the pictures; since, or since when not
        self._looked_ms = 0  # steady: the last picture that was looked at
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera.camera_id}", daemon=True)

    def start(self) -> None:
        self._source.start()
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether the worker is there and not stuck in one frame."""
        stuck = self._busy is not None and time.monotonic() - self._busy_since > LONGEST_FRAME_S
        return self._thread.is_alive() and not stuck

    @property
    def is_running(self) -> bool:
        """Tell whether its thread has not ended yet: something may still come of it."""
        return self._thread.is_alive()

    def pulses(self) -> tuple[Pulse, Pulse]:
        """Return when the stream and the work on it last moved."""
        own = Pulse(f"camera {self.camera.camera_id}", self._moved_s, LONGEST_FRAME_S)
        return self._source.pulse(), own

    def in_hand(self) -> list[int]:
        """Return the instants, ms by the steady clock, of which events may still come.

        They come of the frame being looked at, and of the next. When the worker is being stopped, tracks are
        ended at the last frame.
        """
        next_one = self._source.waiting()  # in this order: that is its way
        frames = (next_one, self._busy, self._newest if self._stopping.is_set() else None)
        return [frame.mono for frame in frames if frame is not None]

    def newest(self) -> Picture | None:
        """Return the last picture, masked as configured; None when there is none of the last seconds."""
        frame = self._newest
        return None if frame is None else frame.picture

    def use(self, policy: MatchPolicy) -> None:
        """Ask for this of a match from the next frame on; pipelines to come must be made with it already."""
        if (pipeline := self._pipeline) is not None:
            pipeline.use(policy)

    def health(self) -> SourceHealth:
        health, (reason, mono) = self._source.health(), self._trouble
        if health.state is not CameraState.ONLINE:
            return health
        since_ms = max(health.since_ms, utc_ms_at(mono / 1000))
        if reason is CameraReason.NONE:
            return replace(health, since_ms=since_ms)
        return replace(health, state=CameraState.DEGRADED, reason=reason, since_ms=since_ms)

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._source.stop()

    def _run(self) -> None:
        last, last_at = None, time.monotonic()
        self._pipeline = pipeline = self._make_pipeline()
        while not self._stopping.is_set():
            self._moved_s = time.monotonic()
            frame = self._source.take(0.5)
            if frame is None:
                if last is not None and time.monotonic() - last_at > GIVEN_UP_AFTER_S:
                    self._put(self._farewell(pipeline, last))
                    self._newest = last = None
                continue
            self._busy_since = time.monotonic()
            self._busy = frame
            try:
                self._put(pipeline.process(frame))
                self._source.is_calm = pipeline.is_idle
                self._newest = last = frame
                last_at = time.monotonic()
                self._note_gap(frame)
                self._look(pipeline, frame)
            except Exception as error:
                self._complain(error)
                self._now_wrong(CameraReason.DECODE, frame.mono)
                self._put(self._farewell(pipeline, last or frame))
                self._pipeline = pipeline = self._make_pipeline()
                self._newest = last = None
                self._stopping.wait(PAUSE_AFTER_FAILURE_S)
            finally:
                self._busy = None
        if last is not None:
            self._put(self._farewell(pipeline, last))
        self._newest = None

    def _complain(self, error: Exception) -> None:
        """Say once what went wrong, and where; the same again, only to those who listen closely."""
        words = f"{type(error).__name__}: {error}"
        level = logging.DEBUG if words == self._last_words else logging.ERROR
        self._last_words = words
        where = self.camera.camera_id
        log.log(level, "camera %s: a picture could not be worked on (%s)", where, words, exc_info=error)

    def _look(self, pipeline: CameraPipeline, frame: Frame) -> None:
        """Note whether the picture shows what the camera is there for."""
        if pipeline.grey is not None:
            self._watched = watched(self._watched, pipeline.grey, frame.mono, hidden=self._hidden)
            self._now_wrong(self._watched.reason, frame.mono)

    def _note_gap(self, frame: Frame) -> None:
        """Let coverage begin anew when the frame before took so long that others were passed over."""
        before, self._looked_ms = self._looked_ms, frame.mono
        if before and frame.mono - before > most_blind_s(self.camera) * 1000:
            self._trouble = (self._trouble[0], frame.mono)

    def _now_wrong(self, reason: CameraReason, mono: int) -> None:
        before, _ = self._trouble
        if reason is before:
            return
        self._trouble = (reason, mono)
        if reason in (CameraReason.NONE, CameraReason.DECODE):  # a failure was logged with its cause
            log.info("camera %s: %s", self.camera.camera_id, reason.value or "the picture is right again")
        else:
            log.warning("camera %s: nobody can be seen: %s", self.camera.camera_id, reason.value)

    def _farewell(self, pipeline: CameraPipeline, last: Frame) -> list[Sighted]:
        try:
            return pipeline.finish(last.ts, last.mono)
        except Exception:
            log.exception("camera %s: the tracks could not be ended", self.camera.camera_id)
            return []
