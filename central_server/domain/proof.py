"""What can be held against somebody when the cameras did not watch all the time: only what is proven.

A gap in the watch of ten seconds or more counts for the person: who came into view late may have come in
during a gap before, and who was last seen early may have gone out during a gap after. It does so only if they
could have been here unseen in between: for at most an hour of watching, or for as long as one may be unseen
before being missed, where that is longer.

So a camera that blinks at 06:05 excuses nobody who is first seen at 08:30, and one that was dark from 07:50
to 08:20 excuses everybody seen by 09:20. Beyond that the figures stand; but where a gap lay between that hour
before the shift and the first sighting, or between the last one and that hour after the shift, they are
marked as not certain, so that somebody asks first.

A whole day's absence is believed when the cameras watched at least half of the working time, and certain when
they missed no more of it than one may be unseen.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from central_server.domain.intervals import NOTHING, Interval, cut, total

BRIEF = timedelta(seconds=10)  # nobody comes or goes unseen in a shorter gap
HOUR = timedelta(hours=1)


def unseen_at_most(unseen_after: timedelta) -> timedelta:
    """Return for how long somebody may have been here without a camera that watches seeing them."""
    return max(HOUR, unseen_after)


def arrival_at_best(
    first_seen: datetime, unwatched: Sequence[Interval], *, since: datetime, unseen: timedelta = HOUR
) -> datetime:
    """Return the earliest instant at which the person can have come: a gap's beginning, or when first seen.

    unwatched: in order and apart. unseen: for how long they may have been here while somebody watched.
    """
    best, watched = first_seen, NOTHING
    for gap in reversed(gaps_within(unwatched, since, first_seen)):
        watched += best - gap.end
        if watched > unseen:
            break
        best = gap.start
    return best


def departure_at_best(
    last_seen: datetime, unwatched: Sequence[Interval], *, until: datetime, unseen: timedelta = HOUR
) -> datetime:
    """Return the latest instant at which the person can have gone: a gap's end, or when last seen."""
    best, watched = last_seen, NOTHING
    for gap in gaps_within(unwatched, last_seen, until):
        watched += gap.start - best
        if watched > unseen:
            break
        best = gap.end
    return best


def gaps_within(unwatched: Sequence[Interval], start: datetime, end: datetime) -> list[Interval]:
    """Return the parts between two instants of the gaps in which somebody can have come or gone."""
    return cut((each for each in unwatched if each.length >= BRIEF), Interval(start, end))


def is_absence_believable(worked: Interval, unwatched: Sequence[Interval], *, as_of: datetime) -> bool:
    """Tell whether not having been seen in the working time, as far as it has come, says anything."""
    end = min(worked.end, as_of)
    if end <= worked.start:
        return True  # it has not begun: there is nothing to be in doubt about
    so_far = Interval(worked.start, end)
    return 2 * total(cut(unwatched, so_far)) <= so_far.length


def is_absence_certain(worked: Interval, unwatched: Sequence[Interval], *, unseen_after: timedelta) -> bool:
    """Tell whether no more of the working time went unwatched than one may be unseen without being missed."""
    return total(gaps_within(unwatched, worked.start, worked.end)) <= unseen_after
