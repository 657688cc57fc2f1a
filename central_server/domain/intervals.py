"""Spans of time: joining, cutting and adding them up."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

NOTHING = timedelta(0)


@dataclass(frozen=True, slots=True)
class Interval:
    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def overlap(self, other: "Interval") -> timedelta:
        return max(NOTHING, min(self.end, other.end) - max(self.start, other.start))

    def touches(self, other: "Interval") -> bool:
        """Tell whether they have at least an instant in common."""
        return self.start <= other.end and other.start <= self.end


def joined(intervals: Iterable[Interval], *, gap: timedelta = NOTHING) -> list[Interval]:
    """Join intervals that overlap, touch, or lie no further apart than gap; in order."""
    found: list[Interval] = []
    for each in sorted(intervals, key=lambda one: one.start):
        if found and each.start - found[-1].end <= gap:
            if each.end > found[-1].end:
                found[-1] = Interval(found[-1].start, each.end)
        else:
            found.append(each)
    return found


def cut(intervals: Iterable[Interval], within: Interval) -> list[Interval]:
    """Return the parts of the intervals that lie within a span of time, in their order."""
    parts = (Interval(max(each.start, within.start), min(each.end, within.end)) for each in intervals)
    return [each for each in parts if each.start < each.end]


def total(intervals: Iterable[Interval]) -> timedelta:
    """Return the time that the intervals cover; what overlaps counts once."""
    return sum((each.length for each in joined(intervals)), NOTHING)


def without(whole: Interval, parts: Iterable[Interval]) -> list[Interval]:
    """Return what is left of a span of time when parts are taken out of it."""
    left, start = [], whole.start
    for each in joined(cut(parts, whole)):
        if start < each.start:
            left.append(Interval(start, each.start))
        start = each.end
    if start < whole.end:
        left.append(Interval(start, whole.end))
    return left
