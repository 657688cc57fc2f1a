"""One camera of the soak: the server that plays it, what goes wrong with it, and the agent's worker."""

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from common.ids import CameraId
from edge_agent.adapters.video_source import RETRY, SourceHealth
from edge_agent.bench.clips import FPS, Clip
from edge_agent.bench.outages import Episode, Fault, Pace, Recovery
from edge_agent.bench.rtsp_camera import Faults, RtspServer
from edge_agent.camera_worker import CameraWorker
from edge_agent.config import CameraConfig
from edge_agent.core.gallery import Gallery
from edge_agent.frame import Frame
from edge_agent.pipeline import CameraPipeline, Sighted
from edge_agent.ports import FaceAnalyser

PORTS = range(18_554, 32_000)  # below those that the system gives to outgoing connections
SAMPLE_FPS = 5.0
DARK_WALL_S = 1.0  # without a picture for so long, at the end of a fault: it was felt
KEY, WRONG_KEY = "hadir:soak", "hadir:other"
REAL = CameraConfig(camera_id=CameraId("real"), name="", url="", zone="")  # the agent's own time-outs

free_ports: Iterator[int] = itertools.cycle(PORTS)


@dataclass(frozen=True, slots=True)
class Eyes:
    """What the agent looks with."""

    analyser: FaceAnalyser
    gallery: Gallery


@dataclass(slots=True)
class _Back:
    """A camera that is back, and of which no picture was taken since."""

    fault: Fault
    at_s: float  # on the steady clock
    was_dark: bool
    size: tuple[int, int] | None  # of the picture that is waited for; None: any


@dataclass(slots=True)
class Seen:
    """What came of one camera so far."""

    pictures: int = 0
    events: int = 0
    recoveries: list[Recovery] = field(default_factory=list)


class SoakCamera:
    """Use as a context manager. `suffer` lets an episode begin, `recover` ends it."""

    def __init__(self, name: str, clips: Sequence[Clip], eyes: Eyes, pace: Pace) -> None:
        """clips: of two sizes; the first is shown at first."""
        self.name, self._clips, self._pace = name, itertools.cycle(clips), pace
        self._clip, self._faults = next(self._clips), Faults(auth=KEY)
        self._server = _started(self._clip, self._faults, None)
        self._back: _Back | None = None
        self._last_s = time.monotonic()
        self._lock = threading.Lock()
        self.seen = Seen()
        self._worker = self._hired(eyes)

    def __enter__(self) -> "SoakCamera":
        self._worker.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._worker.stop()
        self._server.__exit__()

    def _hired(self, eyes: Eyes) -> CameraWorker:
        camera = CameraConfig(
            camera_id=CameraId(self.name),
            name=self.name,
            zone="soak",
            url=self._server.url.replace("rtsp://", f"rtsp://{KEY}@"),
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
        self.give_up()
        faults, chance = self._faults, episode.seed
        faults.seed = episode.seed
        match episode.fault:
            case Fault.GONE:
                self._server.__exit__()
            case Fault.STALLED:
                faults.stall_after = 1
            case Fault.MUTE:
                faults.is_mute = True
                self._server.hang_up()
            case Fault.FLAPPING:
                faults.drop_after = 1 + chance % (2 * FPS)
            case Fault.CORRUPT:
                faults.lost_share = 0.01 * (1 + chance % 20)
                faults.flipped_share = 0.01 * (1 + chance // 20 % 20)
            case Fault.PASSWORD:
                faults.auth = WRONG_KEY
                self._server.hang_up()

    def recover(self, episode: Episode) -> None:
        """Put the camera in order, and begin to wait for its picture."""
        faults = self._faults
        if episode.fault is Fault.GONE:
            self._server = _started(self._clip, faults, self._server.port)
        if episode.fault is Fault.RESIZED:
            self._clip = self._server.clip = next(self._clips)
        faults.auth, faults.is_mute, faults.stall_after, faults.drop_after = KEY, False, 0, 0
        faults.lost_share = faults.flipped_share = 0.0
        size = self._clip.size if episode.fault is Fault.RESIZED else None
        with self._lock:
            now = time.monotonic()
            self._back = _Back(episode.fault, now, now - self._last_s > DARK_WALL_S, size)

    def give_up(self) -> None:
        with self._lock:
            back, self._back = self._back, None
            if back is not None:
                self.seen.recoveries.append(Recovery(back.fault, None, back.was_dark))

    def _saw(self, frame: Frame) -> None:
        """Note that a picture was taken to be looked at."""
        with self._lock:
            now, back = time.monotonic(), self._back
            self._last_s = now
            self.seen.pictures += 1
            size = (frame.picture.width, frame.picture.height)
            if back is None or frame.mono < back.at_s * 1000 or back.size not in (None, size):
                return
            self._back = None
            visits = [(each.began_s, each.ended_s or now) for each in list(self._server.visits)]
            took_s = self._pace.simulated_s(back.at_s, now, visits)
            self.seen.recoveries.append(Recovery(back.fault, took_s, back.was_dark))

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


def _started(clip: Clip, faults: Faults, port: int | None) -> RtspServer:
    """Return a server that runs, at a port of its own or where it was before."""
    if port is None:
        port = next(each for each in free_ports if _is_free(each))
    return RtspServer(clip, fps=FPS, faults=faults, port=port).__enter__()


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
