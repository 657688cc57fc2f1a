"""How far a site's record is complete, and which box a day waits for."""

from datetime import UTC, datetime, timedelta

import pytest

from central_server.domain.completeness import MOST_WAITING, complete_to, waited_for
from central_server.domain.coverage import AgentFacts

NOW = datetime(2026, 11, 25, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_box(name: str, reported: timedelta | None, state: str = "online") -> AgentFacts:
    """A box that has reported everything up to so long ago; None: it never did."""
    return AgentFacts(
        agent_id=name,
        name=name,
        state=state,
        state_at=NOW,
        heartbeat_at=NOW,
        interval=timedelta(seconds=15),
        reported_to=None if reported is None else NOW - reported,
    )


@pytest.mark.parametrize(
    ("boxes", "behind"),
    [
        ([a_box("a", 0 * HOUR)], 0 * HOUR),
        ([a_box("a", 0 * HOUR), a_box("b", 3 * HOUR, "offline")], 3 * HOUR),
        ([a_box("a", 0 * HOUR), a_box("b", 3 * HOUR, "stopped")], 3 * HOUR),
        ([a_box("a", 0 * HOUR), a_box("dead", 300 * HOUR, "offline")], MOST_WAITING),
        ([a_box("a", 0 * HOUR), a_box("new", None, "offline")], 0 * HOUR),
        ([a_box("a", -2 * HOUR)], 0 * HOUR),
        ([a_box("new", None)], 0 * HOUR),
        ([], 0 * HOUR),
    ],
)
def test_the_record_is_as_complete_as_the_box_that_is_furthest_behind(boxes, behind):
    """Boxes that are off count for a day, new ones not at all, and no clock says more than now."""
    assert complete_to(boxes, NOW) == NOW - behind


def test_a_day_that_is_over_tells_which_boxes_it_waits_for():
    """The furthest behind comes first; boxes that have told everything, or never anything, are left out."""
    boxes = [a_box("a", 1 * HOUR), a_box("b", 3 * HOUR), a_box("c", 0 * HOUR), a_box("new", None)]

    assert [each.name for each in waited_for(boxes, NOW - HOUR / 2, NOW)] == ["b", "a"]
    assert [each.name for each in waited_for(boxes, NOW - 2 * HOUR, NOW)] == ["b"]


@pytest.mark.parametrize("until", [NOW + HOUR, NOW - MOST_WAITING, NOW - 300 * HOUR])
def test_nobody_is_waited_for_in_what_is_to_come_nor_for_more_than_a_day(until):
    """A shift that runs is provisional by itself, and a dead box does not hold a day forever."""
    assert waited_for([a_box("dead", 400 * HOUR)], until, NOW) == []


def test_while_a_box_is_waited_for_the_record_does_not_reach_the_end_of_the_day():
    """What closes days and what names the boxes never contradict each other."""
    for hours in range(40):
        boxes, until = [a_box("a", hours * HOUR), a_box("b", 0 * HOUR)], NOW - 5 * HOUR
        assert bool(waited_for(boxes, until, NOW)) == (complete_to(boxes, NOW) < until)
