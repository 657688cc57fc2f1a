"""Did somebody come late, or leave early? Where nobody watched, the doubt counts for the person."""

from datetime import timedelta

from central_server.domain.day_at_hand import DayAtHand
from central_server.domain.intervals import NOTHING
from central_server.domain.proof import arrival_at_best, departure_at_best, unseen_at_most


def late_by(day: DayAtHand) -> tuple[timedelta, bool]:
    """Return by how much the person is proven to have come late, and whether nothing is in doubt."""
    assert day.shift_day is not None
    deadline = day.shift_day.starts_at + day.shift_day.shift.late_grace
    if day.first is None:
        return NOTHING, True
    if day.first <= deadline or day.first >= day.shift_day.ends_at or not day.is_expected():
        return NOTHING, True
    arrived, unseen = day.first, unseen_at_most(day.facts.merge_gap)
    if not day.said.get("first_in_ts"):
        arrived = arrival_at_best(day.first, day.unwatched, since=day.shift_day.opens_at, unseen=unseen)
    late = arrived - day.shift_day.starts_at if arrived > deadline else NOTHING
    return late, day.is_sure("first_in_ts", day.shift_day.starts_at - unseen, day.first)


def early_by(day: DayAtHand) -> tuple[timedelta, bool]:
    """The same of leaving before the shift's end."""
    assert day.shift_day is not None and day.last is not None
    ends_at = day.shift_day.ends_at
    excused_from = ends_at - day.shift_day.shift.early_leave_grace
    has_left = not day.is_here and day.facts.as_of >= ends_at
    if not has_left or day.last >= excused_from or day.leave or not day.was_at_work():
        return NOTHING, True
    left, unseen = day.last, unseen_at_most(day.facts.merge_gap)
    if not day.said.get("last_out_ts"):
        left = departure_at_best(day.last, day.unwatched, until=day.shift_day.closes_at, unseen=unseen)
    early = ends_at - left if left < excused_from else NOTHING
    return early, day.is_sure("last_out_ts", day.last, ends_at + unseen)
