"""Who is nearest, and whether that is clear enough to claim. Similarity is the cosine, -1..1."""

from dataclasses import dataclass

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
    rejoin: float = 1.0  # a face that comes back within moments and is this alike is the same track again
    probes: int = 3
    spacing_s: float = 0.35  # probes nearer in time than this are one look
    reverify_s: float = 3.0  # a settled track is looked at again after this, and ever less often
    seldom_s: float = 30.0  # but at least this often
    lead: float | None = None  # margin from which fewer looks need no extra; None: they always do

    def __post_init__(self) -> None:
        if not -1 <= self.threshold <= 1:
            raise ValueError(f"threshold {self.threshold} is not a cosine")
        if self.lead is not None and self.lead <= self.margin:
            raise ValueError(f"lead {self.lead} is not beyond the margin {self.margin}")
        if min(self.two_extra, self.single_extra, self.margin) < 0 or self.probes < 1:
            raise ValueError("extras and margin cannot be negative, and it takes at least one probe")

    def bar(self, agreeing: int, margin: float = 0.0) -> float:
        """Return the similarity asked of a person for whom so many spaced probes speak, by that mean margin.

        Strangers who come near somebody by chance come near several people: the more are enrolled, the nearer
        lie the best and the second. So a wide margin is evidence too, and eases what fewer looks are asked.
        """
        if agreeing >= self.probes:
            return self.threshold
        extra = self.two_extra if agreeing >= 2 else self.single_extra
        return self.threshold + extra * (1 - self._ease(margin))

    def _ease(self, margin: float) -> float:
        if self.lead is None:
            return 0.0
        return min(1.0, max(0.0, (margin - self.margin) / (self.lead - self.margin)))


@dataclass(frozen=True, slots=True)
class Match:
    """Who is nearest, claimed or not."""

    employee_id: EmployeeId | None  # None: an anchor, a face to ignore
    similarity: float
    margin: float  # over the second person, among whom all anchors count as one; 1 when there is no second

    @property
    def is_ignored(self) -> bool:
        return self.employee_id is None


def clear(match: Match | None, policy: MatchPolicy, bar: float) -> Match | None:
    """Return the match if it is similar enough (bar) and well ahead of everyone else; None otherwise."""
    if match is None or match.similarity < max(bar, policy.threshold) or match.margin < policy.margin:
        return None
    return match


def identify(match: Match | None, policy: MatchPolicy, bar: float) -> Match | None:
    """Return the match if it is clear and names a person; a face to ignore names nobody."""
    found = clear(match, policy, bar)
    return None if found is None or found.is_ignored else found
