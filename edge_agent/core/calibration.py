"""How often a threshold errs on the photos at hand, and which threshold to ask for.

The words are those of ISO/IEC 19795-1:

- *false match rate*, FMR: of the comparisons of two different people, the share at or above the threshold;
- *false non-match rate*, FNMR: of the comparisons of one person with themselves, the share below it;
- *false positive identification rate*, FPIR: of the searches for a face that is not enrolled (an impostor's,
  or an employee's with their own photos taken out), the share that gives a name;
- *false negative identification rate*, FNIR: of the searches for an enrolled face, the share that does not
  give its owner's name, because nobody or somebody else was named.

A search asks for the margin too, a comparison does not.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from edge_agent.core.comparisons import Comparisons
from edge_agent.core.identification import MatchPolicy

SURE = 1.6449  # normal deviate of a one-sided bound that holds 19 times in 20
STEP = 0.005  # thresholds are proposed in these steps: a third decimal would be make-believe
RUNGS = 14  # a ladder has about so many thresholds


@dataclass(frozen=True, slots=True)
class Rate:
    """Errors among trials, of which only so many are independent: those that share people are not."""

    errors: int
    trials: int
    independent: int

    @property
    def value(self) -> float:
        """Return 0..1; NaN without a trial."""
        return self.errors / self.trials if self.trials else math.nan

    @property
    def at_most(self) -> float:
        """Return what the true rate does not exceed, with 95 % confidence; NaN without a trial.

        Without an error that is 3/n (the rule of three); with errors Wilson's upper limit, with half an
        error added so that it errs on the safe side.
        """
        n = self.independent
        if not self.trials or not n:
            return math.nan
        if not self.errors:
            return min(1.0, 3 / n)
        share = min(1.0, (self.value * n + 0.5) / n)
        spread = SURE * math.sqrt(share * (1 - share) / n + (SURE / (2 * n)) ** 2)
        wilson = (share + SURE**2 / (2 * n) + spread) / (1 + SURE**2 / n)
        return min(1.0, max(3 / n, self.value, wilson))


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """What one threshold does to the photos."""

    threshold: float  # cosine similarity
    fmr: Rate
    fnmr: Rate
    fpir: Rate
    fnir: Rate


class Basis(StrEnum):
    """What a proposal rests on."""

    MEASURED = "measured"  # enough pairs of people to show the target: the lowest threshold that meets it
    DEFAULT_STANDS = "default_stands"  # too few to show it; nothing speaks against the model's own threshold
    RAISED = "raised"  # too few to show it; different people come too near to the model's own threshold
    NOTHING = "nothing"  # nobody to compare with anybody


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    threshold: float
    basis: Basis
    target: float  # the FMR asked for
    default: float  # the model's own threshold
    highest_impostor: float  # NaN when there is none
    lowest_genuine: float  # NaN when there is none
    pairs: int  # pairs of different people that were compared
    pairs_needed: int  # that would show the target if none of them erred


def operating_point(comparisons: Comparisons, threshold: float, margin: float) -> OperatingPoint:
    """Return the error rates at a threshold (cosine), searches with a margin over the second person."""
    genuine, impostor = comparisons.genuine, comparisons.impostor
    fpir, missed = _searches(comparisons, threshold, margin)
    return OperatingPoint(
        threshold=threshold,
        fmr=Rate(int((impostor >= threshold).sum()), len(impostor), comparisons.pairs),
        fnmr=Rate(int((genuine < threshold).sum()), len(genuine), comparisons.owners),
        fpir=fpir,
        fnir=Rate(missed, len(genuine), comparisons.owners),
    )


def _searches(comparisons: Comparisons, threshold: float, margin: float) -> tuple[Rate, int]:
    """Return the FPIR of searches with nobody to be found, and how many owners were missed."""
    if not comparisons.people:
        return Rate(0, 0, 0), 0
    others = np.where(comparisons.own | np.isnan(comparisons.best), -np.inf, comparisons.best)
    ranked = np.sort(np.c_[np.full((len(others), 2), -np.inf), others], axis=1)
    first, second = ranked[:, -1], ranked[:, -2]
    is_search = first > -np.inf
    is_named = (first >= threshold) & (first >= second + margin)
    own = np.where(comparisons.own & ~np.isnan(comparisons.best), comparisons.best, -np.inf).max(axis=1)
    is_missed = (own > -np.inf) & ((own < threshold) | (own < first + margin))
    subjects = {comparisons.photos[row].subject for row in np.flatnonzero(is_search)}
    return Rate(int((is_named & is_search).sum()), int(is_search.sum()), len(subjects)), int(is_missed.sum())


def propose(comparisons: Comparisons, policy: MatchPolicy, target: float) -> Proposal:
    """Return the threshold to ask for so that the FMR is at most target (0..1, exclusive).

    With enough pairs of people to show the target it is the lowest that meets it. With fewer, no count of
    errors can show it: then the model's own threshold stays, unless different people come nearer to it than
    the model's margin; then it is the highest of their similarities and that margin.
    """
    impostor, genuine = np.sort(comparisons.impostor), comparisons.genuine
    highest = float(impostor[-1]) if len(impostor) else math.nan
    needed = math.ceil(3 / target - 1e-9)
    if not len(impostor):
        threshold, basis = policy.threshold, Basis.NOTHING
    elif comparisons.pairs >= needed:
        threshold, basis = _lowest(impostor, target), Basis.MEASURED
    elif (careful := _step_up(highest + policy.margin)) > policy.threshold:
        threshold, basis = careful, Basis.RAISED
    else:
        threshold, basis = policy.threshold, Basis.DEFAULT_STANDS
    return Proposal(
        threshold=threshold,
        basis=basis,
        target=target,
        default=policy.threshold,
        highest_impostor=highest,
        lowest_genuine=float(genuine.min()) if len(genuine) else math.nan,
        pairs=comparisons.pairs,
        pairs_needed=needed,
    )


def _lowest(impostor: np.ndarray, target: float) -> float:
    """Return the lowest step at which no more than the target's share of ascending similarities stays."""
    allowed = math.floor(target * len(impostor) + 1e-9)
    threshold = _step_up(float(impostor[len(impostor) - 1 - allowed])) if allowed < len(impostor) else -1.0
    while (impostor >= threshold).sum() > allowed and threshold < 1:  # on the step itself is a match
        threshold = round(threshold + STEP, 3)
    return threshold


def _step_up(similarity: float) -> float:
    return min(1.0, round(math.ceil(round(similarity / STEP, 6)) * STEP, 3))


def ladder(comparisons: Comparisons, *always: float) -> list[float]:
    """Return thresholds, ascending, from where impostors are usual to where genuine faces are; and always."""
    impostor, genuine = comparisons.impostor, comparisons.genuine
    low = min([*always, *([float(np.quantile(impostor, 0.9))] if len(impostor) else [])])
    high = max([*always, *([float(np.quantile(genuine, 0.5))] if len(genuine) else [])])
    step = next((each for each in (0.005, 0.01, 0.02, 0.05) if (high - low) / each <= RUNGS), 0.1)
    rungs = [round(number * step, 3) for number in range(math.floor(low / step), math.ceil(high / step) + 1)]
    return sorted({*(each for each in rungs if -1 <= each <= 1), *(round(each, 3) for each in always)})


def shares_at_or_above(similarities: np.ndarray, thresholds: Sequence[float]) -> np.ndarray:
    """Return for each threshold the share, 0..1, of similarities at or above it; 0 when there are none."""
    ordered = np.sort(similarities)
    asked = np.asarray(thresholds, ordered.dtype)
    return (len(ordered) - np.searchsorted(ordered, asked, side="left")) / max(1, len(ordered))
