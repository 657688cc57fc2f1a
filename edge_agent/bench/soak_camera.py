"""One camera of the soak from the agent's side: its worker, and how soon it takes a picture again."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from common.ids import CameraId
from edge_agent.adapters.video_source import SourceHealth
from edge_agent.bench.outages import Episode, Fault, Pace, Recovery
from edge_agent.bench.soak_played import Back, Remote
from edge_agent.camera_worker import CameraWorker
from edge_agent.config import CameraConfig
from edge_agent.core.gallery import Gallery
from edge_agent.core.retry import RETRY
from edge_agent.frame import Frame
from edge_agent.pipeline import CameraPipeline, Sighted
from edge_agent.ports import FaceAnalyser

SAMPLE_FPS = 5.0
DARK_WALL_S = 1.0  # without a picture for so long, at the end of a fault: it was felt
REAL = CameraConfig(camera_id=CameraId("real"), name="", url="", zone="")  # the agent's own time-outs


@dataclass(frozen=True, slots=True)
class Eyes:
    """What the agent looks with."""

    analyser: FaceAnalyser
    gallery: Gallery


@dataclass(slots=True)
class Seen:
    """What came of one camera so far."""

    pictures: int = 0
    events: int = 0
    recoveries: list[Recovery] = field(default_factory=list)


class SoakCamera:
    """Use as a context manager. `suffer` lets an episode begin, `recover` ends it, `await_picture` judges."""

    def __init__(self, name: str, remote: Remote, eyes: Eyes, pace: Pace) -> None:
        self.name, self._remote, self._pace = name, remote, pace
        self._back: Back | None = None
        self._seen_s: float | None = None  # when a picture proved that it is back
        self._last_s = time.monotonic()
        self._lock, self._is_seen = threading.Lock(), threading.Event()
        self.seen = Seen()
        self._worker = self._hired(eyes)

    def __enter__(self) -> "SoakCamera":
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()

    def _hired(self, eyes: Eyes) -> CameraWorker:
        searched, *main = self._remote.urls()
        camera = CameraConfig(
            camera_id=CameraId(self.name),
            name=self.name,
            zone="soak",
            url=main[0] if main else searched,
            sub_url=searched if main else "",
            sample_fps=SAMPLE_FPS,
            open_timeout_s=REAL.open_timeout_s / self._pace.attempt_speed,
            read_timeout_s=REAL.read_timeout_s / self._pace.attempt_speed,
        )

        def pipeline() -> CameraPipeline:
            policy = eyes.analyser.policy
            return _Telling(camera, eyes.analyser, policy, "soak", lambda: eyes.gallery, tell=self._saw)

        return CameraWorker(camera, pipeline, self._put, retry=self._pace.retry(RETRY))

    def health(self) -> SourceHealth:
        return self._worker.health()

    def is_alive(self) -> bool:
        """Tell whether both threads of the agent's worker are there, and none is stuck."""
        names = {each.name for each in threading.enumerate()}
        return self._worker.is_alive() and {f"video-{self.name}", f"camera-{self.name}"} <= names

    def suffer(self, episode: Episode) -> None:
        self._remote.suffer(episode)

    def recover(self, episode: Episode) -> bool:
        """Put the camera in order, and tell whether it had been without a picture until then."""
        self._is_seen.clear()
        with self._lock:  # no picture is missed meanwhile
            self._back, self._seen_s = self._remote.recover(episode), None
            return self._back.at_s - self._last_s > DARK_WALL_S

    def await_picture(self, fault: Fault, was_dark: bool, timeout_s: float) -> None:
        """Wait for the picture that proves the camera's recovery, and note how long it took to come."""
        self._is_seen.wait(timeout_s)
        with self._lock:
            back, seen_s, self._back = self._back, self._seen_s, None
        took_s = None
        if back is not None and seen_s is not None:
            took_s = self._pace.simulated_s(back.at_s, max(back.at_s, seen_s), self._remote.visits())
        self.seen.recoveries.append(Recovery(fault, took_s, was_dark))

    def _saw(self, frame: Frame) -> None:
        """Note that a picture was taken to be looked at."""
        now = time.monotonic()
        with self._lock:
            self._last_s = now
            self.seen.pictures += 1
            size, back = (frame.picture.width, frame.picture.height), self._back
            if back is None or self._seen_s is not None or frame.mono < back.at_s * 1000:
                return
            if back.size in (None, size):
                self._seen_s = now
                self._is_seen.set()

    def _put(self, sighted: list[Sighted]) -> None:
        self.seen.events += len(sighted)


class _Telling(CameraPipeline):
    """Tells of every picture before it is looked at."""

    def __init__(self, *arguments: object, tell: Callable[[Frame], None]) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]
        self._tell = tell

    def process(self, frame: Frame) -> list[Sighted]:
        self._tell(frame)
        return super().process(frame)
