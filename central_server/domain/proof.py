"""What can be held against somebody when the cameras did not watch all the time: only what is proven.

A gap in the watch counts for the person. Who came into view late may have come in during a gap before; who
was last seen early may have gone out during a gap after. A whole day's absence is believed when the cameras
watched at least half of the working time.
"""

from collections.abc import Sequence
from datetime import datetime

from central_server.domain.intervals import Interval, cut, total


def arrival_at_best(first_seen: datetime, unwatched: Sequence[Interval], *, since: datetime) -> datetime:
    """Return the earliest instant at which the person can have come: the first gap's, or when first seen."""
    gaps = cut(unwatched, Interval(since, first_seen)) if since < first_seen else []
    return min((each.start for each in gaps), default=first_seen)


def departure_at_best(last_seen: datetime, unwatched: Sequence[Interval], *, until: datetime) -> datetime:
    """Return the latest instant at which the person can have gone: the last gap's end, or when last seen."""
    gaps = cut(unwatched, Interval(last_seen, until)) if last_seen < until else []
    return max((each.end for each in gaps), default=last_seen)


def is_absence_believable(worked: Interval, unwatched: Sequence[Interval], *, as_of: datetime) -> bool:
    """Tell whether not having been seen in the working time, as far as it has come, says anything."""
    end = min(worked.end, as_of)
    if end <= worked.start:
        return True  # it has not begun: there is nothing to be in doubt about
    so_far = Interval(worked.start, end)
    return 2 * total(cut(unwatched, so_far)) <= so_far.length
