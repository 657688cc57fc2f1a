"""How far it is known when a camera watched, and when it did not: its proof goes on, or there is a gap.

A camera that watches now tells since when without a break, and its agent up to when everything is reported.
Whatever was not proven before that is a gap. Who was away is not the question: an agent that was offline and
watched all along leaves none.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from central_server.domain.intervals import Interval

SLACK = timedelta(seconds=2)  # by which a clock is corrected without anything having happened
NEW = "new"  # of the time before a camera's very first proof
LOST = "lost"  # the reason of a gap in which it watched, but what it saw had to be dropped


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """How far it is known when one camera watched; None: it is new, and has proven nothing yet."""

    to: datetime | None
    gap: Interval | None = None  # that has ended just now


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """A time in which a camera that should have watched did not; the last one may still be open."""

    camera_id: str
    zone_id: str | None
    interval: Interval
    reason: str  # what was wrong, as far as it is known
    is_decisive: bool  # somebody could have come or gone unseen


def carried_on(proven_to: datetime | None, *, covered_since: datetime, reported_to: datetime) -> Proof:
    """Return the proof of a camera that watches now, unbroken since covered_since.

    reported_to: everything that its agent saw up to here has been recorded.
    """
    if reported_to < covered_since:  # what it sees now is still on its way
        return Proof(to=proven_to)
    if proven_to is None:
        return Proof(to=reported_to)
    gap = Interval(proven_to, covered_since) if covered_since - proven_to > SLACK else None
    return Proof(to=max(proven_to, reported_to), gap=gap)


def taken_away(
    proven_to: datetime | None, *, at: datetime, was_watching: bool, patience: timedelta
) -> Proof:  # fmt: skip
    """Return the proof of a camera that nobody looks after since at: it begins anew when it comes back.

    was_watching: until then, as far as was known; what it had not yet told for longer than patience is a gap.
    """
    if proven_to is None or at <= proven_to or (was_watching and at - proven_to <= patience):
        return Proof(to=None)
    return Proof(to=None, gap=Interval(proven_to, at))


def shrunk(gap: Interval, covered_since: datetime) -> Interval | None:
    """Return what is left of a gap when it turns out that the camera watched since covered_since."""
    if covered_since >= gap.end:
        return gap
    return Interval(gap.start, covered_since) if covered_since - gap.start > SLACK else None


def why(state: str, reason: str) -> str:
    """Return what was wrong, by what was last heard of the camera before it watched again."""
    if state == "online" or reason == "starting":
        return "agent"  # of the camera nothing bad was heard: its agent, or the line, was away
    return reason or state
