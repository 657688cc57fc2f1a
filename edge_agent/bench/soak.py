"""`hadir bench soak`: days of failing cameras, sped up. No crash, no leak, and each is found again.

The agent's own readers, workers and pipelines watch cameras that another process plays over RTSP on loopback:
each fails in its own ways and times, but for one that never does; every second one has a main stream too.
Sped up are the faults, the time between them, and the waits between attempts; attempts themselves only four
times (their seconds count as four). Pictures are sent, sampled and looked at in real time: a day at thirty
times the speed sees 48 minutes of video.
"""

import argparse
import json
import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from edge_agent.adapters import machine
from edge_agent.adapters.face_analyser import InsightFaceAnalyser, ModelPackError
from edge_agent.adapters.opencv import cv2
from edge_agent.adapters.shared_analyser import shared
from edge_agent.bench import clips
from edge_agent.bench.clips import Clip
from edge_agent.bench.outages import (
    HOUR_S,
    Change,
    Episode,
    Fault,
    Pace,
    Recovery,
    Vitals,
    changes,
    episodes,
    missed_bars,
    percentile_s,
    worst_s,
)
from edge_agent.bench.soak_camera import SAMPLE_FPS, Eyes, SoakCamera
from edge_agent.bench.soak_played import Show, played
from edge_agent.bench.stand_in import StandIn, its_gallery
from edge_agent.people_folder import InputError, complain, gallery_of, people_in

EXIT_USAGE = 2
SIZES, MAIN_SIZE = ((640, 360), (960, 540)), (1280, 720)
CLIP_S = 10
HIGH = 0.45  # of the picture: what goes to and fro; faces are small enough for the main stream to be asked
SETTLED_WALL_S = 3.0  # before the camera without faults is judged
VITALS_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a soak showed."""

    vitals: list[Vitals]
    recoveries: list[Recovery]
    failures: list[str]
    kept: float  # share of the samples of the camera without faults
    pictures: int
    events: int


class Failures(logging.Handler):
    """Notes what must never happen: errors in the log, and threads that die of an exception."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        cause = f" ({record.exc_info[1]!r})" if record.exc_info else ""
        self.words.append(record.getMessage() + cause)

    def of_thread(self, died: threading.ExceptHookArgs) -> None:
        name = died.thread.name if died.thread else "?"
        self.words.append(f"the thread {name} died of {died.exc_value!r}")


@dataclass(slots=True)
class Soak:
    """One run. `hours` yields every simulated hour, when it is over; then `outcome` is there."""

    cameras: Sequence[SoakCamera]  # the last one is without faults
    plans: Sequence[Sequence[Episode]]
    pace: Pace
    length_h: float
    failures: Failures
    vitals: list[Vitals] = field(default_factory=list)
    began_s: float = 0.0
    kept: float = 0.0

    def hours(self) -> Iterator[int]:
        self.began_s = time.monotonic()
        directors = [
            threading.Thread(target=self._direct, args=each, name="director", daemon=True)
            for each in zip(self.cameras[:-1], self.plans, strict=True)
        ]
        for each in directors:
            each.start()
        self._sleep_until(SETTLED_WALL_S * self.pace.speed)
        settled_s, samples = time.monotonic(), self._control_samples()
        hour, now_s = 0, 0.0
        while now_s < self.length_h * HOUR_S:
            now_s = self._now_s()
            self.vitals.append(vitals(now_s))
            self._check_life()
            if now_s >= (hour + 1) * HOUR_S:
                hour += 1
                yield hour
            time.sleep(VITALS_EVERY_S)
        lasted_s = time.monotonic() - settled_s
        self.kept = min(1.0, (self._control_samples() - samples) / (SAMPLE_FPS * lasted_s))
        for each in directors:
            each.join()

    def outcome(self) -> Outcome:
        seen = [each.seen for each in self.cameras]
        return Outcome(
            vitals=self.vitals,
            recoveries=self.recoveries(),
            failures=self.failures.words,
            kept=self.kept,
            pictures=sum(each.pictures for each in seen),
            events=sum(each.events for each in seen),
        )

    def recoveries(self) -> list[Recovery]:
        return [each for camera in self.cameras for each in list(camera.seen.recoveries)]

    def _now_s(self) -> float:
        return (time.monotonic() - self.began_s) * self.pace.speed

    def _sleep_until(self, at_s: float) -> None:
        time.sleep(self._wall_until(at_s))

    def _wall_until(self, at_s: float) -> float:
        return max(0.0, (at_s - self._now_s()) / self.pace.speed)

    def _direct(self, camera: SoakCamera, plan: Sequence[Episode]) -> None:
        nexts = [*(each.start_s for each in plan[1:]), self.length_h * HOUR_S]
        for episode, next_s in zip(plan, nexts, strict=False):
            self._sleep_until(episode.start_s)
            camera.suffer(episode)
            self._sleep_until(episode.end_s)
            was_dark = camera.recover(episode)
            camera.await_picture(episode.fault, was_dark, self._wall_until(next_s))

    def _control_samples(self) -> int:
        health = self.cameras[-1].health()
        return health.sampled - health.dropped

    def _check_life(self) -> None:
        for each in self.cameras:
            words = f"camera {each.name} is dead or stuck"
            if words not in self.failures.words and not each.is_alive():
                self.failures.words.append(words)


def vitals(at_s: float) -> Vitals:
    """Return how much of the machine this process holds just now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return Vitals(at_s, pages * os.sysconf("SC_PAGE_SIZE") / 2**20, threading.active_count(), files)


def add_parser(commands: Any) -> None:
    """Add the sub-command to an argparse parser's sub-parsers."""
    about = "a day of failing cameras, sped up: crashes, leaks, and how soon each is found again"
    parser = commands.add_parser("soak", help=about, description=__doc__)
    parser.add_argument("--hours", type=float, default=24.0, help="of simulated time (24)")
    parser.add_argument("--speed", type=float, default=30.0, help="how many times faster it passes (30)")
    parser.add_argument("--cameras", type=int, default=4, help="of which the last one never fails (4)")
    models, people = (
        "an InsightFace pack (a stand-in)",
        "whose faces are shown: a folder a person",
    )
    parser.add_argument("--models", type=Path, metavar="DIR", help=models)
    parser.add_argument("--people", type=Path, metavar="DIR", help=people)
    parser.add_argument("--seed", type=int, default=1, help="of what fails when (1)")
    parser.add_argument("--json", action="store_true", help="print one JSON line last")
    parser.set_defaults(run=main)


def main(args: argparse.Namespace) -> int:
    """Run the soak; return its exit status: 2 for input that makes no sense, 1 when a bar is missed."""
    if not (args.cameras >= 2 and args.hours > 0 and args.speed >= 1):
        complain("It takes at least 2 cameras, some time, and a speed of 1 or more.")
        return EXIT_USAGE
    if (args.models is None) != (args.people is None):
        complain("--models and --people go together: the faces of the people are what the models find.")
        return EXIT_USAGE
    try:
        eyes, shows = prepared(args.models, args.people, args.cameras)
    except (InputError, ModelPackError, OSError) as error:
        complain(f"{str(error).rstrip('.')}.")
        return EXIT_USAGE
    pace = Pace(args.speed)
    plans = [episodes(args.seed, number, args.hours, pace) for number in range(args.cameras - 1)]
    outcome = soaked(eyes, shows, plans, pace, args.hours)
    changed = changes(outcome.vitals, args.hours)
    missed = missed_bars(outcome.recoveries, outcome.failures, changed, outcome.kept)
    report(outcome, changed)
    print("  every bar is met" if not missed else "".join(f"  MISSED: {each}\n" for each in missed).rstrip())
    if args.json:
        print(json.dumps(as_json(args, outcome, changed, missed)), flush=True)
    return 1 if missed else 0


def prepared(models: Path | None, people: Path | None, cameras: int) -> tuple[Eyes, list[Show]]:
    """Return what the agent looks with, and what each camera shows.

    Raises ModelPackError, InputError or OSError when models or photos cannot be used.
    """
    cv2.setNumThreads(1)
    machine.share_heaps()  # as the agent does
    if models is None or people is None:
        things, eyes = [clips.marked(SIZES[0][1] // 2)], Eyes(StandIn(), its_gallery())
    else:
        analyser = InsightFaceAnalyser(models)
        models_of_all = shared(analyser, machine.processors())
        models_of_all.warm_up()  # as the agent does
        eyes = Eyes(models_of_all, gallery_of(people, analyser))
        things = [cv2.imread(str(photo)) for _, photos in people_in(people) for photo in photos[:1]]
        things = [each for each in things if each is not None][:cameras]
    if not things:
        raise InputError(f"No photo in {people} can be read.")
    made = [Show([_clip(thing, size) for size in SIZES], _clip(thing, MAIN_SIZE)) for thing in things]
    shows = [made[number % len(made)] for number in range(cameras)]
    return eyes, [each if number % 2 else Show(each.clips) for number, each in enumerate(shows)]


def _clip(thing: Any, size: tuple[int, int]) -> Clip:
    """Return a clip of this size in which thing goes to and fro."""
    scale = min(HIGH * size[1] / thing.shape[0], 0.9 * size[0] / thing.shape[1])
    scaled = cv2.resize(thing, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    pictures = clips.wandering(scaled, size, CLIP_S * clips.FPS)
    return Clip.of(clips.encoded(pictures, size), size)


def soaked(
    eyes: Eyes, shows: Sequence[Show], plans: Sequence[Sequence[Episode]], pace: Pace, hours: float
) -> Outcome:
    """Watch cameras that show this, all but the last of which fail as planned; print a line every hour."""
    failures, log, hook = Failures(), logging.getLogger(), threading.excepthook
    threading.excepthook = failures.of_thread
    log.addHandler(failures)
    try:
        with ExitStack() as stack:
            remotes = enumerate(stack.enter_context(played(shows)), 1)
            cameras = [SoakCamera(f"cam-{number}", each, eyes, pace) for number, each in remotes]
            for each in cameras:
                stack.enter_context(each)
            soak = Soak(cameras, plans, pace, hours, failures)
            for hour in soak.hours():
                _tell(hour, soak)
            return soak.outcome()
    finally:
        log.removeHandler(failures)
        threading.excepthook = hook


def _tell(hour: int, soak: Soak) -> None:
    now, recoveries = soak.vitals[-1], soak.recoveries()
    worst = _seconds(worst_s(recoveries))
    print(
        f"hour {hour}: {now.rss_mb:.1f} MB, {now.threads} threads, {now.files} files; "
        f"{len(recoveries)} recoveries, the worst {worst}",
        flush=True,
    )


def report(outcome: Outcome, changed: Sequence[Change]) -> None:
    print(f"  {'fault':10} {'times':>6} {'felt':>6} {'found again':>12} {'p95':>8} {'worst':>8}")
    for name, each in _by_fault(outcome.recoveries):
        found = sum(one.took_s is not None for one in each)
        felt = sum(one.was_dark for one in each)
        p95, worst = _seconds(percentile_s(each, 0.95)), _seconds(worst_s(each))
        print(f"  {name:10} {len(each):6} {felt:6} {found:12} {p95:>8} {worst:>8}")
    failures = len(outcome.failures)
    print(f"  {outcome.pictures} pictures looked at, {outcome.events} events, {failures} failures")
    print(f"  {outcome.kept:.1%} of the samples of the camera without faults were looked at")
    for each in changed:
        told = f"{each.early:.1f} in the second hour, {each.late:.1f} in the last"
        print(f"  {each.name}: {told} ({each.growth:+.1%})")
    if not changed:
        print("  too short a run to tell of leaks")


def _by_fault(recoveries: Sequence[Recovery]) -> Iterator[tuple[str, list[Recovery]]]:
    """Yield the recoveries of each kind of fault, and of all."""
    for fault in Fault:
        yield fault.value, [each for each in recoveries if each.fault is fault]
    yield "all", list(recoveries)


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} s"


def as_json(
    args: argparse.Namespace, outcome: Outcome, changed: Sequence[Change], missed: Sequence[str]
) -> dict[str, Any]:
    return {
        "command": "soak",
        **{name: getattr(args, name) for name in ("hours", "speed", "cameras", "seed")},
        "has_models": args.models is not None,
        "recoveries": {
            name: {
                "times": len(each),
                "felt": sum(one.was_dark for one in each),
                "found_again": sum(one.took_s is not None for one in each),
                "p95_s": percentile_s(each, 0.95),
                "worst_s": worst_s(each),
            }
            for name, each in _by_fault(outcome.recoveries)
        },
        "changes": {each.name: asdict(each) | {"growth": each.growth} for each in changed},
        "failures": outcome.failures[:20],
        "kept": outcome.kept,
        "pictures": outcome.pictures,
        "events": outcome.events,
        "missed": list(missed),
    }
