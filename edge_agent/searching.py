"""Faces in one sample after the other: the parts of the picture that are worth it, searched."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_agent.core import attention, motion
from edge_agent.core.attention import ATTENTION, AttentionPolicy, Plan, Searched
from edge_agent.core.geometry import Box, Detection, Polygon, distinct, is_inside
from edge_agent.faces import find_faces, search_scale
from edge_agent.frame import Frame
from edge_agent.ports import FaceAnalyser


@dataclass(slots=True)
class Tally:
    """What the stages of one camera did; for the benchmark, the check and the heartbeat."""

    samples: int = 0
    whole: int = 0  # samples of which the whole was searched
    regions: int = 0  # parts searched otherwise
    searched_px: float = 0.0  # pixels given to the detector
    faces: int = 0
    embedded: int = 0
    flaws: Counter[str] = field(default_factory=Counter)  # why faces were not worth an embedding


class Search:
    """The eye of one camera; not for several threads at once."""

    def __init__(
        self,
        analyser: FaceAnalyser,
        tally: Tally,
        policy: AttentionPolicy = ATTENTION,
        watch: Sequence[Polygon] = (),
        search_px: int | None = None,
    ) -> None:
        self._analyser, self._tally, self._policy = analyser, tally, policy
        self._watch, self._search_px = watch, search_px
        self._searched: Searched | None = None
        self._thumbnail: np.ndarray | None = None
        self.size = (0, 0)  # of the newest picture, in pixels
        self._is_unsure = False  # a face went on beyond the part that was searched
        self.is_idle = False

    def scene(self, frame: Frame, grey: np.ndarray) -> motion.Scene:
        """Return what happened to the picture since the sample before. Another size is another picture."""
        before, self._thumbnail = self._thumbnail, motion.thumbnail(grey)
        was, self.size = self.size, (frame.picture.width, frame.picture.height)
        return motion.Scene.CUT if was not in ((0, 0), self.size) else motion.scene(before, self._thumbnail)

    def forget(self) -> None:
        """The video ended, or was interrupted: the next picture is a first one."""
        self._searched = self._thumbnail = None

    def faces(
        self, frame: Frame, grey: np.ndarray, expected: Sequence[Box], *, is_cut: bool
    ) -> list[Detection]:
        """Return the faces of frame; expected are the places of those that are followed."""
        picture = frame.picture
        size, scale = (picture.width, picture.height), self._scale(frame)
        plan = attention.plan(
            self._searched,
            grey,
            expected,
            frame.mono,
            size,
            scale,
            self._policy,
            is_new=is_cut or self._is_unsure,
        )
        self._searched, self.is_idle = plan.searched, plan.is_idle
        found = self._carried_out(plan, frame, size, scale)
        self._tally.samples += 1
        self._tally.faces += len(found)
        return [each for each in found if self._is_watched(each, size)]

    def _carried_out(self, plan: Plan, frame: Frame, size: tuple[int, int], scale: float) -> list[Detection]:
        self._is_unsure = False
        if plan.is_whole:
            self._tally.whole += 1
            self._tally.searched_px += size[0] * size[1] * scale**2
            return find_faces(frame.picture, self._analyser, scale=scale)
        found: list[Detection] = []
        for region in plan.regions:
            self._tally.regions += 1
            self._tally.searched_px += region.area * scale**2
            faces = find_faces(frame.picture, self._analyser, scale=scale, box=region)
            entire = [each for each in faces if not attention.is_cut_off(each.box, region, size)]
            found += entire
            self._is_unsure = self._is_unsure or len(entire) < len(faces)
        return distinct(found)

    def _scale(self, frame: Frame) -> float:
        if self._search_px is None:
            return search_scale(frame.picture, self._analyser)
        return self._search_px / max(frame.picture.width, frame.picture.height)

    def _is_watched(self, face: Detection, size: tuple[int, int]) -> bool:
        place = face.box.middle_within(size)
        return not self._watch or any(is_inside(place, each) for each in self._watch)
