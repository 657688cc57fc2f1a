"""The cameras of one agent, exchanged while it runs: only what changed is stopped and started."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from common.camera_settings import CameraConfig
from common.events import CameraHealth, CameraReason, CameraState, CameraStatus
from edge_agent.adapters.machine import steady_s, utc_ms_at
from edge_agent.camera_worker import LONGEST_FRAME_S, CameraWorker
from edge_agent.core.config_change import Look, changes
from edge_agent.core.identification import MatchPolicy
from edge_agent.core.pulse import Pulse
from edge_agent.picture import Picture

STOP_S = 15.0  # for all cameras; systemd allows 45 for everything


class CameraSet:
    """`replace` is for one thread; everything else may be called from any."""

    def __init__(
        self,
        make: Callable[[CameraConfig], CameraWorker],
        cameras: Sequence[CameraConfig],
        gone: Iterable[str] = (),
    ) -> None:
        """gone: cameras that were looked after before, to be told of as disabled."""
        self._make, self._lock = make, threading.Lock()
        self._cameras = tuple(cameras)
        self._workers = {each.camera_id: make(each) for each in cameras}
        self._retiring: list[tuple[float, CameraWorker]] = []  # since when; something may still come of them
        self._gone = {*gone} - {*self._workers}
        self._without_since = steady_s()  # since when a camera that has no worker now had none
        self._is_stopped = False

    @property
    def cameras(self) -> tuple[CameraConfig, ...]:
        return self._cameras

    def start(self) -> None:
        for worker in self._workers.values():
            worker.start()

    def stop(self) -> None:
        with self._lock:
            self._is_stopped = True
            workers = [*self._workers.values(), *(each for _, each in self._retiring)]
        stop_together(workers)

    def replace(self, cameras: Sequence[CameraConfig]) -> None:
        """Look after these cameras from now on; returns when those that changed have been exchanged."""
        change = changes(self._cameras, cameras)
        with self._lock:
            leaving = [self._workers.pop(each) for each in change.stop if each in self._workers]
            self._retiring += [(time.monotonic(), each) for each in leaving]
            self._gone = (self._gone | {*change.stop}) - {each.camera_id for each in cameras}
            self._cameras, self._without_since = tuple(cameras), steady_s()
        stop_together(leaving)  # before the new ones: recorders count connections, and one id is one camera
        self._forget_retired()
        for camera in change.start:
            worker = self._make(camera)
            with self._lock:
                if self._is_stopped:
                    return
                worker.start()
                self._workers[camera.camera_id] = worker

    def _forget_retired(self) -> None:
        with self._lock:
            self._retiring = [(since, each) for since, each in self._retiring if each.is_running]

    def use(self, policy: MatchPolicy) -> None:
        for worker in self._all():
            worker.use(policy)

    def dead(self) -> list[str]:
        """Return the ids of cameras whose thread died or hangs, also of those that should have ended."""
        self._forget_retired()
        with self._lock:
            dead = [name for name, each in self._workers.items() if not each.is_alive()]
            hanging = [
                each.camera.camera_id
                for since, each in self._retiring
                if time.monotonic() - since > LONGEST_FRAME_S
            ]
        return dead + hanging

    def pulses(self) -> list[Pulse]:
        """Return when each camera's stream, and the work on it, last moved."""
        return [pulse for worker in self._all() for pulse in worker.pulses()]

    def in_hand(self) -> list[int]:
        """Return the instants, ms by the steady clock, of which events may still come."""
        with self._lock:  # of both at once: a worker may be on its way from one to the other
            workers = [*self._workers.values(), *(each for _, each in self._retiring)]
        return [mono for worker in workers for mono in worker.in_hand()]

    def newest(self, camera_id: str) -> Picture | None:
        """Return the last picture of a camera; None when it has none."""
        worker = self._workers.get(camera_id)  # type: ignore[call-overload]
        return worker.newest() if worker else None

    def health(self) -> Iterator[CameraHealth]:
        with self._lock:
            cameras, workers, since = self._cameras, dict(self._workers), self._without_since
        for camera in cameras:
            if (worker := workers.get(camera.camera_id)) is None:  # being exchanged: nobody looks
                yield CameraHealth(
                    camera_id=camera.camera_id,
                    state=CameraState.OFFLINE,
                    since=utc_ms_at(since),
                    reason=CameraReason.STARTING,
                )
                continue
            health = worker.health()
            yield CameraHealth(
                camera_id=camera.camera_id,
                state=health.state,
                since=health.since_ms,
                reason=health.reason,
                fps=round(health.fps, 2),
                last_frame_age_ms=health.last_frame_age_ms,
            )

    def statuses(self) -> list[CameraStatus]:
        """Return every camera's state, and that of those that are looked after no longer."""
        now = _now_ms()
        told = [
            CameraStatus(
                camera_id=each.camera_id, state=each.state, since=each.since, ts=now, reason=each.reason
            )
            for each in self.health()
        ]
        gone = [
            CameraStatus(camera_id=each, state=CameraState.DISABLED, since=now, ts=now)  # type: ignore[arg-type]
            for each in sorted(self._gone)
        ]
        return told + gone

    def looks(self) -> dict[str, Look]:
        """Return how each camera fares in a trial."""
        now = _now_ms()
        return {
            each.camera_id: Look(_has_picture(each), (now - each.since) / 1000, each.reason)
            for each in self.health()
        }

    def _all(self) -> list[CameraWorker]:
        with self._lock:
            return [*self._workers.values()]


def _has_picture(health: CameraHealth) -> bool:
    """Tell whether pictures arrive that can be worked on; whether they show much is another matter."""
    is_there = health.state in (CameraState.ONLINE, CameraState.DEGRADED)
    return is_there and health.reason is not CameraReason.DECODE


def stop_together(cameras: Iterable[CameraWorker]) -> None:
    """Stop all cameras at once: one that does not answer takes seconds, and there may be many."""
    stops = [threading.Thread(target=each.stop, daemon=True) for each in cameras]
    until = time.monotonic() + STOP_S
    for each in stops:
        each.start()
    for each in stops:
        each.join(max(0.0, until - time.monotonic()))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
