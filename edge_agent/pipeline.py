"""One frame through every stage, in order: detect, track, judge, embed, identify, tell."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import inf

import numpy as np

from common.events import EventKind
from common.ids import CameraId
from edge_agent.config import CameraConfig
from edge_agent.core import motion
from edge_agent.core.attention import ATTENTION, GREY, AttentionPolicy
from edge_agent.core.consensus import (
    KEPT,
    NOT_YET,
    SETTLED,
    Probe,
    Standing,
    Verdict,
    beaten,
    break_at,
    doubts,
    is_back,
    is_much_better,
    pace_s,
    searched,
    settled,
    weigh,
    with_probe,
)
from edge_agent.core.gallery import Gallery
from edge_agent.core.geometry import Box, Detection, is_inside
from edge_agent.core.identification import MatchPolicy
from edge_agent.core.liveness import LiveLook, is_due, parted, summed_up, with_look
from edge_agent.core.quality import Assessment, QualityPolicy, assess
from edge_agent.core.resighting import Announced, DueEvent, due_kind
from edge_agent.core.tracking import Track, TrackPolicy, advance
from edge_agent.faces import closer_look, evidence_crop, grey_crop, recogniser_crop
from edge_agent.frame import Frame
from edge_agent.liveness import LivenessWatch
from edge_agent.picture import Picture
from edge_agent.ports import FaceAnalyser
from edge_agent.searching import Search, Tally


@dataclass(frozen=True, slots=True, eq=False)
class Sighted:
    """An event that is due, with the best crop of the face (BGR) when it is the first about this track."""

    event: DueEvent
    crop: np.ndarray | None


@dataclass(slots=True, kw_only=True, eq=False)
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
    crop_ms: int = 0  # when it was taken
    shown_before: tuple[np.ndarray | None, float, int] = (None, 0.0, 0)  # the crop before it, the same way
    live_looks: tuple[LiveLook, ...] = ()
    sure_ms: int = 0  # the last frame up to which nothing suggests that another face took over
    zone: str | None = None  # where it was last seen


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """A face in the present frame that is worth an embedding."""

    file: _File
    picture: Picture  # where the crop is taken from: the frame's, or that of a sharper stream
    detection: Detection  # in picture
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
        attention: AttentionPolicy = ATTENTION,
        liveness: LivenessWatch | None = None,
    ) -> None:
        self._camera_id = CameraId(camera.camera_id)
        self._analyser, self._policy, self._gallery = analyser, policy, gallery
        self._boot_id, self._still_every_s, self._liveness = boot_id, still_every_s, liveness
        self._quality = QualityPolicy(min_side_px=camera.min_face_px)
        self._tracking = TrackPolicy()
        self._files: dict[int, _File] = {}
        self._lost: list[_File] = []  # ended by a gap, and not told of yet: the face may come back
        self._next_number = 1
        self.tally = Tally()
        self.grey: np.ndarray | None = None  # GREY, of the newest frame
        self._search = Search(analyser, self.tally, attention, camera.watch, camera.search_px)
        self._zones, self._identifies = camera.zones, camera.identify
        self._searched: Gallery | None = None

    @property
    def is_idle(self) -> bool:
        """Tell whether nothing has moved and nobody was followed for a while."""
        return self._search.is_idle and not self._files

    def use(self, policy: MatchPolicy) -> None:
        """Ask for this of a match from now on; may be called from another thread."""
        self._policy = policy

    def process(self, frame: Frame) -> list[Sighted]:
        """Return what is due after frame, which is later than any before."""
        self.grey = grey = frame.picture.grey(GREY)
        scene = self._search.scene(frame, grey)
        ended = self._ended_by(scene)
        expected = [file.track.predicted(frame.mono, self._tracking) for file in self._files.values()]
        detections = self._search.faces(frame, grey, expected, is_cut=scene is motion.Scene.CUT)
        seen = self._follow(detections, frame, ended)
        looks = self._worth_embedding(seen, frame) if self._identifies else []
        if self._liveness is not None:
            self._observe(looks, frame, self._liveness)
        gallery = self._gallery()
        probes = searched(self._embedded(looks, frame), gallery)  # one product for all of them
        for look, probe in zip(looks, probes, strict=True):
            self._learn(look, probe, gallery, frame, ended)
        self._search_again()
        self._rejoin(looks)
        ended += self._given_up(frame.mono)
        self._withhold(frame, ended)
        return [*self._farewells(ended, frame.ts, frame.mono), *self._due(frame)]

    def finish(self, frame_ts: int, mono: int) -> list[Sighted]:
        """Return the farewells of every track when the video ends or the camera is given up."""
        ended, self._files, self._lost = [*self._lost, *self._files.values()], {}, []
        self._search.forget()
        return self._farewells(ended, frame_ts, mono)

    def _ended_by(self, scene: motion.Scene) -> list[_File]:
        match scene:
            case motion.Scene.CUT:
                ended, self._files, self._lost = [*self._lost, *self._files.values()], {}, []
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
        self._lost += [self._files.pop(track.number) for track in step.ended]
        for track in step.tracks:
            file = self._files.setdefault(track.number, _File(track=track))
            file.track = track
            if track.number in step.seen:
                file.zone = self._zone_of(track.box)
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
            since_s = (frame.mono - file.probes[-1].at_ms) / 1000 if file.probes else inf
            is_due = since_s >= pace
            if not is_due and (since_s < self._policy.spacing_s or file.verdict.standing in SETTLED):
                continue
            picture, face = closer_look(frame, detection, self._analyser)
            assessment = assess(face, grey_crop(picture, face.box), self._quality)
            if assessment.flaw is not None:
                self.tally.flaws[assessment.flaw.value] += 1
            elif is_due or is_much_better(assessment.quality, file.probes, file.verdict):
                looks.append(_Look(file, picture, face, assessment))
        return looks

    def _observe(self, looks: Sequence[_Look], frame: Frame, liveness: LivenessWatch) -> None:
        """Note how alive the faces look, of tracks of which that or the identity is not clear yet."""
        due = [each for each in looks if is_due(each.file.live_looks, is_clear=_is_clear(each.file))]
        for each in due:
            (score,) = liveness.scores(each.picture, [each.detection])
            each.file.live_looks = with_look(each.file.live_looks, frame.mono, score)

    def _embedded(self, looks: Sequence[_Look], frame: Frame) -> list[Probe]:
        crops = [recogniser_crop(look.picture, look.detection, self._analyser) for look in looks]
        embeddings = self._analyser.embed(crops)
        self.tally.embedded += len(looks)
        probes = []
        for look, embedding in zip(looks, embeddings, strict=True):
            file, assessment = look.file, look.assessment
            before_ms = file.probes[-1].at_ms if file.probes else file.track.first_ms
            if file.track.is_ambiguous:  # then that is when they would have changed places
                before_ms = max(before_ms, file.sure_ms)
            probes.append(Probe(frame.mono, embedding, assessment.quality, assessment.is_good, before_ms))
        return probes

    def _learn(self, look: _Look, probe: Probe, gallery: Gallery, frame: Frame, ended: list[_File]) -> None:
        """Add one look to its track; a track that turns out to show two people ends and begins anew."""
        file, quality = look.file, look.assessment.quality
        file.probes = with_probe(file.probes, probe)
        at = break_at(file.probes, file.verdict, gallery, self._policy)
        if at is not None:
            ended.append(self._split(file, at, evidence_crop(look.picture, look.detection.box)))
        elif file.crop is None or quality > file.quality:
            file.shown_before = (file.crop, file.quality, file.crop_ms)
            file.crop, file.quality = evidence_crop(look.picture, look.detection.box), quality
            file.crop_ms = frame.mono
        file.verdict = settled(file.verdict, weigh(file.probes, gallery, self._policy))
        file.doubts = doubts(file.probes, file.verdict, gallery, self._policy)
        file.track = replace(file.track, is_ambiguous=False)

    def _split(self, file: _File, at: int, crop: np.ndarray) -> _File:
        """Cut file at a probe: it goes on as a new track; return the old track, which ended before that."""
        before, after = file.probes[:at], file.probes[at:]
        old = replace(file, track=replace(file.track, last_ms=after[0].before_ms), probes=before)
        if file.crop_ms >= after[0].at_ms:  # the picture is of the newcomer already
            old.crop, old.quality, old.crop_ms = file.shown_before
        if old.crop_ms >= after[0].at_ms:
            old.crop, old.quality = None, 0.0
        old.live_looks, file.live_looks = parted(file.live_looks, after[0].at_ms)
        file.probes, file.verdict, file.doubts = after, NOT_YET, 0
        file.crop, file.quality, file.crop_ms = crop, after[-1].quality, after[-1].at_ms
        file.shown_before = (None, 0.0, 0)
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
            for file in (*self._files.values(), *self._lost):
                file.probes = searched(file.probes, gallery)
                file.verdict = weigh(file.probes, gallery, self._policy)
                file.doubts = 0
        self._searched = gallery

    def _rejoin(self, looks: Sequence[_Look]) -> None:
        """Let a new track go on as the one that was lost a moment ago, when it shows the same face."""
        for file in (look.file for look in looks):
            number = file.track.number
            if file.announced.kind is not None or self._files.get(number) is not file:
                continue
            for lost in self._lost:
                is_later = file.track.first_ms > lost.track.last_ms and not lost.is_withheld
                if is_later and is_back(lost.probes, lost.verdict, file.probes, file.verdict, self._policy):
                    self._lost.remove(lost)
                    self._files[lost.track.number] = _joined(lost, self._files.pop(number))
                    break

    def _given_up(self, at_ms: int) -> list[_File]:
        """Return the lost tracks whose faces have been away for too long."""
        most_ms = self._tracking.rejoin_s * 1000
        gone = [each for each in self._lost if at_ms - each.track.last_ms > most_ms]
        self._lost = [each for each in self._lost if each not in gone]
        return gone

    def _withhold(self, frame: Frame, ended: list[_File]) -> None:
        """Name nobody in two places at once: the more similar face keeps the name.

        A face that is missed in one picture keeps it, too. Where the other one was told of by that name, that
        ends here, and it goes on as a track not told of.
        """
        lost = beaten({number: each.verdict for number, each in self._files.items()}, self._policy.margin)
        for number, file in list(self._files.items()):
            file.is_withheld = number in lost
            told = file.announced.verdict
            if file.is_withheld and told is not None and told.employee_id == file.verdict.employee_id:
                ended.append(self._renumbered(file, replace(file), frame.mono))

    def _due(self, frame: Frame) -> list[Sighted]:
        due = []
        for file in self._files.values():
            if file.is_withheld or file.track.last_ms != frame.mono:
                continue
            kind = due_kind(file.verdict, file.announced, frame.mono, self._still_every_s)
            if kind is not None:
                file.announced = Announced(kind=kind, verdict=file.verdict, at_ms=frame.mono)
                crop = None if kind is EventKind.STILL else file.crop
                due.append(Sighted(self._event(kind, file, file.verdict, frame.ts, frame.mono), crop))
        return due

    def _farewells(self, ended: Sequence[_File], ts: int, mono: int) -> list[Sighted]:
        """Tell that tracks ended; first, who they were, where only the end makes that clear."""
        due = []
        for file in ended:
            if file.is_withheld:  # another face has the name: what was told of this one ends, nothing begins
                if file.announced.verdict is not None:
                    told = file.announced.verdict
                    due.append(Sighted(self._event(EventKind.LEFT, file, told, ts, mono), None))
                continue
            verdict = settled(file.verdict, weigh(file.probes, self._gallery(), self._policy, is_over=True))
            kind = due_kind(verdict, file.announced, file.track.last_ms, self._still_every_s)
            if kind in (EventKind.SEEN, EventKind.UNKNOWN):
                due.append(Sighted(self._event(kind, file, verdict, ts, mono), file.crop))
                file.announced = Announced(kind=kind, verdict=verdict, at_ms=mono)
            if file.announced.verdict is not None:
                told = _last_word(verdict, file.announced.verdict)
                due.append(Sighted(self._event(EventKind.LEFT, file, told, ts, mono), None))
        return due

    def _zone_of(self, box: Box) -> str | None:
        """Return the name of the first zone that the middle of box lies in."""
        place = box.middle_within(self._search.size)
        return next((each.name for each in self._zones if is_inside(place, each.polygon)), None)

    def _event(self, kind: EventKind, file: _File, verdict: Verdict, ts: int, mono: int) -> DueEvent:
        utc = ts - mono
        return DueEvent(
            kind=kind,
            camera_id=self._camera_id,
            track_id=f"{self._boot_id}-{self._camera_id}-{file.track.number}",
            ts=ts,
            last_seen=min(ts, file.track.last_ms + utc),
            mono=mono,
            first_seen=file.track.first_ms + utc,
            employee_id=verdict.employee_id,
            sim_score=verdict.similarity,
            threshold=verdict.threshold,
            margin=verdict.margin,
            frames=verdict.frames,
            quality=file.quality,
            liveness=summed_up(file.live_looks),
            zone=file.zone,
        )


def _is_clear(file: _File) -> bool:
    return file.verdict.standing in (Standing.CONFIRMED, Standing.UNKNOWN)


def _joined(lost: _File, back: _File) -> _File:
    """Return back as what it is: the lost track, gone on."""
    track = replace(back.track, number=lost.track.number, first_ms=lost.track.first_ms)
    best = max(lost, back, key=lambda each: each.quality)
    return replace(
        back,
        track=track,
        probes=(*lost.probes, *back.probes)[-KEPT:],
        verdict=settled(lost.verdict, back.verdict),
        announced=lost.announced,
        crop=best.crop,
        quality=best.quality,
        live_looks=(*lost.live_looks, *back.live_looks),
    )


def _last_word(newest: Verdict, told: Verdict) -> Verdict:
    """Return the newest verdict about whom the events of this track were about."""
    is_same = (newest.standing, newest.employee_id) == (told.standing, told.employee_id)
    return newest if is_same else told
