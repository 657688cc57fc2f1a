"""One run of one system over one video, in a process of its own; prints one JSON object.

    python -m edge_agent.bench.trial SYSTEM VIDEO --people DIR --models DIR

Processor time is that of the whole process, model loading and enrolment left out. `series` holds it second by
second of the video, so that any part of the video can be priced afterwards.
"""

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.adapters.camera_reader import recorded
from edge_agent.adapters.decoding import Opening, Video
from edge_agent.adapters.face_analyser import InsightFaceAnalyser
from edge_agent.adapters.opencv import cv2
from edge_agent.bench.timing import TimedAnalyser
from edge_agent.bench.variants import VARIANTS, Variant
from edge_agent.config import CameraConfig, ExecutionConfig
from edge_agent.core.gallery import Gallery
from edge_agent.core.identification import MatchPolicy
from edge_agent.frame import Frame
from edge_agent.identify import appearances_in
from edge_agent.people_folder import gallery_of
from edge_agent.pipeline import CameraPipeline

SAMPLE_FPS = 5.0


@dataclass(slots=True)
class Outcome:
    """What one run cost and found."""

    system: str
    cpu_s: float = 0.0
    wall_s: float = 0.0
    video_s: float = 0.0
    samples: int = 0
    faces: int = 0
    embedded: int = 0
    peak_mb: float = 0.0
    hits: list[tuple[float, str]] = field(default_factory=list)  # of a system that names frame by frame
    named: list[dict[str, Any]] = field(default_factory=list)  # of one that names appearances
    series: list[tuple[float, float, int]] = field(default_factory=list)  # second, CPU until then, faces
    stages_ms: dict[str, float] = field(default_factory=dict)  # a sample, on average
    tally: dict[str, Any] = field(default_factory=dict)


class Meter:
    """Processor time from here on, noted as the video goes on."""

    def __init__(self, outcome: Outcome) -> None:
        self._outcome, self._cpu, self._wall = outcome, time.process_time(), time.monotonic()

    def sample(self, at_s: float, faces: int) -> None:
        out = self._outcome
        out.samples, out.faces, out.video_s = out.samples + 1, out.faces + faces, at_s
        out.series.append((round(at_s, 3), round(time.process_time() - self._cpu, 4), faces))

    def end(self) -> None:
        out = self._outcome
        out.cpu_s = round(time.process_time() - self._cpu, 3)
        out.wall_s = round(time.monotonic() - self._wall, 3)
        out.peak_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def decode_only(video: Path) -> Outcome:
    """Every picture decoded, sampled at 5 fps, nothing looked at: the floor of whoever decodes everything."""
    outcome = Outcome("decode")
    opened, meter = Video(Opening(url=str(video), is_live=False)), Meter(outcome)
    for _, at_s in recorded(opened, SAMPLE_FPS, lambda: False, may_rest=False, skips=False):
        meter.sample(at_s, 0)
    meter.end()
    return outcome


def baseline(video: Path, models: Path, gallery: Gallery, policy: MatchPolicy) -> Outcome:
    """What an expert writes in twenty lines: FaceAnalysis on every sample, every face embedded and named.

    Detection and recognition only, one size, ONNX Runtime's own threads, one matrix product a face.
    """
    from insightface.app import FaceAnalysis

    outcome = Outcome("baseline")
    app = FaceAnalysis(
        name=str(models), allowed_modules=["detection", "recognition"], providers=["CPUExecutionProvider"]
    )
    app.prepare(ctx_id=0, det_size=(640, 640))
    app.get(np.zeros((720, 1280, 3), np.uint8))  # its first run is not its usual one
    matrix, names = gallery.matrix, [gallery.search(row[None])[0].employee_id for row in gallery.matrix]
    meter = Meter(outcome)
    for image, at_s in _opencv_samples(video):
        faces = app.get(image)
        for face in faces:
            similarities = matrix @ face.normed_embedding
            best = int(similarities.argmax())
            if similarities[best] >= policy.threshold:
                outcome.hits.append((at_s, names[best]))
        outcome.embedded += len(faces)
        meter.sample(at_s, len(faces))
    meter.end()
    return outcome


def _opencv_samples(video: Path) -> Iterator[tuple[np.ndarray, float]]:
    capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)
    fps, index, due_s = capture.get(cv2.CAP_PROP_FPS) or 25.0, 0, 0.0
    while capture.grab():
        at_s = index / fps
        if at_s >= due_s - 1e-3:
            due_s += 1 / SAMPLE_FPS
            yield capture.retrieve()[1], round(at_s, 3)
        index += 1


def ours(video: Path, analyser: TimedAnalyser, gallery: Gallery, variant: Variant) -> Outcome:
    """The pipeline of the agent, with all its mechanisms or all but one."""
    outcome = Outcome(variant.name)
    policy = (
        replace(analyser.policy, spacing_s=0.0, reverify_s=0.0) if variant.embeds_all else analyser.policy
    )
    camera = CameraConfig(camera_id="bench", name="", url="", zone="")  # type: ignore[arg-type]
    pipeline = CameraPipeline(camera, analyser, policy, "b", lambda: gallery, attention=variant.attention)
    opened, events, ends = Video(Opening(url=str(video), is_live=False)), [], 0
    meter, worked = Meter(outcome), 0.0
    pictures = recorded(
        opened, SAMPLE_FPS, lambda: pipeline.is_idle, may_rest=variant.rests, skips=variant.skips
    )
    for number, (picture, at_s) in enumerate(pictures):
        began, before = time.thread_time(), pipeline.tally.faces
        ends = round(at_s * 1000)
        shown = variant.shown(picture)
        events += [each.event for each in pipeline.process(Frame(shown, ends, ends, number))]
        worked += time.thread_time() - began
        meter.sample(at_s, pipeline.tally.faces - before)
    events += [each.event for each in pipeline.finish(ends, ends)]
    meter.end()
    _tell(outcome, analyser, pipeline, worked)
    first_word = {}
    for each in events:
        first_word.setdefault((each.track_id, each.employee_id), each.ts / 1000)
    for each in appearances_in(events):
        if each.employee_id is not None:
            said = min(
                at for (_, who), at in first_word.items() if who == each.employee_id and at >= each.first_s
            )
            outcome.named.append(
                {"person": each.employee_id, "first_s": each.first_s, "last_s": each.last_s, "named_s": said}
            )
    return outcome


def _tell(outcome: Outcome, analyser: TimedAnalyser, pipeline: CameraPipeline, worked: float) -> None:
    samples, tally = max(1, outcome.samples), pipeline.tally
    outcome.embedded = tally.embedded
    stages = {"detect": analyser.detecting_s, "embed": analyser.embedding_s}
    stages["other"] = worked - sum(stages.values())
    stages["decode"] = outcome.cpu_s - worked
    outcome.stages_ms = {name: round(1000 * spent / samples, 3) for name, spent in stages.items()}
    outcome.tally = {
        "whole": tally.whole,
        "regions": tally.regions,
        "megapixels": round(tally.searched_px / 1e6, 1),
        "flaws": dict(tally.flaws),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("system", choices=["decode", "baseline", *VARIANTS])
    parser.add_argument("video", type=Path)
    parser.add_argument("--people", type=Path, required=True)
    parser.add_argument("--models", type=Path, required=True)
    args = parser.parse_args()
    if args.system == "decode":
        outcome = decode_only(args.video)
    else:
        cv2.setNumThreads(1)
        variant = VARIANTS.get(args.system, VARIANTS["ours"])
        analyser = variant.analyser(
            InsightFaceAnalyser(args.models, settings=ExecutionConfig(threads=variant.threads))
        )
        gallery = gallery_of(args.people, analyser)
        if args.system == "baseline":
            cv2.setNumThreads(-1)
            outcome = baseline(args.video, args.models, gallery, analyser.policy)
        else:
            outcome = ours(args.video, TimedAnalyser(analyser), gallery, variant)
    print(json.dumps(asdict(outcome)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
