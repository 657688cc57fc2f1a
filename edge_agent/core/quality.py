"""Which faces are worth an embedding. A poor crop does not merely match badly: it matches anybody."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edge_agent.core.geometry import Detection


class Flaw(StrEnum):
    """Why a face is not used, the same words for a live crop and an enrolment photo."""

    DOUBTFUL = "doubtful"  # the detector is not sure that it is a face
    TOO_SMALL = "too_small"
    TURNED = "turned"
    BLURRED = "blurred"
    FLAT = "flat"  # hardly any contrast: fog, glare, darkness


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityPolicy:
    """Beyond the `max`/`min` a face is not used; beyond the `good_` its lack of a match means nothing."""

    min_score: float = 0.5  # of the detector
    min_side_px: float = 32.0
    max_turn: float = 2.0  # near profile; such crops match few people, not any people
    min_sharpness: float = 0.005  # see sharpness()
    min_contrast: float = 8.0  # standard deviation of the grey levels, 0..255
    good_turn: float = 0.67  # about 40 degrees
    good_sharpness: float = 0.012


CROP_PX = 112  # faces are brought to this size before sharpness is measured, so that sizes compare


@dataclass(frozen=True, slots=True)
class Assessment:
    """A face with a quality of 0..1, and the first flaw that forbids its use."""

    quality: float
    flaw: Flaw | None
    is_good: bool  # usable, and fit to say that somebody is *not* enrolled

    @property
    def is_usable(self) -> bool:
        return self.flaw is None


def sharpness(grey: np.ndarray) -> float:
    """Return the variance of the Laplacian over that of an H × W grey picture: 0 for a smear.

    Dividing by the contrast makes a dim face in fog comparable with one under a lamp.
    """
    g = grey.astype(np.float32)
    edges = g[:-2, 1:-1] + g[2:, 1:-1] + g[1:-1, :-2] + g[1:-1, 2:] - 4 * g[1:-1, 1:-1]
    contrast = float(g.var()) if edges.size else 0.0
    return float(edges.var()) / contrast if contrast > 1e-6 else 0.0


def assess(detection: Detection, grey: np.ndarray, policy: QualityPolicy) -> Assessment:
    """Judge one face; grey is its crop at CROP_PX × CROP_PX grey levels."""
    side, sharp, contrast = detection.box.shorter_side, sharpness(grey), float(grey.std())
    flaws = {
        Flaw.DOUBTFUL: detection.score < policy.min_score,
        Flaw.TOO_SMALL: side < policy.min_side_px,
        Flaw.TURNED: detection.turn > policy.max_turn,
        Flaw.FLAT: contrast < policy.min_contrast,
        Flaw.BLURRED: sharp < policy.min_sharpness,
    }
    flaw = next((flaw for flaw, holds in flaws.items() if holds), None)
    quality = (
        min(1.0, side / CROP_PX) ** 0.5
        * min(1.0, sharp / (8 * policy.good_sharpness)) ** 0.25
        * min(1.0, contrast / (4 * policy.min_contrast)) ** 0.25
        * max(0.0, 1.0 - detection.turn / policy.max_turn)
    )
    is_good = flaw is None and detection.turn <= policy.good_turn and sharp >= policy.good_sharpness
    return Assessment(quality, flaw, is_good)
