"""The caps on overtime: PP 35/2021, article 26."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from central_server.domain.overtime import OvertimeDay, overtime_warnings, room_left, week_of

MONDAY = date(2026, 11, 23)


def days(*minutes: int, rest: tuple[int, ...] = ()) -> list[OvertimeDay]:
    return [OvertimeDay(MONDAY + timedelta(days=n), each, n not in rest) for n, each in enumerate(minutes)]


@pytest.mark.parametrize(
    ("worked", "rest", "expected"),
    [
        ((240, 0, 0), (), []),  # four hours are allowed
        ((241, 0, 0), (), [("day", 241)]),
        ((216, 216, 216, 216, 216), (), []),  # eighteen hours in the week are allowed
        ((216, 216, 216, 216, 217), (), [("week", 1081)]),
        ((0, 0, 0, 0, 0, 600, 600), (5, 6), []),  # rest days do not count, however long
        ((240, 240, 240, 240, 240, 600), (5,), [("week", 1200)]),
        ((300, 240, 240, 240, 240), (), [("day", 300), ("week", 1260)]),
    ],
)
def test_what_the_law_allows(worked, rest, expected):
    """Four hours a day, eighteen a week, and rest days and holidays apart."""
    found = overtime_warnings(days(*worked, rest=rest))
    assert [(each.per, each.minutes) for each in found] == expected


def test_a_week_ends_with_its_sunday():
    """Much on a Sunday and on the Monday after are two weeks."""
    sunday = MONDAY + timedelta(days=6)
    found = [OvertimeDay(MONDAY + timedelta(days=n), 216) for n in range(2, 7)]
    found += [OvertimeDay(sunday + timedelta(days=n), 216) for n in range(1, 3)]
    assert week_of(sunday) == (MONDAY, sunday)
    assert overtime_warnings(found) == ()


def test_the_room_that_is_left():
    """As much as both caps leave, never less than nothing; on a rest day the law sets no bound here."""
    assert room_left(MONDAY, days(500)) == 240, "the day itself is not counted against itself"
    assert room_left(MONDAY, days(0, 240, 240, 240, 240)) == 120
    assert room_left(MONDAY, days(0, 400, 400, 400)) == 0
    assert room_left(MONDAY, days(0, 400, 400, 400), is_workday=False) is None


@given(st.lists(st.integers(0, 400), min_size=5, max_size=5))
def test_who_stays_within_the_room_is_never_warned_about(worked):
    """The room said before is the bound warned about after."""
    kept: list[int] = []
    for each in worked:
        room = room_left(MONDAY + timedelta(days=len(kept)), days(*kept))
        kept.append(min(each, room))
    assert overtime_warnings(days(*kept)) == ()
