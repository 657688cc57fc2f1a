"""`hadir bench edge`: the agent's pipeline against what an expert would write around insightface.

Both watch the same file with the same weights, in processes of their own, in turns, so that a busy moment of
the machine meets both. Then copies of the file play in real time until the box cannot keep up.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edge_agent.adapters.decoding import Opening, SourceError, Video
from edge_agent.adapters.face_analyser import InsightFaceAnalyser, ModelPackError
from edge_agent.bench.agreement import agreement
from edge_agent.bench.appearances import Comparison, Named, appearances, compared
from edge_agent.bench.parts import Part, automatic_parts, cost_of, given_part
from edge_agent.bench.realtime import Capacity, capacity
from edge_agent.bench.variants import VARIANTS
from edge_agent.people_folder import InputError, gallery_of

EXIT_USAGE = 2


@dataclass(frozen=True, slots=True)
class Runs:
    """All runs of one system; the figures are medians."""

    outcomes: list[dict[str, Any]]

    @property
    def cpu_s(self) -> float:
        return statistics.median(each["cpu_s"] for each in self.outcomes)

    @property
    def first(self) -> dict[str, Any]:
        return self.outcomes[0]

    @property
    def peak_mb(self) -> float:
        return max(each["peak_mb"] for each in self.outcomes)

    @property
    def named(self) -> list[Named]:
        if self.first["hits"]:
            return appearances([(at_s, who) for at_s, who in self.first["hits"]])
        return [Named(**each) for each in self.first["named"]]

    def cost_of(self, part: Part) -> float:
        return statistics.median(cost_of(part, each["series"]) for each in self.outcomes)


def add_parser(commands: Any) -> None:
    about = "the pipeline against insightface's own, on a video of yours"
    parser = commands.add_parser("edge", help=about, description=__doc__)
    parser.add_argument("video", type=Path, help="a video file")
    parser.add_argument("--people", type=Path, required=True, help="one folder of photos a person")
    given = os.environ.get("HADIR_MODELS")
    parser.add_argument(
        "--models",
        type=Path,
        default=Path(given) if given else None,
        help="the folder of an InsightFace pack (HADIR_MODELS)",
    )
    parser.add_argument("--runs", type=int, default=3, help="of each system (3)")
    parser.add_argument(
        "--part",
        action="append",
        default=[],
        metavar="NAME=FROM-TO[,FROM-TO]",
        help="also tell what these seconds of the video cost; may be given again",
    )
    parser.add_argument("--ablate", action="store_true", help="also without each mechanism")
    parser.add_argument(
        "--cameras",
        type=int,
        default=None,
        metavar="N",
        help="play N copies in real time; left out, the largest N is sought; 0: none",
    )
    parser.add_argument("--json", action="store_true", help="one JSON line last")
    parser.set_defaults(run=main)


def main(args: argparse.Namespace) -> int:
    try:
        parts = [given_part(each) for each in args.part]
        _check_input(args)
        report = _report(args, parts)
    except InputError as error:
        print(error, file=sys.stderr)
        return EXIT_USAGE
    if args.json:
        print(json.dumps(report), flush=True)
    return 0


def _check_input(args: argparse.Namespace) -> None:
    """Raise InputError for what would only fail after minutes."""
    if args.models is None:
        raise InputError("Name a model pack with --models, or with HADIR_MODELS.")
    for path, is_there, kind in (
        (args.video, Path.is_file, "video file"),
        (args.people, Path.is_dir, "folder"),
        (args.models, Path.is_dir, "folder of a model pack"),
    ):
        if not is_there(path):
            raise InputError(f"{path} is no {kind}.")
    if args.runs < 1:
        raise InputError("--runs must be at least 1.")
    if args.cameras is not None and args.cameras < 0:
        raise InputError("--cameras cannot be negative.")
    try:
        Video(Opening(url=str(args.video), is_live=False)).close()
        gallery_of(args.people, InsightFaceAnalyser(args.models))
    except SourceError as error:
        raise InputError(f"{args.video} cannot be read as a video.") from error
    except ModelPackError as error:
        raise InputError(f"The model pack cannot be used: {error}.") from error


def _report(args: argparse.Namespace, parts: Sequence[Part]) -> dict[str, Any]:
    systems = ["decode", "baseline", "ours"]
    runs = _alternating(args, systems, args.runs)
    baseline, ours = runs["baseline"], runs["ours"]
    video_s = ours.first["video_s"]
    if late := [each.name for each in parts if max(until for _, until in each.spans) > video_s + 1]:
        raise InputError(f"--part {late[0]} goes beyond the video, which lasts {video_s:.1f} s.")
    parts = [*parts, *automatic_parts(baseline.first["series"])]
    minutes = ours.first["video_s"] / 60
    comparison = compared(ours.named, baseline.named)
    same = agreement(args.video, args.models)
    report: dict[str, Any] = {
        "video": args.video.name,
        "video_s": ours.first["video_s"],
        "cpu_s": {name: round(each.cpu_s, 2) for name, each in runs.items()},
        "cpu_s_per_camera_minute": {name: round(each.cpu_s / minutes, 2) for name, each in runs.items()},
        "ratio": round(ours.cpu_s / baseline.cpu_s, 4),
        "parts": [_part_row(part, baseline, ours) for part in parts],
        "stages_ms": ours.first["stages_ms"],
        "embeddings": {"baseline": baseline.first["embedded"], "ours": ours.first["embedded"]},
        "peak_mb": {name: each.peak_mb for name, each in runs.items()},
        "recall": round(comparison.recall, 4),
        "appearances": {name: [asdict(each) for each in runs[name].named] for name in systems[1:]},
        "missed": [asdict(each) for each in comparison.missed],
        "unsupported": [asdict(each) for each in comparison.unsupported],
        "latest_first_name_s": round(max(comparison.delays_s, default=0.0), 2),
        "cosine": same,
    }
    _show(report, baseline, ours, comparison)
    if args.ablate:
        report["ablation"] = list(_ablation(args, baseline, ours))
    if args.cameras != 0:
        report["capacity"] = _capacity(args)
    return report


def _alternating(args: argparse.Namespace, systems: Sequence[str], rounds: int) -> dict[str, Runs]:
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in systems}
    for number in range(rounds):
        for name in systems:
            _say(f"run {number + 1} of {rounds}: {name} …")
            found[name].append(_trial(name, args))
            _say(f"    {found[name][-1]['cpu_s']:.1f} CPU-s")
    return {name: Runs(each) for name, each in found.items()}


def _trial(system: str, args: argparse.Namespace) -> dict[str, Any]:
    command = [sys.executable, "-m", "edge_agent.bench.trial", system, str(args.video)]
    command += ["--people", str(args.people), "--models", str(args.models)]
    free = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    environment = {name: value for name, value in os.environ.items() if name not in free}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode:
        last = [line for line in done.stderr.splitlines() if line.strip()][-1:]
        raise InputError(f"The run of {system} failed: {' '.join(last)}")
    return json.loads(done.stdout.splitlines()[-1])


def _part_row(part: Part, baseline: Runs, ours: Runs) -> dict[str, Any]:
    theirs, own = baseline.cost_of(part), ours.cost_of(part)
    return {
        "name": part.name,
        "seconds": round(part.length_s, 1),
        "baseline_cpu_s": round(theirs, 2),
        "ours_cpu_s": round(own, 2),
        "ratio": round(own / theirs, 4) if theirs else None,
    }


def _show(report: dict[str, Any], baseline: Runs, ours: Runs, comparison: Comparison) -> None:
    print(f"\n{report['video']}, {report['video_s']:.1f} s, 5 samples a second, one camera\n")
    print(f"{'':34}{'decode':>10}{'baseline':>10}{'ours':>10}")
    per = report["cpu_s_per_camera_minute"]
    print(f"{'CPU-s a camera-minute':34}" + "".join(f"{value:10.2f}" for value in per.values()))
    print(f"{'ours to baseline':34}{'':20}{_share(report['ratio']):>10}")
    print("CPU-s of its parts")
    for part in report["parts"]:
        name = f"  {part['name']} ({part['seconds']:.1f} s)"
        costs = f"{part['baseline_cpu_s']:10.2f}{part['ours_cpu_s']:10.2f}"
        print(f"{name:34}{'':10}{costs}  {_share(part['ratio'])}")
    shown = report["peak_mb"]
    print(f"{'peak memory, MB':34}" + "".join(f"{value:10.0f}" for value in shown.values()))
    appearing = max(1, len(ours.named))
    print(f"{'faces embedded':34}{'':10}{baseline.first['embedded']:10}{ours.first['embedded']:10}")
    print(f"{'  for each appearance named':34}{'':20}{ours.first['embedded'] / appearing:10.1f}")
    print(f"{'appearances given a name':34}{'':10}{len(baseline.named):10}{len(ours.named):10}")
    print(f"{'  of the baseline’s, found by ours':34}{'':20}{comparison.recall:10.2f}")
    print(f"{'  named by ours alone':34}{'':20}{len(comparison.unsupported):10}")
    print(f"{'  first name later by at most, s':34}{'':20}{report['latest_first_name_s']:10.2f}")
    stages = ", ".join(f"{name} {ms:.2f}" for name, ms in report["stages_ms"].items())
    print(f"\nms a sample: {stages}")
    same = report["cosine"]
    print(f"{same['faces']} faces through insightface's path and ours: cosine {same['least']:.5f} at least")
    for each in comparison.missed:
        print(f"missed: {each.person}, {each.first_s:.1f} to {each.last_s:.1f} s")
    for each in comparison.unsupported:
        print(f"named by ours alone: {each.person}, {each.first_s:.1f} to {each.last_s:.1f} s")


def _share(ratio: float | None) -> str:
    return "" if not ratio else f"1/{1 / ratio:.1f}"


def _ablation(args: argparse.Namespace, baseline: Runs, ours: Runs) -> Iterator[dict[str, Any]]:
    print(f"\n{'without':14}{'CPU-s':>8}{'dearer':>9}{'recall':>8}{'late s':>8}  what is left out")
    for name, variant in VARIANTS.items():
        run = ours if name == "ours" else Runs([_trial(name, args)])
        against = compared(run.named, baseline.named)
        row = {
            "without": name,
            "cpu_s": round(run.cpu_s, 2),
            "times": round(run.cpu_s / ours.cpu_s, 2),
            "recall": round(against.recall, 3),
            "latest_first_name_s": round(max(against.delays_s, default=0.0), 2),
            "embedded": run.first["embedded"],
        }
        late, recall = row["latest_first_name_s"], row["recall"]
        print(
            f"{name:14}{row['cpu_s']:8.2f}{row['times']:8.2f}x{recall:8.2f}{late:8.2f}  {variant.about}",
            flush=True,
        )
        yield row


def _capacity(args: argparse.Namespace) -> dict[str, Any]:
    print("\nCopies in real time (each its own camera, at another place in the file):")
    print(f"{'system':10}{'cameras':>8}{'p95 to event, s':>17}{'samples kept':>14}{'CPU':>7}")
    found: dict[str, Any] = {}
    for system in ("ours", "baseline"):
        best: Capacity | None = None
        for each in capacity(system, args.video, args.people, args.models, args.cameras):
            best = each if each.holds else best
            p95 = "none" if each.p95_s is None else f"{each.p95_s:.2f}"
            verdict = "" if each.holds else "  too many"
            print(
                f"{system:10}{each.cameras:8}{p95:>17}{each.kept:13.0%}{each.cpu:7.0%}{verdict}", flush=True
            )
        found[system] = asdict(best) if best else None
    return found


def _say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
