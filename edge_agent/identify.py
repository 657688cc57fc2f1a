"""`hadir agent identify`: the camera pipeline on a video file, as fast as it goes, without any server."""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from common.ids import CameraId, EmployeeId, is_employee_id
from edge_agent.adapters.opencv import cv2
from edge_agent.config import CameraConfig
from edge_agent.core.gallery import Gallery, Template
from edge_agent.core.resighting import DueEvent
from edge_agent.engines import NoEngineError, choose_engine
from edge_agent.enrolment import Refused, embed_portrait, photos_in
from edge_agent.ignored import IgnoredFaces
from edge_agent.pipeline import CameraPipeline, Frame
from edge_agent.ports import FaceAnalyser

MERGE_GAP_S = 2.0  # tracks of one person no further apart than this are one appearance


class InputError(Exception):
    """The video or the people folder cannot be used; the message is one sentence about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """One person, or one unknown, seen without a longer break. Seconds are of the video."""

    employee_id: EmployeeId | None
    first_s: float
    last_s: float
    sim_score: float | None
    frames: int
    track_id: str


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
    parser.add_argument("--ignore", type=Path, help="a folder of photos of faces to ignore, one face a photo")
    parser.add_argument(
        "--models", type=Path, default=Path(given) if given else None, help="an InsightFace pack"
    )
    parser.add_argument("--fps", type=float, default=5.0, help="pictures looked at a second (5)")
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
        analyser = choose_engine(args.models, allow_dlib=True, allow_download=True, say=_complain)
        gallery = gallery_of(args.people, analyser)
        if args.ignore:
            gallery = gallery.with_anchors(anchors_of(args.ignore, analyser))
        appearances, summary = identify_video(args.video, analyser, gallery, sample_fps=args.fps)
    except (InputError, NoEngineError) as error:
        _complain(str(error))
        return 2
    show = _show_json if args.json else _show_table
    show(appearances, summary)
    return 0


def gallery_of(people: Path, analyser: FaceAnalyser) -> Gallery:
    """Return the gallery of a folder with one folder a person. Photos that cannot be used are reported."""
    if not people.is_dir():
        raise InputError(f"There is no folder {people}.")
    templates: list[Template] = []
    for folder in sorted(each for each in people.iterdir() if each.is_dir()):
        templates += _templates_of(folder, analyser, first_id=len(templates) + 1)
    if not templates:
        raise InputError(
            f"No usable photo was found in {people}; it needs one folder a person, photos inside."
        )
    return Gallery.build(analyser.model_id, 1, templates)


def anchors_of(folder: Path, analyser: FaceAnalyser) -> list[Template]:
    """Return an anchor for each photo in a folder of faces to ignore."""
    if not folder.is_dir():
        raise InputError(f"There is no folder {folder}.")
    return IgnoredFaces(folder, analyser, _complain).anchors()


def _templates_of(folder: Path, analyser: FaceAnalyser, first_id: int) -> list[Template]:
    if not is_employee_id(folder.name):
        _complain(f"{folder} is passed over: its name cannot be an employee code.")
        return []
    templates = []
    for photo in photos_in(folder):
        outcome = embed_portrait(photo.read_bytes(), analyser)
        if isinstance(outcome, Refused):
            _complain(f"{photo} is not used: {outcome.words}")
        else:
            templates.append(Template(first_id + len(templates), EmployeeId(folder.name), outcome.embedding))
    if not templates:
        _complain(f"{folder.name} is not enrolled: no usable photo.")
    return templates


def identify_video(
    video: Path, analyser: FaceAnalyser, gallery: Gallery, *, sample_fps: float
) -> tuple[list[Appearance], Summary]:
    """Return who appears in the video, in order of appearance. Raises InputError when it cannot be read."""
    cpu, wall = time.process_time(), time.monotonic()
    camera = CameraConfig(
        camera_id=CameraId("video"), name=video.name, url=str(video), zone="", sample_fps=sample_fps
    )
    pipeline = CameraPipeline(camera, analyser, analyser.policy, "v", lambda: gallery)
    events: list[DueEvent] = []
    sampled = end_ms = 0
    for image, at_ms, is_sample in _read(video, sample_fps):
        end_ms = at_ms
        if is_sample:
            sampled += 1
            events += [each.event for each in pipeline.process(Frame(image, at_ms, at_ms, sampled))]
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


def _read(video: Path, sample_fps: float) -> Iterator[tuple[np.ndarray, int, bool]]:
    """Yield (picture, video time in ms, is it sampled) for every frame; pictures only of the sampled ones."""
    capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)
    blank = np.zeros((0, 0, 3), np.uint8)
    fps = capture.get(cv2.CAP_PROP_FPS)
    if not capture.isOpened() or not capture.grab():
        raise InputError(f"{video} cannot be read as a video.")
    at_ms, due_ms, index = 0.0, 0.0, 0
    while True:
        is_sample = at_ms >= due_ms - 1
        if is_sample:
            due_ms = max(due_ms + 1000 / sample_fps, at_ms)
            is_there, image = capture.retrieve()
            if not is_there:
                break
        yield (image if is_sample else blank), round(at_ms), is_sample
        if not capture.grab():
            break
        index += 1
        stamp = capture.get(cv2.CAP_PROP_POS_MSEC)
        at_ms = stamp if stamp > at_ms else max(at_ms + 1, index * 1000 / (fps or 25.0))
    capture.release()


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
        )
    return joined


def _show_json(appearances: Sequence[Appearance], summary: Summary) -> None:
    for each in appearances:
        score = None if each.sim_score is None else round(each.sim_score, 3)
        print(json.dumps(asdict(replace(each, sim_score=score)), ensure_ascii=False))
    print(json.dumps(asdict(summary)), flush=True)


def _show_table(appearances: Sequence[Appearance], summary: Summary) -> None:
    width = max([len(each.employee_id or "unknown") for each in appearances] + [len("Person")])
    print(f"{'Person':{width}}  {'from s':>8}  {'to s':>8}  {'similarity':>10}  {'looks':>5}")
    for each in appearances:
        score = "" if each.sim_score is None else f"{each.sim_score:.2f}"
        name = each.employee_id or "unknown"
        print(f"{name:{width}}  {each.first_s:8.2f}  {each.last_s:8.2f}  {score:>10}  {each.frames:5}")
    print(
        f"{summary.video_s:.1f} s of video, {summary.sampled} pictures looked at, "
        f"{summary.cpu_s:.1f} s of processor time, {summary.wall_s:.1f} s in all."
    )


def _complain(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


if __name__ == "__main__":
    standalone = argparse.ArgumentParser(prog="hadir agent identify", description=__doc__)
    fill_parser(standalone)
    sys.exit(main(standalone.parse_args()))
