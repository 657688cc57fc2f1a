"""How many cameras a box bears: copies of a video played in real time, each at another place in it.

    python -m edge_agent.bench.realtime SYSTEM CAMERAS VIDEO --people DIR --models DIR

is one trial, in a process of its own. A box bears so many cameras when 95 of 100 pictures are done within a
second of their capture, and at least 95 of 100 samples are looked at at all.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from common.ids import CameraId
from edge_agent.adapters import machine
from edge_agent.adapters.face_analyser import InsightFaceAnalyser
from edge_agent.adapters.opencv import cv2
from edge_agent.adapters.shared_analyser import shared
from edge_agent.camera_worker import CameraWorker
from edge_agent.config import CameraConfig
from edge_agent.frame import Frame
from edge_agent.people_folder import InputError, gallery_of
from edge_agent.pipeline import CameraPipeline, Sighted

SAMPLE_FPS = 5.0
WARM_UP_S, MEASURED_S = 5.0, 20.0
MOST_S, LEAST_KEPT = 1.0, 0.95
MOST_CAMERAS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What one trial showed."""

    system: str
    cameras: int
    p95_s: float | None  # from capture to whatever follows from the picture; None: nothing was looked at
    kept: float  # share of the samples that were looked at, or needed no look
    cpu: float  # share of all processors
    peak_mb: float

    @property
    def holds(self) -> bool:
        return self.p95_s is not None and self.p95_s <= MOST_S and self.kept >= LEAST_KEPT


def capacity(system: str, video: Path, people: Path, models: Path, cameras: int | None) -> Iterator[Capacity]:
    """Yield trials: the given number of cameras, or more and more until the largest number is found."""
    if cameras is not None:
        yield _trial(system, cameras, video, people, models)
        return
    good, bad, number = 0, MOST_CAMERAS + 1, 2
    while good + max(1, good // 12) < bad and number <= MOST_CAMERAS:
        outcome = _trial(system, number, video, people, models)
        yield outcome
        good, bad = (number, bad) if outcome.holds else (good, number)
        number = good * 2 if bad > MOST_CAMERAS else (good + bad) // 2
        if number in (good, bad):
            return


def _trial(system: str, cameras: int, video: Path, people: Path, models: Path) -> Capacity:
    command = [sys.executable, "-m", "edge_agent.bench.realtime", system, str(cameras), str(video)]
    command += ["--people", str(people), "--models", str(models)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise InputError(f"{cameras} cameras in real time failed: {' '.join(last)}")
    return Capacity(**json.loads(done.stdout.splitlines()[-1]))


class Watch:
    """Delays of all cameras, from the end of the warm-up on."""

    def __init__(self) -> None:
        self.delays_ms: list[float] = []
        self.is_on = False

    def done(self, captured_ms: int) -> None:
        if self.is_on:
            self.delays_ms.append(time.monotonic() * 1000 - captured_ms)


class WatchedPipeline(CameraPipeline):
    """Tells when a picture is done."""

    watch: Watch

    def process(self, frame: Frame) -> list[Sighted]:
        try:
            return super().process(frame)
        finally:
            self.watch.done(frame.mono)


class OursTrial:
    """The agent's own cameras and pipelines."""

    def __init__(self, cameras: int, video: Path, people: Path, models: Path) -> None:
        self.watch = Watch()
        inner = InsightFaceAnalyser(models)
        gallery = gallery_of(people, inner)
        analyser = shared(inner, machine.processors())

        def worker(number: int) -> CameraWorker:
            camera = CameraConfig(
                camera_id=CameraId(f"copy-{number}"),
                name="",
                zone="",
                url=str(video),
                sample_fps=SAMPLE_FPS,
                loop=True,
                loop_anchor_s=time.time() - number * 1000.7 / cameras,
            )

            def pipeline() -> CameraPipeline:
                made = WatchedPipeline(camera, analyser, inner.policy, f"b{number}", lambda: gallery)
                made.watch = self.watch
                return made

            return CameraWorker(camera, pipeline, lambda _sighted: None)

        self._workers = [worker(number) for number in range(cameras)]

    def start(self) -> None:
        for each in self._workers:
            each.start()

    def kept(self) -> int:
        """Return the samples so far that were not dropped."""
        return sum(health.sampled - health.dropped for health in (each.health() for each in self._workers))

    def stop(self) -> None:
        for each in self._workers:
            threading.Thread(target=each.stop, daemon=True).start()


class BaselineTrial:
    """An expert's loop: a reader a camera that keeps the newest picture, one FaceAnalysis for all."""

    def __init__(self, cameras: int, video: Path, people: Path, models: Path) -> None:
        from insightface.app import FaceAnalysis

        self.watch, self._stopping, self._seen = Watch(), threading.Event(), 0
        self._gallery, self._cameras, self._video = (
            gallery_of(people, InsightFaceAnalyser(models)),
            cameras,
            video,
        )
        self._app = FaceAnalysis(
            name=str(models),
            allowed_modules=["detection", "recognition"],
            providers=["CPUExecutionProvider"],
        )
        self._app.prepare(ctx_id=0, det_size=(640, 640))
        self._slots: list[tuple[np.ndarray, float] | None] = [None] * cameras
        self._ready = threading.Condition()

    def start(self) -> None:
        for number in range(self._cameras):
            threading.Thread(target=self._read, args=(number,), daemon=True).start()
            threading.Thread(target=self._work, args=(number,), daemon=True).start()

    def _read(self, number: int) -> None:
        capture = cv2.VideoCapture(str(self._video), cv2.CAP_FFMPEG)
        fps, index = capture.get(cv2.CAP_PROP_FPS), 0
        count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        capture.set(cv2.CAP_PROP_POS_FRAMES, number * count // self._cameras)
        began, due = time.monotonic(), 0.0
        while not self._stopping.is_set():
            if not capture.grab():
                capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                continue
            index += 1
            self._stopping.wait(max(0.0, began + index / fps - time.monotonic()))
            if index / fps >= due:
                due += 1 / SAMPLE_FPS
                image = capture.retrieve()[1]
                with self._ready:
                    self._slots[number] = (image, time.monotonic() * 1000)
                    self._ready.notify_all()

    def _work(self, number: int) -> None:
        while not self._stopping.is_set():
            with self._ready:
                self._ready.wait_for(lambda: self._slots[number] is not None, 0.5)
                taken, self._slots[number] = self._slots[number], None
            if taken is None:
                continue
            for face in self._app.get(taken[0]):
                self._gallery.search(face.normed_embedding[None])
            self._seen += 1
            self.watch.done(round(taken[1]))

    def kept(self) -> int:
        return self._seen

    def stop(self) -> None:
        self._stopping.set()


def measured(system: str, cameras: int, video: Path, people: Path, models: Path) -> Capacity:
    """Run one trial in this process."""
    import resource

    make = {"ours": OursTrial, "baseline": BaselineTrial}[system]
    trial = make(cameras, video, people, models)
    trial.start()
    time.sleep(WARM_UP_S + cameras * 0.02)
    kept, cpu, began = trial.kept(), time.process_time(), time.monotonic()
    trial.watch.is_on = True
    time.sleep(MEASURED_S)
    trial.watch.is_on = False
    lasted = time.monotonic() - began
    spent = (time.process_time() - cpu) / (lasted * machine.processors())
    kept = trial.kept() - kept
    trial.stop()
    delays = trial.watch.delays_ms
    return Capacity(
        system=system,
        cameras=cameras,
        p95_s=round(float(np.percentile(delays, 95)) / 1000, 3) if delays else None,
        kept=round(min(1.0, kept / (cameras * SAMPLE_FPS * lasted)), 4),
        cpu=round(spent, 3),
        peak_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", choices=["ours", "baseline"])
    parser.add_argument("cameras", type=int)
    parser.add_argument("video", type=Path)
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    args = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    if args.system == "ours":
        machine.share_heaps()  # as the agent does
    outcome = measured(args.system, args.cameras, args.video, args.people, args.models)
    print(json.dumps(asdict(outcome)), flush=True)
    os._exit(0)  # the copies need not be wound down one by one


if __name__ == "__main__":
    sys.exit(main())
