"""One camera from its newest frame to what it means, on a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable

from common.events import CameraReason, CameraState
from edge_agent.adapters.video_source import SourceHealth, VideoSource
from edge_agent.config import CameraConfig
from edge_agent.frame import Frame
from edge_agent.pipeline import CameraPipeline, Sighted

log = logging.getLogger("hadir.camera")

GIVEN_UP_AFTER_S = 5.0  # without a frame, tracks are ended: who was in view may be gone
LONGEST_FRAME_S = 120.0
PAUSE_AFTER_FAILURE_S = 1.0


class CameraWorker:
    """Restarts its own pipeline when a frame makes it fail, and says so in its health."""

    def __init__(
        self,
        camera: CameraConfig,
        make_pipeline: Callable[[], CameraPipeline],
        put: Callable[[list[Sighted]], None],
    ) -> None:
        self.camera = camera
        self._make_pipeline, self._put = make_pipeline, put
        self._source = VideoSource(camera)
        self._busy: Frame | None = None
        self._busy_since = 0.0
        self._failing_since_ms: int | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"camera-{camera.camera_id}", daemon=True)

    def start(self) -> None:
        self._source.start()
        self._thread.start()

    def is_alive(self) -> bool:
        """Tell whether the worker is there and not stuck in one frame."""
        stuck = self._busy is not None and time.monotonic() - self._busy_since > LONGEST_FRAME_S
        return self._thread.is_alive() and not stuck

    def in_hand(self) -> list[int]:
        """Return the instant of the frame being looked at, ms UTC."""
        frame = self._busy
        return [] if frame is None else [frame.ts]

    def health(self) -> SourceHealth:
        health = self._source.health()
        if health.state is not CameraState.ONLINE or self._failing_since_ms is None:
            return health
        return SourceHealth(
            state=CameraState.DEGRADED,
            reason=CameraReason.DECODE,
            since_ms=self._failing_since_ms,
            fps=health.fps,
            last_frame_age_ms=health.last_frame_age_ms,
            dropped=health.dropped,
        )

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(5)
        self._source.stop()

    def _run(self) -> None:
        pipeline, last, last_at = self._make_pipeline(), None, time.monotonic()
        while not self._stopping.is_set():
            frame = self._source.take(0.5)
            if frame is None:
                if last is not None and time.monotonic() - last_at > GIVEN_UP_AFTER_S:
                    self._put(self._farewell(pipeline, last))
                    last = None
                continue
            self._busy_since = time.monotonic()
            self._busy = frame
            try:
                self._put(pipeline.process(frame))
                self._source.is_calm = pipeline.is_idle
                last, last_at, self._failing_since_ms = frame, time.monotonic(), None
            except Exception:
                log.exception("camera %s: a picture could not be worked on", self.camera.camera_id)
                self._failing_since_ms = self._failing_since_ms or frame.ts
                pipeline, last = self._make_pipeline(), None
                self._stopping.wait(PAUSE_AFTER_FAILURE_S)
            finally:
                self._busy = None
        if last is not None:
            self._put(self._farewell(pipeline, last))

    def _farewell(self, pipeline: CameraPipeline, last: Frame) -> list[Sighted]:
        try:
            return pipeline.finish(last.ts, last.mono)
        except Exception:
            log.exception("camera %s: the tracks could not be ended", self.camera.camera_id)
            return []
