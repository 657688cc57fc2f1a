"""What a gap in the watch is good for."""

from datetime import UTC, datetime, timedelta

import pytest

from central_server.domain.attendance import Punch
from central_server.domain.intervals import Interval, joined
from central_server.domain.proof import (
    arrival_at_best,
    departure_at_best,
    is_absence_believable,
    is_absence_certain,
    unseen_at_most,
)
from central_server.domain.stays import punched_intervals

EIGHT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def at(minute: float) -> datetime:
    return EIGHT + minute * MINUTE


def gaps(*minutes: tuple[float, float]) -> list[Interval]:
    return [Interval(at(start), at(end)) for start, end in minutes]


@pytest.mark.parametrize(
    ("unwatched", "came"),
    [
        ([], 90),
        ([(80, 85)], 80),
        ([(25, 30)], 25),  # unseen for an hour since
        ([(24, 29)], 90),  # and for a minute more
        ([(-30, 10), (60, 70)], 60),  # twenty and fifty minutes of watching: too long for the first one
        ([(-30, 20), (40, 70)], -30),  # twenty and twenty
        ([(85, 85.1)], 90),  # six seconds
        ([(80, 120)], 80),  # somebody else saw them before it was over
        ([(-200, -100)], 90),  # before anything counts
    ],
)
def test_how_early_somebody_can_have_come(unwatched, came):
    """At the beginning of the first gap since which they went unseen for an hour of watching at most."""
    assert arrival_at_best(at(90), gaps(*unwatched), since=at(-120)) == at(came)


@pytest.mark.parametrize(
    ("unwatched", "went"),
    [
        ([], 0),
        ([(5, 10)], 10),
        ([(60, 65)], 65),
        ([(61, 65)], 0),
        ([(20, 30), (70, 80)], 80),  # unseen for twenty and forty minutes
        ([(20, 30), (71, 80)], 30),
        ([(-10, 5)], 5),
        ([(50, 200)], 120),  # after that nothing counts
    ],
)
def test_how_late_somebody_can_have_gone(unwatched, went):
    """At the end of the last gap before which they went unseen for an hour of watching at most."""
    assert departure_at_best(at(0), gaps(*unwatched), until=at(120)) == at(went)


def test_where_one_may_be_unseen_for_longer_a_gap_counts_for_longer():
    """A site with one camera at the door says so with its threshold."""
    assert unseen_at_most(5 * MINUTE) == timedelta(hours=1)
    assert unseen_at_most(timedelta(hours=9)) == timedelta(hours=9)
    gap = gaps((-60, -50))
    assert arrival_at_best(at(90), gap, since=at(-120), unseen=timedelta(hours=3)) == at(-60)


def test_absence_needs_half_of_the_time_so_far_and_is_certain_with_nearly_all_of_it():
    """Half watched is believed; what is missing for a threshold or less leaves no doubt."""
    day = Interval(at(0), at(100))
    assert is_absence_believable(day, gaps((0, 50)), as_of=at(500))
    assert not is_absence_believable(day, gaps((0, 51)), as_of=at(500))
    assert not is_absence_believable(day, gaps((0, 6)), as_of=at(10))
    assert is_absence_believable(day, gaps((0, 100)), as_of=at(0))
    assert is_absence_certain(day, gaps((0, 2), (50, 53)), unseen_after=5 * MINUTE)
    assert not is_absence_certain(day, gaps((0, 2), (50, 53.5)), unseen_after=5 * MINUTE)


def test_joined_spans_touch_nowhere_and_lose_nothing():
    """What touches is one span, and a span within another is not its end."""
    assert joined(gaps((0, 10), (10, 20), (2, 5), (30, 40))) == gaps((0, 20), (30, 40))
    assert joined(gaps((0, 10), (12, 20)), gap=2 * MINUTE) == gaps((0, 20))


@pytest.mark.parametrize(
    ("punches", "stays"),
    [
        ("0in 60out", [(0, 60)]),
        ("0in 30in 60out", [(0, 60)]),  # the way out was forgotten in between
        ("60out", [(60, 60)]),
        ("0in", [(0, 0)]),
        ("0in 60out 90out", [(0, 60), (90, 90)]),
        ("0in 60out 61in 100out", [(0, 60), (61, 100)]),
    ],
)
def test_a_stay_goes_from_each_way_in_to_the_next_way_out(punches, stays):
    """A punch without its other end is an instant."""
    told = [
        Punch(at(float(each.removesuffix("in").removesuffix("out"))), each.endswith("in"))
        for each in punches.split()
    ]
    assert punched_intervals(reversed(told)) == gaps(*stays)
