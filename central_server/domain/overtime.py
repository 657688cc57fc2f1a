"""Indonesia's caps on overtime: PP 35/2021, article 26. A warning, never a reason to count less.

At most 4 hours a day and 18 hours a week; work on weekly rest days and holidays does not count towards them.
A week is Monday to Sunday, by business date.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

MOST_A_DAY_MIN = 4 * 60
MOST_A_WEEK_MIN = 18 * 60


@dataclass(frozen=True, slots=True)
class OvertimeDay:
    """The overtime of one business date that counts as work."""

    day: date
    minutes: int
    is_workday: bool = True  # False: a rest day or a holiday


@dataclass(frozen=True, slots=True)
class OvertimeWarning:
    """More overtime than the law allows."""

    per: str  # day | week
    day: date  # that day, or the Monday of that week
    minutes: int
    most: int


def week_of(day: date) -> tuple[date, date]:
    """Return the Monday and the Sunday of the week that day lies in."""
    monday = day - timedelta(days=day.weekday())
    return monday, monday + timedelta(days=6)


def overtime_warnings(days: Iterable[OvertimeDay]) -> tuple[OvertimeWarning, ...]:
    """Return what is above the caps, by day and then by week; each date may be given once."""
    counted = sorted((each for each in days if each.is_workday and each.minutes > 0), key=lambda it: it.day)
    weeks: dict[date, int] = {}
    for each in counted:
        monday, _ = week_of(each.day)
        weeks[monday] = weeks.get(monday, 0) + each.minutes
    a_day = (
        OvertimeWarning("day", each.day, each.minutes, MOST_A_DAY_MIN)
        for each in counted
        if each.minutes > MOST_A_DAY_MIN
    )
    a_week = (
        OvertimeWarning("week", monday, minutes, MOST_A_WEEK_MIN)
        for monday, minutes in weeks.items()
        if minutes > MOST_A_WEEK_MIN
    )
    return (*a_day, *a_week)


def room_left(day: date, others: Sequence[OvertimeDay], *, is_workday: bool = True) -> int | None:
    """Return how many minutes of overtime on day stay within the caps; None: as many as were worked.

    others: the other days of the same week.
    """
    if not is_workday:
        return None
    week = sum(each.minutes for each in others if each.is_workday and each.day != day)
    return max(0, min(MOST_A_DAY_MIN, MOST_A_WEEK_MIN - week))
