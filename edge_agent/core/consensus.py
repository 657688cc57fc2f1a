"""What the looks at one track add up to: a person, nobody enrolled, not yet clear, or two people.

One frame is weak evidence, and frames a moment apart repeat one another. So the similarity asked falls with
the number of *separate* looks that agree; and a stranger is called unknown only after good looks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from common.ids import EmployeeId
from edge_agent.core.gallery import Gallery
from edge_agent.core.identification import Match, MatchPolicy, identify, nearest

KEPT = 8  # probes of a track: the newest ones
PATIENCE = 6  # good probes after which a face just below the threshold is unknown all the same
MOST_DOUBTS = 3  # good looks in a row that do not show who was recognised, until they count as another
UNKNOWN_AFTER_S = 2.0  # between the first and the last good probe of an unknown still in view


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """One embedded look at a track."""

    at_ms: int  # monotonic
    embedding: np.ndarray  # unit length
    quality: float  # 0..1
    is_good: bool  # frontal and sharp enough for its lack of a match to mean something
    before_ms: int  # the last frame before it that surely shows the face of the probe before it


class Standing(StrEnum):
    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    UNKNOWN = "unknown"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    standing: Standing
    employee_id: EmployeeId | None = None
    similarity: float | None = None  # mean of the probes that agree; of an unknown, the highest
    threshold: float | None = None  # what was asked
    margin: float | None = None
    frames: int = 0  # probes that agree


NOT_YET = Verdict(standing=Standing.TENTATIVE)


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """A probe and what the gallery says to it."""

    probe: Probe
    similarities: Mapping[EmployeeId, float]
    nearest: Match | None
    named: Match | None  # the nearest, if similar and clear enough for one look among several


def _looks(probes: Sequence[Probe], gallery: Gallery, policy: MatchPolicy) -> list[_Look]:
    found = [gallery.similarities(each.embedding) for each in probes]
    return [
        _Look(probe, each, nearest(each), identify(each, policy, policy.threshold))
        for probe, each in zip(probes, found, strict=True)
    ]


def with_probe(probes: Sequence[Probe], probe: Probe) -> tuple[Probe, ...]:
    """Return the probes of a track with one more, the oldest forgotten."""
    return (*probes, probe)[-KEPT:]


def weigh(
    probes: Sequence[Probe], gallery: Gallery, policy: MatchPolicy, *, is_over: bool = False
) -> Verdict:
    """Return what the probes of one track, oldest first, say together; is_over: there will be no more."""
    looks = _looks(probes, gallery, policy)
    people = dict.fromkeys(each.named.employee_id for each in looks if each.named)
    claims = [claim for person in people if (claim := _claim(person, looks, policy))]
    if len(claims) > 1:
        return Verdict(standing=Standing.CONFLICT)
    if claims and not _is_outweighed(claims[0], looks, policy):
        return claims[0]
    return NOT_YET if people else _nobody(looks, policy, is_over)


def _claim(person: EmployeeId, looks: Sequence[_Look], policy: MatchPolicy) -> Verdict | None:
    """Return the verdict for person if the looks that name them suffice."""
    agreeing = [each for each in looks if each.named and each.named.employee_id == person]
    similarity = sum(each.similarities[person] for each in agreeing) / len(agreeing)
    bar = policy.bar(separate([each.probe for each in agreeing], policy))
    if similarity < bar:
        return None
    return Verdict(
        standing=Standing.CONFIRMED,
        employee_id=person,
        similarity=similarity,
        threshold=bar,
        margin=sum(each.named.margin for each in agreeing if each.named) / len(agreeing),
        frames=len(agreeing),
    )


def _is_outweighed(claim: Verdict, looks: Sequence[_Look], policy: MatchPolicy) -> bool:
    """Tell whether as many good looks are far from the person as looks name them.

    A stranger looked at often enough passes a threshold by chance; then most good looks stay far below it.
    """
    assert claim.employee_id is not None
    far = policy.threshold - policy.against
    against = sum(each.probe.is_good and each.similarities[claim.employee_id] < far for each in looks)
    return against >= claim.frames


def _nobody(looks: Sequence[_Look], policy: MatchPolicy, is_over: bool) -> Verdict:
    """Return UNKNOWN when good looks, far enough apart in time, are near nobody."""
    good = [each for each in looks if each.probe.is_good]
    if len(good) < 2:
        return NOT_YET
    best = max(
        (each.nearest for each in good if each.nearest), key=lambda match: match.similarity, default=None
    )
    is_near = best is not None and best.similarity >= policy.threshold - policy.two_extra
    asked_s = policy.spacing_s if is_over else UNKNOWN_AFTER_S
    is_long_enough = good[-1].probe.at_ms - good[0].probe.at_ms >= asked_s * 1000
    if (is_near and len(good) < PATIENCE) or not is_long_enough:
        return NOT_YET
    return Verdict(
        standing=Standing.UNKNOWN,
        similarity=best.similarity if best else None,
        threshold=policy.threshold,
        margin=best.margin if best else None,
        frames=len(good),
    )


def separate(probes: Sequence[Probe], policy: MatchPolicy) -> int:
    """Return how many of the probes are evidence of their own.

    One that comes too soon after another, or is its very image, only says the same again.
    """
    counted: list[Probe] = []
    for each in probes:
        is_later = not counted or each.at_ms - counted[-1].at_ms >= policy.spacing_s * 1000
        if is_later and all(_likeness(each, other) < policy.same_look for other in counted):
            counted.append(each)
    return len(counted)


def settled(before: Verdict, now: Verdict) -> Verdict:
    """Return the verdict that holds: who was recognised stays recognised while nothing speaks against it.

    A person who turns away yields looks that name nobody, and those are no evidence of absence.
    """
    was_named = before.standing is Standing.CONFIRMED
    return before if was_named and now.standing is Standing.TENTATIVE else now


def doubts(probes: Sequence[Probe], verdict: Verdict, gallery: Gallery, policy: MatchPolicy) -> int:
    """Return how many of the newest good looks in a row do not show the person of the verdict."""
    if verdict.employee_id is None:
        return 0
    count = 0
    for each in reversed([each for each in probes if each.is_good]):
        similarity = gallery.similarities(each.embedding).get(verdict.employee_id, -1.0)
        if similarity >= policy.threshold - policy.two_extra:
            break
        count += 1
    return count


def break_at(probes: Sequence[Probe], before: Verdict, gallery: Gallery, policy: MatchPolicy) -> int | None:
    """Return the index of the probe from which on the track shows another person; None while it shows one.

    before is the verdict without the newest probe. One odd look is not enough (a hand before the face, a
    smear) unless it names somebody by itself; two in a row that are alike are, or three good ones that no
    longer show who was recognised.
    """
    last, now = len(probes) - 1, weigh(probes, gallery, policy)
    if last >= 1 and disagrees(probes[last], probes[:last], policy):
        single = identify(gallery.similarities(probes[last].embedding), policy, policy.bar(1))
        if single and single.employee_id != before.employee_id:
            return last
    if last >= 2 and all(disagrees(each, probes[: last - 1], policy) for each in probes[last - 1 :]):
        pair = probes[last - 1 :]
        if all(each.is_good for each in pair) and not disagrees(pair[1], pair[:1], policy):
            return last - 1
    was_named = before.standing is Standing.CONFIRMED
    is_other = now.standing is Standing.CONFIRMED and now.employee_id != before.employee_id
    is_gone = doubts(probes, before, gallery, policy) >= MOST_DOUBTS or now.standing is Standing.UNKNOWN
    if now.standing is Standing.CONFLICT or (was_named and (is_other or is_gone)):
        return _first_other(_looks(probes, gallery, policy), before.employee_id)
    return None


def _first_other(looks: Sequence[_Look], person: EmployeeId | None) -> int:
    """Return the index after the last look at person, or at whoever was named first when person is None."""
    names = [each.named.employee_id if each.named else None for each in looks]
    person = person or next((each for each in names if each), None)
    own = [index for index, name in enumerate(names) if name == person]
    others = [index for index, name in enumerate(names) if name not in (person, None)]
    return others[0] if others else (own[-1] + 1 if own else 0)


def beaten(in_view: Mapping[int, Verdict], margin: float) -> list[int]:
    """Return those of the tracks in view together that name a person whom another one shows more clearly.

    When two are about equally similar, the first one in the mapping keeps the name.
    """
    best: dict[EmployeeId, int] = {}
    named = {number: each for number, each in in_view.items() if each.standing is Standing.CONFIRMED}
    for number, each in named.items():
        assert each.employee_id is not None
        holder = named.get(best.get(each.employee_id, -1))
        if holder is None or (each.similarity or 0.0) >= (holder.similarity or 0.0) + margin:
            best[each.employee_id] = number
    return [number for number in named if number not in best.values()]


def disagrees(probe: Probe, others: Sequence[Probe], policy: MatchPolicy) -> bool:
    """Tell whether probe shows another face than every good one of the others; a poor look tells nothing."""
    good = [each for each in others if each.is_good]
    return bool(good) and all(_likeness(probe, each) < policy.same_face for each in good)


def _likeness(a: Probe, b: Probe) -> float:
    return float(a.embedding @ b.embedding)


def pace_s(
    probes: Sequence[Probe], verdict: Verdict, policy: MatchPolicy, *, is_ambiguous: bool, doubts: int
) -> float:
    """Return how long after its newest probe a track is worth the next one.

    At once when it may have become somebody else, soon until it is clear who it is, and then now and then.
    """
    if not probes or is_ambiguous or disagrees(probes[-1], probes[:-1], policy):
        return 0.0
    is_clear = verdict.standing is Standing.CONFIRMED and verdict.frames >= policy.probes and not doubts
    tried_enough = verdict.standing is not Standing.CONFIRMED and len(probes) == KEPT
    return policy.reverify_s if is_clear or tried_enough else policy.spacing_s
