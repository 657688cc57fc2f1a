"""What the looks at one track add up to: a person, nobody enrolled, not yet clear, or two people.

One frame is weak evidence and frames a moment apart repeat one another, so the similarity asked falls with
the number of *spaced* looks that agree; a stranger is called unknown only after good crops.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from common.ids import EmployeeId
from edge_agent.core.gallery import Gallery
from edge_agent.core.identification import Match, MatchPolicy, identify, nearest

KEPT = 8  # probes of a track: the newest ones
PATIENCE = 6  # good probes after which a face just below the threshold is unknown all the same
UNKNOWN_AFTER_S = 1.0  # between the first and the last good probe of an unknown


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """One embedded look at a track."""

    at_ms: int  # monotonic
    embedding: np.ndarray  # unit length
    quality: float  # 0..1
    is_good: bool  # frontal and sharp enough for its lack of a match to mean something


class Standing(StrEnum):
    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    standing: Standing
    employee_id: EmployeeId | None = None
    similarity: float | None = None  # mean of the probes that agree
    threshold: float | None = None  # the bar they had to reach
    margin: float | None = None
    frames: int = 0  # probes that agree


NOT_YET = Verdict(standing=Standing.TENTATIVE)


def with_probe(probes: Sequence[Probe], probe: Probe) -> tuple[Probe, ...]:
    """Return the probes of a track with one more, the oldest forgotten."""
    return (*probes, probe)[-KEPT:]


def weigh(probes: Sequence[Probe], gallery: Gallery, policy: MatchPolicy) -> Verdict:
    """Return what the probes of one track, oldest first, say together."""
    matches = [nearest(gallery.similarities(each.embedding)) for each in probes]
    claims: dict[EmployeeId, list[int]] = {}
    for index, each in enumerate(probes):
        claim = identify(gallery.similarities(each.embedding), policy, policy.threshold)
        if claim is not None:
            claims.setdefault(claim.employee_id, []).append(index)
    clear = [
        verdict for verdict in (_claim(p, c, probes, matches, policy) for p, c in claims.items()) if verdict
    ]
    match clear:
        case [only] if _is_supported(only, probes, gallery, policy):
            return only
        case [_, _, *_]:
            return Verdict(standing=Standing.CONFLICT)
    return _nobody(probes, matches, policy) if not claims else NOT_YET


def _claim(
    person: EmployeeId,
    indices: Sequence[int],
    probes: Sequence[Probe],
    matches: Sequence[Match | None],
    policy: MatchPolicy,
) -> Verdict | None:
    """Return the verdict for person if those of the probes that name them suffice."""
    named = [match for index in indices if (match := matches[index])]
    similarity = sum(each.similarity for each in named) / len(named)
    looks = spaced(tuple(probes[index].at_ms for index in indices), policy.spacing_s)
    bar = policy.bar(looks)
    if similarity < bar:
        return None
    return Verdict(
        standing=Standing.CONFIRMED,
        employee_id=person,
        similarity=similarity,
        threshold=bar,
        margin=min(1.0, sum(each.margin for each in named) / len(named)),
        frames=len(named),
    )


def _is_supported(verdict: Verdict, probes: Sequence[Probe], gallery: Gallery, policy: MatchPolicy) -> bool:
    """Tell whether the good probes that do not name the person are too few, or too near, to speak against.

    A stranger looked at often enough passes a threshold by chance; then most good looks stay far below it.
    """
    assert verdict.employee_id is not None
    against = sum(
        each.is_good
        and gallery.similarities(each.embedding)[verdict.employee_id]
        < policy.threshold - policy.two_extra * 3
        for each in probes
    )
    return against < verdict.frames


def _nobody(probes: Sequence[Probe], matches: Sequence[Match | None], policy: MatchPolicy) -> Verdict:
    """Return UNKNOWN when good probes, far enough apart in time, are near nobody."""
    good = [(each, match) for each, match in zip(probes, matches, strict=True) if each.is_good]
    if len(good) < 2 or good[-1][0].at_ms - good[0][0].at_ms < UNKNOWN_AFTER_S * 1000:
        return NOT_YET
    best = max((match for _, match in good if match), key=lambda match: match.similarity, default=None)
    near = best is not None and best.similarity >= policy.threshold - policy.two_extra
    if near and len(good) < PATIENCE:
        return NOT_YET
    return Verdict(
        standing=Standing.UNKNOWN,
        similarity=best.similarity if best else None,
        threshold=policy.threshold,
        margin=min(1.0, best.margin) if best else None,
        frames=len(good),
    )


def spaced(times_ms: Sequence[int], spacing_s: float) -> int:
    """Return how many of the times, in order, are at least spacing_s after the one counted before."""
    count, last = 0, None
    for each in times_ms:
        if last is None or each - last >= spacing_s * 1000:
            count, last = count + 1, each
    return count


def disagrees(probe: Probe, others: Sequence[Probe], policy: MatchPolicy) -> bool:
    """Tell whether probe shows another face than every one of the others (False when there are none)."""
    return bool(others) and all(float(probe.embedding @ each.embedding) < policy.same_face for each in others)


def settled(before: Verdict, now: Verdict) -> Verdict:
    """Return the verdict that holds: who was recognised stays recognised while nothing speaks against it.

    A person who turns away yields looks that name nobody, and those are no evidence of absence.
    """
    was_named = before.standing is Standing.CONFIRMED
    return before if was_named and now.standing is Standing.TENTATIVE else now


def split_at(probes: Sequence[Probe], gallery: Gallery, policy: MatchPolicy) -> int | None:
    """Return the index of the probe from which on the track shows another person; None while it shows one.

    One odd look is not enough (a hand before the face, a smear) unless it names somebody by itself;
    two in a row that are alike are.
    """
    last = len(probes) - 1
    if last >= 1 and disagrees(probes[last], probes[:last], policy):
        single = identify(gallery.similarities(probes[last].embedding), policy, policy.bar(1))
        if single and single.employee_id != weigh(probes[:last], gallery, policy).employee_id:
            return last
    if last >= 2 and all(disagrees(each, probes[: last - 1], policy) for each in probes[last - 1 :]):
        pair = probes[last - 1 :]
        if all(each.is_good for each in pair) and not disagrees(pair[1], pair[:1], policy):
            return last - 1
    return None


def conflict_at(probes: Sequence[Probe], gallery: Gallery, policy: MatchPolicy) -> int:
    """Return the index of the first probe that names another person than the first one named."""
    named = [identify(gallery.similarities(each.embedding), policy, policy.threshold) for each in probes]
    first = next((each.employee_id for each in named if each), None)
    return next((i for i, each in enumerate(named) if each and each.employee_id != first), len(probes) - 1)


def is_look_due(
    probes: Sequence[Probe], standing: Standing, at_ms: int, is_ambiguous: bool, policy: MatchPolicy
) -> bool:
    """Tell whether this track is worth an embedding now. Settled ones are, now and then, in case of a swap."""
    if not probes:
        return True
    since_s = (at_ms - probes[-1].at_ms) / 1000
    odd = len(probes) > 1 and disagrees(probes[-1], probes[:-1], policy)
    if odd:
        return True
    is_settled = standing in (Standing.CONFIRMED, Standing.UNKNOWN) or len(probes) == KEPT
    if is_ambiguous or not is_settled:
        return since_s >= policy.spacing_s
    return since_s >= policy.reverify_s
