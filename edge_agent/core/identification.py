"""Who is nearest, and whether that is clear enough to claim. Similarity is the cosine, -1..1."""

from collections.abc import Mapping
from dataclasses import dataclass
from heapq import nlargest
from operator import itemgetter

from common.ids import EmployeeId


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchPolicy:
    """What one recognition model's similarities mean. Similarities of two models are not comparable."""

    threshold: float  # asked when `probes` spaced probes agree
    two_extra: float  # added to it when only two do
    single_extra: float  # added to it when there is only one
    margin: float  # best person minus second-best person
    against: float  # a good look this far below the threshold speaks against a person
    same_face: float  # two good crops less alike than this show two people
    same_look: float  # two crops more alike than this are one look: a still picture gives no new evidence
    probes: int = 3
    spacing_s: float = 0.35  # probes nearer in time than this are one look
    reverify_s: float = 3.0  # a settled track is looked at again this often

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1:
            raise ValueError(f"threshold {self.threshold} is not a cosine")
        if min(self.two_extra, self.single_extra, self.margin) < 0 or self.probes < 1:
            raise ValueError("extras and margin cannot be negative, and it takes at least one probe")

    def bar(self, agreeing: int) -> float:
        """Return the similarity asked of a person for whom so many spaced probes speak."""
        if agreeing >= self.probes:
            return self.threshold
        return self.threshold + (self.two_extra if agreeing == 2 else self.single_extra)


@dataclass(frozen=True, slots=True)
class Match:
    """The nearest person, claimed or not."""

    employee_id: EmployeeId
    similarity: float
    margin: float  # over the second person; 1 when there is no second


def nearest(similarities: Mapping[EmployeeId, float]) -> Match | None:
    """Return the most similar person; None when nobody is enrolled."""
    match nlargest(2, similarities.items(), key=itemgetter(1)):
        case [(person, best)]:
            return Match(person, best, 1.0)
        case [(person, best), (_, second)]:
            return Match(person, best, min(1.0, best - second))
    return None


def identify(similarities: Mapping[EmployeeId, float], policy: MatchPolicy, bar: float) -> Match | None:
    """Return the person who is similar enough (bar) and clearly ahead of everyone else; None otherwise."""
    match = nearest(similarities)
    if match is None or match.similarity < max(bar, policy.threshold) or match.margin < policy.margin:
        return None
    return match
