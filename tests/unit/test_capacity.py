"""How many cameras a box bears: the estimate's laws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.camera_words import capacity_words, others_words
from edge_agent.core.capacity import CameraCost, Limit, capacity


def a_cost(**more) -> CameraCost:
    values = {"width": 1280, "height": 720, "fps": 5.0, "rests": True}
    return CameraCost(**values | {"decode_ms": 10.0, "busy_ms": 30.0, "quiet_ms": 1.0} | more)


costs = st.lists(
    st.builds(
        a_cost,
        decode_ms=st.floats(0.1, 200),
        busy_ms=st.floats(1, 500),
        quiet_ms=st.floats(0, 1),
        fps=st.floats(0.5, 30),
        rests=st.booleans(),
    ),
    min_size=1,
    max_size=5,
)


def test_a_camera_costs_what_its_parts_cost():
    """Five pictures a second at 40 ms are a fifth of a processor; at rest, half a picture is decoded."""
    cost = a_cost()
    assert cost.busy == pytest.approx(0.2)
    assert cost.quiet == pytest.approx(0.01)
    assert a_cost(rests=False).quiet == pytest.approx(0.055)
    assert cost.usual == pytest.approx(0.25 * 0.2 + 0.75 * 0.01)


def test_an_idle_box_with_two_processors():
    """Eight tenths of two processors, less one camera, over the price of one."""
    found = capacity([a_cost()], processors=2, idle=2.0, free_mb=8000, is_running=False)
    assert (found.usual, found.crowded, found.limit) == (26, 7, Limit.PROCESSOR)
    assert found.fits and found.taken == pytest.approx(0.0575)


def test_memory_may_be_what_limits():
    """A box with little memory bears fewer, and says why."""
    found = capacity([a_cost()], processors=8, idle=8.0, free_mb=600, is_running=False)
    assert (found.usual, found.limit) == (4, Limit.MEMORY)
    assert "memory is what limits it" in capacity_words(found, 1, "gate-1")


def test_a_box_with_too_much_is_told_so():
    """More cameras than it bears: no number, but what to do."""
    found = capacity([a_cost(busy_ms=900.0)] * 2, processors=1, idle=1.0, free_mb=8000, is_running=False)
    assert not found.fits and found.usual == 0
    assert "more than this box has" in capacity_words(found, 2, "gate-1")


@given(costs, st.integers(1, 64), st.floats(0, 1), st.booleans())
def test_what_others_take_is_not_there_for_cameras(each, processors, share, is_running):
    """A busier box never bears more, and people everywhere never cost less than people now and then."""
    here = {"processors": processors, "free_mb": 64_000, "is_running": is_running}
    busy = capacity(each, idle=share * processors, **here)
    idle = capacity(each, idle=float(processors), **here)
    assert busy.usual <= idle.usual and busy.crowded <= busy.usual
    assert busy.free <= 0.8 * processors - busy.taken + 1e-9


def test_what_takes_the_processors_is_named_when_it_is_much():
    """A box that has other work says why it bears so few cameras; a calm one says nothing of it."""
    busy = [("ffmpeg", 0.9), ("evil\x1b[2J", 0.5)]
    assert others_words(2, 0.5, busy, is_running=False) == (
        "; other work takes 1.5 of the 2 processors now (ffmpeg 0.9, evil [2J 0.5)"
    )
    assert "the running agent and other work take" in others_words(2, 0.5, (), is_running=True)
    assert others_words(4, 3.5, busy, is_running=False) == ""


def test_the_words_say_one_camera_and_many():
    """A sentence for people."""
    found = capacity([a_cost()], processors=2, idle=2.0, free_mb=8000, is_running=False)
    assert capacity_words(found, 1, "gate-1").startswith(
        "the 1 camera takes 0.06 processors as usual; about 26 more"
    )
    assert capacity_words(found, 3, "gate-1").startswith("the 3 cameras take")
