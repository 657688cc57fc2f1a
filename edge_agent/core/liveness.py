"""Is it a face, or a picture of one? What a model is shown, and what several looks say together.

The scores are an observation beside the identity: nothing here decides whether somebody was seen.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from common.events import DOUBTFUL_BELOW
from edge_agent.core.geometry import Box, overlap

LEAST_IN_PICTURE = 0.9  # of the face: one that the edge cuts off is not judged
ENOUGH_LOOKS = 3  # once it is clear who somebody is, no more are judged than these
KEPT = 12  # looks of a track: the newest ones

# MiniFASNet's files say in their names which part of the picture they were trained on: the face times 2.7 in
# 2.7_80x80_MiniFASNetV2, the face times 4 in 4_0_0_80x80_MiniFASNetV1SE.
_NAME = re.compile(r"(\d+(?:\.\d+)?)(?:_\d+)*_\d+x\d+_")


@dataclass(frozen=True, slots=True)
class LiveLook:
    """One look at a track that could be judged."""

    at_ms: int  # monotonic
    score: float  # 0 is a picture of a face, 1 is a face


@dataclass(frozen=True, slots=True)
class Liveness:
    """What the looks at one track say together."""

    score: float  # the median, 0..1
    looks: int

    @property
    def word(self) -> str:
        """For people only; no rule depends on it."""
        return "doubtful" if self.score < DOUBTFUL_BELOW else "live"


def is_due(looks: Sequence[LiveLook], *, is_clear: bool) -> bool:
    """Tell whether another look is worth judging; is_clear: it is settled who this is."""
    return not is_clear or len(looks) < ENOUGH_LOOKS


def with_look(looks: Sequence[LiveLook], at_ms: int, score: float | None) -> tuple[LiveLook, ...]:
    """Return the looks with one more, the oldest forgotten; None is a look that could not be judged."""
    return tuple(looks) if score is None else (*looks, LiveLook(at_ms, score))[-KEPT:]


def parted(looks: Sequence[LiveLook], at_ms: int) -> tuple[tuple[LiveLook, ...], tuple[LiveLook, ...]]:
    """Return the looks before at_ms, and those from then on: a track turned out to be of two people."""
    before = tuple(each for each in looks if each.at_ms < at_ms)
    return before, tuple(each for each in looks if each.at_ms >= at_ms)


def summed_up(looks: Sequence[LiveLook]) -> Liveness | None:
    """Return the median of the looks: one blurred look does not decide. None without any."""
    return Liveness(float(median(each.score for each in looks)), len(looks)) if looks else None


def doubtful_first(one: Liveness | None, other: Liveness | None) -> Liveness | None:
    """Return the lower of two verdicts about the same person: a doubt in either is worth seeing."""
    return min((each for each in (one, other) if each), key=lambda each: each.score, default=None)


def mean_score(scores: Sequence[float | None]) -> float | None:
    """Return the mean of what several models say of one look.

    None when one of them cannot judge it: the means of different models cannot be compared.
    """
    known = [each for each in scores if each is not None]
    return sum(known) / len(known) if known and len(known) == len(scores) else None


def scale_in(name: str) -> float | None:
    """Return how many times the face a MiniFASNet file looks at, by its name; None if that does not tell."""
    found = _NAME.match(name)
    scale = float(found[1]) if found else 0.0
    return scale if scale >= 1 else None


def patch_around(face: Box, scale: float, width: int, height: int) -> Box | None:
    """Return the part of a width × height picture that MiniFASNet reads, in whole pixels.

    The face times scale, less where the picture is too small for that, and moved inside where it reaches
    over an edge: the rule by which the model's training pictures were cut. None when the picture does not
    show the (nearly) whole face.
    """
    picture = Box(0, 0, width, height)
    if face.area <= 0 or overlap(face, picture) < LEAST_IN_PICTURE * face.area:
        return None
    grown = face.grown(min(scale, (width - 1) / face.width, (height - 1) / face.height))
    left = _inside(grown.left, grown.width, width - 1)
    top = _inside(grown.top, grown.height, height - 1)
    right, bottom = int(left + grown.width) + 1, int(top + grown.height) + 1
    return Box(int(left), int(top), min(right, width), min(bottom, height))


def _inside(start: float, length: float, end: int) -> float:
    return max(0.0, min(start, end - length))


def live_probability(logits: np.ndarray, live: int = 1) -> float:
    """Return the softmax of one row of logits at the index of "live", 0..1; NaN if a logit is not finite."""
    if not np.isfinite(logits).all():
        return math.nan
    powers = np.exp(np.asarray(logits, np.float64) - np.max(logits))
    return float(powers[live] / powers.sum())
