"""One frame through every stage, in order: detect, track, judge, embed, identify, tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from common.events import EventKind
from common.ids import CameraId
from edge_agent.config import CameraConfig
from edge_agent.core import motion
from edge_agent.core.consensus import (
    NOT_YET,
    Probe,
    Verdict,
    beaten,
    break_at,
    doubts,
    pace_s,
    searched,
    settled,
    weigh,
    with_probe,
)
from edge_agent.core.gallery import Gallery
from edge_agent.core.geometry import Box, Detection
from edge_agent.core.identification import MatchPolicy
from edge_agent.core.quality import CROP_PX, Assessment, QualityPolicy, assess
from edge_agent.core.resighting import Announced, DueEvent, due_kind
from edge_agent.core.tracking import Track, TrackPolicy, advance
from edge_agent.ports import FaceAnalyser

EVIDENCE_MARGIN = 1.6  # an evidence crop shows this much more than the face


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture of a camera."""

    image: np.ndarray  # H × W × 3 uint8, BGR
    ts: int  # ms since the epoch, UTC
    mono: int  # ms on a clock that never jumps
    index: int


@dataclass(frozen=True, slots=True, eq=False)
class Sighted:
    """An event that is due, with the best crop of the face (BGR) when it is the first about this track."""

    event: DueEvent
    crop: np.ndarray | None


@dataclass(slots=True, kw_only=True)
class _File:
    """What is known about one track."""

    track: Track
    probes: tuple[Probe, ...] = ()
    verdict: Verdict = NOT_YET
    doubts: int = 0  # newest looks that do not show whom the verdict names
    announced: Announced = field(default_factory=Announced)
    is_withheld: bool = False  # another face in view is more like the person
    crop: np.ndarray | None = None
    quality: float = 0.0  # of the crop
    sure_ms: int = 0  # the last frame up to which nothing suggests that another face took over


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """A face in the present frame that is worth an embedding."""

    file: _File
    detection: Detection
    assessment: Assessment


class CameraPipeline:
    """The stages of one camera; not for several threads at once."""

    def __init__(
        self,
        camera: CameraConfig,
        analyser: FaceAnalyser,
        policy: MatchPolicy,
        boot_id: str,
        gallery: Callable[[], Gallery],
        *,
        still_every_s: float = 30.0,
    ) -> None:
        self._camera_id = CameraId(camera.camera_id)
        self._analyser, self._policy, self._gallery = analyser, policy, gallery
        self._boot_id, self._still_every_s = boot_id, still_every_s
        self._quality = QualityPolicy(min_side_px=camera.min_face_px)
        self._tracking = TrackPolicy()
        self._files: dict[int, _File] = {}
        self._next_number = 1
        self._thumbnail: np.ndarray | None = None
        self._searched: Gallery | None = None

    def process(self, frame: Frame) -> list[Sighted]:
        """Return what is due after frame, which is later than any before."""
        ended = self._ended_by_cut(frame)
        detections = self._analyser.detect(frame.image)
        seen = self._follow(detections, frame, ended)
        looks = self._worth_embedding(seen, frame)
        embeddings = self._analyser.embed(frame.image, [look.detection for look in looks])
        for look, embedding in zip(looks, embeddings, strict=True):
            self._learn(look, embedding, frame, ended)
        self._search_again()
        self._withhold(seen, frame, ended)
        return [*self._farewells(ended, frame), *self._due(frame)]

    def finish(self, frame_ts: int, mono: int) -> list[Sighted]:
        """Return the farewells of every track when the video ends or the camera is given up."""
        ended, self._files, self._thumbnail = list(self._files.values()), {}, None
        return self._farewells(ended, Frame(np.zeros((1, 1, 3), np.uint8), frame_ts, mono, -1))

    def _ended_by_cut(self, frame: Frame) -> list[_File]:
        small = cv2.resize(frame.image, motion.THUMBNAIL, interpolation=cv2.INTER_AREA)
        before, self._thumbnail = self._thumbnail, cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)
        match motion.scene(before, self._thumbnail):
            case motion.Scene.CUT:
                ended, self._files = list(self._files.values()), {}
                return ended
            case motion.Scene.SHAKEN:
                for file in self._files.values():
                    file.track = replace(file.track, is_ambiguous=True)
        return []

    def _follow(
        self, detections: Sequence[Detection], frame: Frame, ended: list[_File]
    ) -> dict[int, Detection]:
        """Move the tracks along; return what was seen of them, by number."""
        tracks = [file.track for file in self._files.values()]
        step = advance(tracks, detections, frame.mono, self._next_number, self._tracking)
        self._next_number = step.next_number
        ended += [self._files.pop(track.number) for track in step.ended]
        for track in step.tracks:
            file = self._files.setdefault(track.number, _File(track=track))
            file.track = track
            if not track.is_ambiguous:
                file.sure_ms = track.last_ms
        return step.seen

    def _worth_embedding(self, seen: dict[int, Detection], frame: Frame) -> list[_Look]:
        looks = []
        for number, detection in seen.items():
            file = self._files[number]
            pace = pace_s(
                file.probes,
                file.verdict,
                self._policy,
                is_ambiguous=file.track.is_ambiguous,
                doubts=file.doubts,
            )
            if not file.probes or frame.mono - file.probes[-1].at_ms >= pace * 1000:
                assessment = assess(detection, grey_crop(frame.image, detection.box), self._quality)
                if assessment.is_usable:
                    looks.append(_Look(file, detection, assessment))
        return looks

    def _learn(self, look: _Look, embedding: np.ndarray, frame: Frame, ended: list[_File]) -> None:
        """Add one embedding to its track; a track that turns out to show two people ends and begins anew."""
        file, assessment, gallery = look.file, look.assessment, self._gallery()
        before_ms = file.probes[-1].at_ms if file.probes else file.track.first_ms
        if file.track.is_ambiguous:  # then that is when they would have changed places
            before_ms = max(before_ms, file.sure_ms)
        probe = Probe(frame.mono, embedding, assessment.quality, assessment.is_good, before_ms)
        file.probes = searched(with_probe(file.probes, probe), gallery)
        if file.crop is None or assessment.quality > file.quality:
            file.crop, file.quality = evidence_crop(frame.image, look.detection.box), assessment.quality
        at = break_at(file.probes, file.verdict, gallery, self._policy)
        if at is not None:
            ended.append(self._split(file, at, evidence_crop(frame.image, look.detection.box)))
        file.verdict = settled(file.verdict, weigh(file.probes, gallery, self._policy))
        file.doubts = doubts(file.probes, file.verdict, gallery, self._policy)
        file.track = replace(file.track, is_ambiguous=False)

    def _split(self, file: _File, at: int, crop: np.ndarray) -> _File:
        """Cut file at a probe: it goes on as a new track; return the old track, which ended before that."""
        before, after = file.probes[:at], file.probes[at:]
        old = replace(file, track=replace(file.track, last_ms=after[0].before_ms), probes=before)
        file.probes, file.verdict, file.doubts = after, NOT_YET, 0
        file.crop, file.quality = crop, after[-1].quality
        return self._renumbered(file, old, after[0].at_ms)

    def _renumbered(self, file: _File, old: _File, first_ms: int) -> _File:
        """Let file go on under a number of its own, as if it began at first_ms; return old."""
        del self._files[old.track.number]
        file.track = replace(file.track, number=self._next_number, first_ms=first_ms)
        file.announced = Announced()
        self._files[self._next_number] = file
        self._next_number += 1
        return old

    def _search_again(self) -> None:
        """Identify every track anew when the gallery was replaced: a person may have come or gone."""
        gallery = self._gallery()
        if self._searched is not None and self._searched is not gallery:
            for file in self._files.values():
                file.probes = searched(file.probes, gallery)
                file.verdict = weigh(file.probes, gallery, self._policy)
                file.doubts = 0
        self._searched = gallery

    def _withhold(self, seen: dict[int, Detection], frame: Frame, ended: list[_File]) -> None:
        """Name nobody in two places at once: the more similar face keeps the name.

        Where the other one was told of already, that ends here, and it goes on as a track not told of.
        """
        in_view = {number: self._files[number].verdict for number in seen if number in self._files}
        lost = beaten(in_view, self._policy.margin)
        for number in in_view:
            file = self._files[number]
            file.is_withheld = number in lost
            if file.is_withheld and file.announced.verdict is not None:
                ended.append(self._renumbered(file, replace(file, is_withheld=False), frame.mono))

    def _due(self, frame: Frame) -> list[Sighted]:
        due = []
        for file in self._files.values():
            if file.is_withheld or file.track.last_ms != frame.mono:
                continue
            kind = due_kind(file.verdict, file.announced, frame.mono, self._still_every_s)
            if kind is not None:
                file.announced = Announced(kind=kind, verdict=file.verdict, at_ms=frame.mono)
                crop = None if kind is EventKind.STILL else file.crop
                due.append(Sighted(self._event(kind, file, file.verdict, frame), crop))
        return due

    def _farewells(self, ended: Sequence[_File], frame: Frame) -> list[Sighted]:
        """Tell that tracks ended; first, who they were, where only the end makes that clear."""
        due = []
        for file in ended:
            if file.is_withheld:
                continue
            verdict = settled(file.verdict, weigh(file.probes, self._gallery(), self._policy, is_over=True))
            kind = due_kind(verdict, file.announced, file.track.last_ms, self._still_every_s)
            if kind in (EventKind.SEEN, EventKind.UNKNOWN):
                due.append(Sighted(self._event(kind, file, verdict, frame), file.crop))
                file.announced = Announced(kind=kind, verdict=verdict, at_ms=frame.mono)
            if file.announced.verdict is not None:
                told = _last_word(verdict, file.announced.verdict)
                due.append(Sighted(self._event(EventKind.LEFT, file, told, frame), None))
        return due

    def _event(self, kind: EventKind, file: _File, verdict: Verdict, frame: Frame) -> DueEvent:
        utc = frame.ts - frame.mono
        return DueEvent(
            kind=kind,
            camera_id=self._camera_id,
            track_id=f"{self._boot_id}-{self._camera_id}-{file.track.number}",
            ts=frame.ts,
            last_seen=min(frame.ts, file.track.last_ms + utc),
            mono=frame.mono,
            first_seen=file.track.first_ms + utc,
            employee_id=verdict.employee_id,
            sim_score=verdict.similarity,
            threshold=verdict.threshold,
            margin=verdict.margin,
            frames=verdict.frames,
            quality=file.quality,
        )


def _last_word(newest: Verdict, told: Verdict) -> Verdict:
    """Return the newest verdict about whom the events of this track were about."""
    is_same = (newest.standing, newest.employee_id) == (told.standing, told.employee_id)
    return newest if is_same else told


def grey_crop(image: np.ndarray, box: Box) -> np.ndarray:
    """Return the face as CROP_PX × CROP_PX grey levels, as quality.assess reads it."""
    cut = _cut(image, box)
    how = cv2.INTER_AREA if min(cut.shape[:2]) > CROP_PX else cv2.INTER_LINEAR
    return cv2.cvtColor(cv2.resize(cut, (CROP_PX, CROP_PX), interpolation=how), cv2.COLOR_BGR2GRAY)


def evidence_crop(image: np.ndarray, box: Box) -> np.ndarray:
    """Return a copy of the face with some of what is around it, BGR."""
    return _cut(image, box.grown(EVIDENCE_MARGIN)).copy()


def _cut(image: np.ndarray, box: Box) -> np.ndarray:
    height, width = image.shape[:2]
    left, top = min(max(0, int(box.left)), width - 1), min(max(0, int(box.top)), height - 1)
    return image[top : max(top + 1, int(box.bottom)), left : max(left + 1, int(box.right))]
