"""When somebody was in the area, of what cameras saw and what was punched; and when they came and went."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from central_server.domain.attendance import DayFacts, Punch
from central_server.domain.intervals import Interval, joined
from central_server.domain.shifts import ShiftDay


def presence_intervals(seen_at: Iterable[datetime], *, gap: timedelta) -> list[Interval]:
    """Join sightings no further apart than gap into intervals of presence."""
    intervals: list[Interval] = []
    start = end = None
    for moment in sorted(set(seen_at)):
        if start is not None and end is not None and moment - end <= gap:
            end = moment
            continue
        if start is not None and end is not None:
            intervals.append(Interval(start, end))
        start = end = moment
    if start is not None and end is not None:
        intervals.append(Interval(start, end))
    return intervals


def punched_intervals(punches: Iterable[Punch]) -> list[Interval]:
    """Return the stays from each `in` to the next `out`; what has no other end is an instant."""
    intervals: list[Interval] = []
    since: datetime | None = None
    for punch in sorted(set(punches)):
        if punch.is_in:
            since = since or punch.at
        else:
            intervals.append(Interval(since or punch.at, punch.at))
            since = None
    return [*intervals, Interval(since, since)] if since else intervals


def is_one_sided(punches: Iterable[Punch], at: datetime, *, is_in: bool, gap: timedelta) -> bool:
    """Tell whether somebody only punched in at an instant, the last of their day (or only out, the first).

    Then nobody knows when they went (or had come). Two of a kind in a row, more than gap apart, are no such
    thing: whoever pressed the wrong button was there at both.
    """
    told = sorted(set(punches))
    if {each.is_in for each in told if each.at == at} != {is_in}:
        return False
    if is_in:
        beside = [each for each in told if at - each.at > gap][-1:]
    else:
        beside = [each for each in told if each.at - at > gap][:1]
    return not any(each.is_in == is_in for each in beside)


def stays_of(facts: DayFacts, shift_day: ShiftDay | None) -> tuple[list[Interval], list[Interval]]:
    """Return the stays that count for the day, and those too far from its shift to do so."""
    moments = [*facts.seen_at, *(each.at for each in facts.punches)]
    every = presence_intervals(moments, gap=facts.merge_gap)
    if facts.punches:
        every = joined([*every, *punched_intervals(facts.punches)])
    if shift_day is None:
        return every, []
    window = Interval(shift_day.opens_at, shift_day.closes_at)
    came_at = max((each.at for each in facts.punches), default=None)

    def counts(stay: Interval) -> bool:
        """Who punched in early and not out again may be here still."""
        if stay.touches(window) or came_at is None:
            return stay.touches(window)
        is_early = stay.end < window.start and stay.start <= came_at <= stay.end
        return is_early and is_one_sided(facts.punches, came_at, is_in=True, gap=facts.merge_gap)

    return [each for each in every if counts(each)], [each for each in every if not counts(each)]


def ends_of(facts: DayFacts, stays: Sequence[Interval]) -> tuple[datetime | None, datetime | None]:
    """Return when the person came and went; None: a punch at the other end alone does not tell."""
    if not stays:
        return None, None
    first, last = stays[0].start, stays[-1].end
    seen = set(facts.seen_at)
    is_begun = first in seen or not is_one_sided(facts.punches, first, is_in=False, gap=facts.merge_gap)
    is_ended = last in seen or not is_one_sided(facts.punches, last, is_in=True, gap=facts.merge_gap)
    return first if is_begun else None, last if is_ended else None
