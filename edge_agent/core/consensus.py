"""What the looks at one track add up to: a person, nobody enrolled, one to ignore, not yet clear, or two.

One frame is weak evidence, and frames a moment apart repeat one another. So the similarity asked falls with
the number of *separate* looks that agree; and a stranger is called unknown only after good looks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from common.ids import EmployeeId
from edge_agent.core.gallery import Gallery
from edge_agent.core.identification import Match, MatchPolicy, clear

KEPT = 8  # probes of a track: the newest ones
BETTER = 1.15  # times the quality of every look so far: worth another one at once
PATIENCE = 6  # good probes after which a face just below the threshold is unknown all the same
MOST_DOUBTS = 3  # good looks in a row that do not show who was recognised, until they count as another
UNKNOWN_AFTER_S = 2.0  # between the first and the last good probe of an unknown still in view


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What one gallery said to a probe; it holds no template of that gallery."""

    stamp: object  # the gallery's
    match: Match | None


@dataclass(frozen=True, slots=True, eq=False)
class Probe:
    """One embedded look at a track."""

    at_ms: int  # monotonic
    embedding: np.ndarray  # unit length
    quality: float  # 0..1
    is_good: bool  # frontal and sharp enough for its lack of a match to mean something
    before_ms: int  # the last frame before it that surely shows the face of the probe before it
    found: Found | None = None  # None: never searched


class Standing(StrEnum):
    TENTATIVE = "tentative"
    CONFIRMED = "confirmed"
    UNKNOWN = "unknown"
    IGNORED = "ignored"  # an anchor: a poster, or somebody of whom nothing is to be told
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    standing: Standing
    employee_id: EmployeeId | None = None  # only of the confirmed
    similarity: float | None = None  # mean of the probes that agree; of an unknown, the highest
    threshold: float | None = None  # what was asked
    margin: float | None = None
    frames: int = 0  # probes that agree


NOT_YET = Verdict(standing=Standing.TENTATIVE)
SETTLED = (Standing.CONFIRMED, Standing.IGNORED)  # one face, known: what speaks against it is another face


@dataclass(frozen=True, slots=True, eq=False)
class _Look:
    """A probe and what the gallery says to it."""

    probe: Probe
    nearest: Match | None
    shows: Match | None  # the nearest, if similar and clear enough for one look among several


def searched(probes: Sequence[Probe], gallery: Gallery) -> tuple[Probe, ...]:
    """Return the probes with what gallery says to each. Those that it was asked about before cost nothing."""
    new = [
        place for place, each in enumerate(probes) if not each.found or each.found.stamp is not gallery.stamp
    ]
    if not new:
        return tuple(probes)
    matches = gallery.search(_embeddings([probes[place] for place in new]))
    answers = {place: Found(gallery.stamp, match) for place, match in zip(new, matches, strict=True)}
    return tuple(
        replace(each, found=answers[place]) if place in answers else each for place, each in enumerate(probes)
    )


def _looks(probes: Sequence[Probe], gallery: Gallery, policy: MatchPolicy) -> list[_Look]:
    nearest = [each.found.match if each.found else None for each in searched(probes, gallery)]
    return [
        _Look(probe, match, clear(match, policy, policy.threshold))
        for probe, match in zip(probes, nearest, strict=True)
    ]


def _embeddings(probes: Sequence[Probe]) -> np.ndarray:
    return np.array([each.embedding for each in probes], np.float32)


def with_probe(probes: Sequence[Probe], probe: Probe) -> tuple[Probe, ...]:
    """Return the probes of a track with one more, the oldest forgotten."""
    return (*probes, probe)[-KEPT:]


def weigh(
    probes: Sequence[Probe], gallery: Gallery, policy: MatchPolicy, *, is_over: bool = False
) -> Verdict:
    """Return what the probes of one track, oldest first, say together; is_over: there will be no more."""
    looks = _looks(probes, gallery, policy)
    shown = dict.fromkeys(each.shows.employee_id for each in looks if each.shows)
    claims = [claim for who in shown if (claim := _claim(who, looks, policy, is_alone=len(shown) == 1))]
    if len(claims) > 1:
        return Verdict(standing=Standing.CONFLICT)
    if claims and not _is_outweighed(claims[0], looks, gallery, policy):
        return claims[0]
    return NOT_YET if shown else _nobody(looks, policy, is_over)


def _claim(
    who: EmployeeId | None, looks: Sequence[_Look], policy: MatchPolicy, *, is_alone: bool
) -> Verdict | None:
    """Return the verdict for who (None: an anchor) if the looks that show them suffice.

    A poster is one look however often it is seen, and to ignore a face nobody else is shown by names nobody:
    then the threshold alone is asked. Against a person an anchor needs as much as a person.
    """
    agreeing = [(each.probe, each.shows) for each in looks if each.shows and each.shows.employee_id == who]
    similarity = sum(match.similarity for _, match in agreeing) / len(agreeing)
    margin = sum(match.margin for _, match in agreeing) / len(agreeing)
    bar = policy.bar(separate([probe for probe, _ in agreeing], policy), margin)
    if who is None and is_alone:
        bar = policy.threshold
    if similarity < bar:
        return None
    return Verdict(
        standing=Standing.IGNORED if who is None else Standing.CONFIRMED,
        employee_id=who,
        similarity=similarity,
        threshold=bar,
        margin=margin,
        frames=len(agreeing),
    )


def _is_outweighed(claim: Verdict, looks: Sequence[_Look], gallery: Gallery, policy: MatchPolicy) -> bool:
    """Tell whether as many good looks are far from the person as looks name them.

    A stranger looked at often enough passes a threshold by chance; then most good looks stay far below it.
    """
    good = _embeddings([each.probe for each in looks if each.probe.is_good])
    against = gallery.similarities_to(claim.employee_id, good) < policy.threshold - policy.against
    return int(against.sum()) >= claim.frames


def _nobody(looks: Sequence[_Look], policy: MatchPolicy, is_over: bool) -> Verdict:
    """Return UNKNOWN when good looks, far enough apart in time, are near nobody.

    Where nobody is enrolled yet, nobody is unknown: the gallery may be on its way.
    """
    good = [each for each in looks if each.probe.is_good]
    nearest = [each.nearest for each in good if each.nearest]
    if len(good) < 2 or not nearest:
        return NOT_YET
    best = max(nearest, key=lambda match: match.similarity)
    is_near = best.similarity >= policy.threshold - policy.two_extra
    asked_s = policy.spacing_s if is_over else UNKNOWN_AFTER_S
    is_long_enough = good[-1].probe.at_ms - good[0].probe.at_ms >= asked_s * 1000
    if (is_near and len(good) < PATIENCE) or not is_long_enough:
        return NOT_YET
    return Verdict(
        standing=Standing.UNKNOWN,
        similarity=best.similarity,
        threshold=policy.threshold,
        margin=best.margin,
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
    return before if before.standing in SETTLED and now.standing is Standing.TENTATIVE else now


def doubts(probes: Sequence[Probe], verdict: Verdict, gallery: Gallery, policy: MatchPolicy) -> int:
    """Return how many of the newest good looks in a row do not show the person of the verdict."""
    if verdict.standing not in SETTLED:
        return 0
    good = _embeddings([each for each in probes if each.is_good])
    similarities = gallery.similarities_to(verdict.employee_id, good)
    shows = np.flatnonzero(similarities >= policy.threshold - policy.two_extra)
    return len(good) - (int(shows[-1]) + 1 if len(shows) else 0)


def break_at(probes: Sequence[Probe], before: Verdict, gallery: Gallery, policy: MatchPolicy) -> int | None:
    """Return the index of the probe from which on the track shows another person; None while it shows one.

    before is the verdict without the newest probe. One odd look is not enough (a hand before the face, a
    smear) unless it names somebody by itself; two in a row that are alike are, or three good ones that no
    longer show who was recognised.
    """
    probes = searched(probes, gallery)
    last, now = len(probes) - 1, weigh(probes, gallery, policy)
    if last >= 1 and disagrees(probes[last], probes[:last], policy):
        found = probes[last].found
        single = clear(found.match if found else None, policy, policy.bar(1))
        if single and not (before.standing in SETTLED and single.employee_id == before.employee_id):
            return last
    if last >= 2 and all(disagrees(each, probes[: last - 1], policy) for each in probes[last - 1 :]):
        pair = probes[last - 1 :]
        if all(each.is_good for each in pair) and not disagrees(pair[1], pair[:1], policy):
            return last - 1
    is_other = now.standing in SETTLED and now.employee_id != before.employee_id
    is_gone = doubts(probes, before, gallery, policy) >= MOST_DOUBTS or now.standing is Standing.UNKNOWN
    if now.standing is Standing.CONFLICT or (before.standing in SETTLED and (is_other or is_gone)):
        return _first_other(_looks(probes, gallery, policy), before)
    return None


def _first_other(looks: Sequence[_Look], before: Verdict) -> int:
    """Return the index after the last look at whom before names, or else at whoever was shown first."""
    shown = [(index, each.shows.employee_id) for index, each in enumerate(looks) if each.shows]
    who = before.employee_id if before.standing in SETTLED or not shown else shown[0][1]
    own = [index for index, name in shown if name == who]
    others = [index for index, name in shown if name != who]
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


def is_back(
    lost: Sequence[Probe], told: Verdict, new: Sequence[Probe], now: Verdict, policy: MatchPolicy
) -> bool:
    """Tell whether a new track shows the face of one that was lost a moment ago.

    Two that were given one name are one; else their good looks have to be alike, all in all, and the names,
    if there are any, must not differ.
    """
    names = {each.employee_id for each in (told, now) if each.standing is Standing.CONFIRMED}
    if len(names) > 1:
        return False
    if told.standing is now.standing is Standing.CONFIRMED:
        return True
    pairs = [_likeness(a, b) for a in lost for b in new if a.is_good and b.is_good]
    return bool(pairs) and sum(pairs) / len(pairs) >= policy.rejoin


def _likeness(a: Probe, b: Probe) -> float:
    return float(a.embedding @ b.embedding)


def _is_promising(probes: Sequence[Probe], verdict: Verdict, policy: MatchPolicy) -> bool:
    """Tell whether it may still become clear that this is somebody: a look came near one person."""
    if verdict.standing is not Standing.TENTATIVE:
        return False
    near = policy.threshold - 2 * policy.two_extra
    matches = (each.found.match for each in probes if each.found)
    return any(each and each.similarity >= near and each.margin >= policy.margin for each in matches)


def is_much_better(quality: float, probes: Sequence[Probe], verdict: Verdict) -> bool:
    """Tell whether a crop of this quality promises more than every look so far of a face not known yet."""
    return verdict.standing not in SETTLED and all(quality >= BETTER * each.quality for each in probes)


def pace_s(
    probes: Sequence[Probe], verdict: Verdict, policy: MatchPolicy, *, is_ambiguous: bool, doubts: int
) -> float:
    """Return how long after its newest probe a track is worth the next one.

    At once when it may have become somebody else or nearly shows somebody, soon until it is clear who it is,
    and then ever less often: after as long again as the kept probes span.
    """
    if not probes or is_ambiguous or disagrees(probes[-1], probes[:-1], policy):
        return 0.0
    is_clear = verdict.standing in SETTLED and verdict.frames >= policy.probes and not doubts
    tried_enough = verdict.standing not in SETTLED and len(probes) == KEPT
    if not is_clear and _is_promising(probes, verdict, policy):
        return 3 * policy.spacing_s if tried_enough else 0.0
    if not is_clear and not tried_enough:
        return policy.spacing_s
    span_s = (probes[-1].at_ms - probes[0].at_ms) / 1000
    return min(max(policy.reverify_s, span_s), max(policy.reverify_s, policy.seldom_s))
