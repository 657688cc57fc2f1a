"""`hadir agent identify`: the camera pipeline on a video file, as fast as it goes, without any server."""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from common.ids import CameraId, EmployeeId
from edge_agent.adapters.camera_reader import recorded
from edge_agent.adapters.decoding import Opening, SourceError, Video
from edge_agent.config import CameraConfig
from edge_agent.core.gallery import Gallery
from edge_agent.core.liveness import Liveness, doubtful_first
from edge_agent.core.resighting import DueEvent
from edge_agent.engines import NoEngineError, NoLivenessError, choose_engine, choose_liveness
from edge_agent.frame import Frame
from edge_agent.liveness import LivenessWatch
from edge_agent.people_folder import InputError, complain, gallery_of
from edge_agent.pipeline import CameraPipeline
from edge_agent.ports import FaceAnalyser

MERGE_GAP_S = 2.0  # tracks of one person no further apart than this are one appearance


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """One person, or one unknown, seen without a longer break. Seconds are of the video."""

    employee_id: EmployeeId | None
    first_s: float
    last_s: float
    sim_score: float | None
    frames: int
    track_id: str
    liveness: Liveness | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    video_s: float
    sampled: int
    cpu_s: float
    wall_s: float
    appearances: int


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to an argparse parser's sub-parsers."""
    parser = subparsers.add_parser("identify", help="name the people in a video file, without a server")
    fill_parser(parser)
    parser.set_defaults(run=main)
    return parser


def fill_parser(parser: argparse.ArgumentParser) -> None:
    given = os.environ.get("HADIR_MODELS")
    parser.add_argument("video", type=Path, help="a video file")
    parser.add_argument(
        "--people", type=Path, required=True, help="a folder with one folder of photos a person"
    )
    parser.add_argument(
        "--models", type=Path, default=Path(given) if given else None, help="an InsightFace pack, or its name"
    )
    parser.add_argument("--fps", type=float, default=5.0, help="pictures looked at a second (5)")
    parser.add_argument(
        "--liveness",
        nargs="+",
        default=[],
        metavar="FILE",
        help="show how alive each face looks, by these ONNX files, or by `insightface`'s own",
    )
    parser.add_argument(
        "--json", action="store_true", help="print one JSON line an appearance, and a summary"
    )


def main(args: argparse.Namespace) -> int:
    """Run the command; return its exit status: 2 for input that cannot be used."""
    try:
        if not args.video.is_file():
            raise InputError(f"There is no video file {args.video}.")
        if not args.fps > 0:
            raise InputError("--fps must be more than 0.")
        analyser = choose_engine(args.models, allow_dlib=True, allow_download=True, say=complain)
        gallery = gallery_of(args.people, analyser)
        liveness = choose_liveness(args.liveness, say=complain)
        appearances, summary = identify_video(
            args.video, analyser, gallery, sample_fps=args.fps, liveness=liveness
        )
    except (InputError, NoEngineError, NoLivenessError) as error:
        complain(str(error))
        return 2
    show = _show_json if args.json else _show_table
    show(appearances, summary, has_liveness=bool(args.liveness))
    return 0


def identify_video(
    video: Path,
    analyser: FaceAnalyser,
    gallery: Gallery,
    *,
    sample_fps: float,
    liveness: LivenessWatch | None = None,
) -> tuple[list[Appearance], Summary]:
    """Return who appears in the video, in order of appearance. Raises InputError when it cannot be read."""
    cpu, wall = time.process_time(), time.monotonic()
    try:
        opened = Video(Opening(url=str(video), is_live=False))
    except SourceError as error:
        raise InputError(f"{video} cannot be read as a video.") from error
    camera = CameraConfig(
        camera_id=CameraId("video"), name=video.name, url=str(video), zone="", sample_fps=sample_fps
    )
    pipeline = CameraPipeline(camera, analyser, analyser.policy, "v", lambda: gallery, liveness=liveness)
    events: list[DueEvent] = []
    sampled = end_ms = 0
    for picture, at_s in recorded(opened, sample_fps, lambda: pipeline.is_idle):
        sampled, end_ms = sampled + 1, round(at_s * 1000)
        events += [each.event for each in pipeline.process(Frame(picture, end_ms, end_ms, sampled))]
    events += [each.event for each in pipeline.finish(end_ms, end_ms)]
    appearances = appearances_in(events)
    summary = Summary(
        video_s=round(end_ms / 1000, 2),
        sampled=sampled,
        cpu_s=round(time.process_time() - cpu, 2),
        wall_s=round(time.monotonic() - wall, 2),
        appearances=len(appearances),
    )
    return appearances, summary


def appearances_in(events: Sequence[DueEvent]) -> list[Appearance]:
    """Return the appearances that the events of one video tell of; broken tracks of one person joined."""
    latest: dict[tuple[str, EmployeeId | None], Appearance] = {}
    named = {each.track_id for each in events if each.employee_id is not None}
    for each in events:
        if each.employee_id is None and each.track_id in named:
            continue  # recognised later
        key = (each.track_id, each.employee_id)
        latest[key] = _longer(latest.get(key), each)
    ordered = sorted(latest.values(), key=lambda each: each.first_s)
    return _joined(ordered)


def _longer(known: Appearance | None, event: DueEvent) -> Appearance:
    return Appearance(
        employee_id=event.employee_id,
        first_s=round(event.first_seen / 1000, 2),
        last_s=round(event.last_seen / 1000, 2),
        sim_score=max(
            (s for s in (known.sim_score if known else None, event.sim_score) if s is not None), default=None
        ),
        frames=max(event.frames, known.frames if known else 0),
        track_id=event.track_id,
        liveness=event.liveness or (known.liveness if known else None),
    )


def _joined(appearances: Sequence[Appearance]) -> list[Appearance]:
    joined: list[Appearance] = []
    for each in appearances:
        place = next(
            (
                index
                for index, other in enumerate(joined)
                if each.employee_id is not None
                and other.employee_id == each.employee_id
                and each.first_s - other.last_s <= MERGE_GAP_S
            ),
            None,
        )
        if place is None:
            joined.append(each)
            continue
        other = joined[place]
        joined[place] = replace(
            other,
            last_s=max(other.last_s, each.last_s),
            sim_score=max(other.sim_score or -1.0, each.sim_score or -1.0),
            frames=other.frames + each.frames,
            liveness=doubtful_first(other.liveness, each.liveness),
        )
    return joined


def _show_json(appearances: Sequence[Appearance], summary: Summary, *, has_liveness: bool) -> None:
    for each in appearances:
        score = None if each.sim_score is None else round(each.sim_score, 3)
        line = asdict(replace(each, sim_score=score))
        if not has_liveness:
            del line["liveness"]
        elif each.liveness:
            line["liveness"]["score"] = round(each.liveness.score, 3)
        print(json.dumps(line, ensure_ascii=False))
    print(json.dumps(asdict(summary)), flush=True)


def _show_table(appearances: Sequence[Appearance], summary: Summary, *, has_liveness: bool) -> None:
    width = max([len(each.employee_id or "unknown") for each in appearances] + [len("Person")])
    last = "  liveness" if has_liveness else ""
    print(f"{'Person':{width}}  {'from s':>8}  {'to s':>8}  {'similarity':>10}  {'looks':>5}{last}")
    for each in appearances:
        score = "" if each.sim_score is None else f"{each.sim_score:.2f}"
        name = each.employee_id or "unknown"
        last = f"  {_liveness_words(each.liveness)}" if has_liveness else ""
        print(f"{name:{width}}  {each.first_s:8.2f}  {each.last_s:8.2f}  {score:>10}  {each.frames:5}{last}")
    print(
        f"{summary.video_s:.1f} s of video, {summary.sampled} pictures looked at, "
        f"{summary.cpu_s:.1f} s of processor time, {summary.wall_s:.1f} s in all."
    )


def _liveness_words(liveness: Liveness | None) -> str:
    return f"{liveness.score:.2f} {liveness.word} ({liveness.looks})" if liveness else "not judged"


if __name__ == "__main__":
    standalone = argparse.ArgumentParser(prog="hadir agent identify", description=__doc__)
    fill_parser(standalone)
    sys.exit(main(standalone.parse_args()))
