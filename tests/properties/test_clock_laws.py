"""An agent's clocks in terms of the server's, whatever the network and the wall clock do."""

from hypothesis import given
from hypothesis import strategies as st

from central_server.domain.clocks import Boots, boots_as_json, boots_from, correction

BOOTED = 1_795_600_000_000  # by the server's clock, when the monotonic clock stood at zero
delays = st.integers(0, 4_000)
gaps = st.integers(1, 60_000)


@given(st.lists(st.tuples(gaps, delays), min_size=1, max_size=60), st.integers(0, 10_000_000))
def test_the_fastest_heartbeat_decides(beats: list[tuple[int, int]], later: int):
    """The estimate is never early, and late by no more than the least delay among the kept readings."""
    boots, mono = Boots(), 0
    for gap, delay in beats:
        mono += gap
        boots = boots.heard("boot", mono, BOOTED + mono + delay)
    error = boots.at("boot", mono + later) - (BOOTED + mono + later)
    assert 0 <= error <= beats[-1][1]
    assert error == min(delay for _, delay in beats)


@given(st.lists(st.tuples(gaps, delays), min_size=1, max_size=30), st.integers(-(10**9), 10**9))
def test_a_wall_clock_that_is_set_is_followed_at_once(beats: list[tuple[int, int]], off: int):
    """How far off the wall clock is follows from what it says beside the monotonic one, not from history."""
    boots, mono = Boots(), 0
    for gap, delay in beats:
        mono += gap
        boots = boots.heard("boot", mono, BOOTED + mono + delay)
    least = min(delay for _, delay in beats)
    assert boots.off("boot", mono, BOOTED + mono + off) == off - least
    assert boots.off("boot", mono, BOOTED + mono) == -least


@given(st.lists(st.sampled_from("abcdefghijkl"), max_size=40))
def test_boots_are_kept_apart_and_the_last_few_remembered(order: list[str]):
    """A reading of one boot says nothing about another, and only the newest boots stay."""
    boots = Boots()
    for step, boot in enumerate(order):
        boots = boots.heard(boot, 0, BOOTED + step)
    recent = list(dict.fromkeys(reversed(order)))
    for boot in recent[:8]:
        assert boots.at(boot, 5) == BOOTED + order.index(boot) + 5 or order.count(boot) > 1
    for boot in recent[8:]:
        assert boots.at(boot, 5) is None
    assert boots_from(boots_as_json(boots)) == boots


def test_two_hours_of_readings_are_enough():
    """Crystals drift, so a fast heartbeat of yesterday is forgotten."""
    boots = Boots().heard("boot", 0, BOOTED)
    for minute in range(1, 200):
        boots = boots.heard("boot", minute * 60_000, BOOTED + minute * 60_000 + 700)
    assert boots.at("boot", 0) == BOOTED + 700
    assert len(boots.readings["boot"]) == 24


def test_nothing_is_known_without_a_boot():
    """An older agent tells no boot, and its wall clock is all there is."""
    assert Boots().heard("", 5, BOOTED).off("", 5, BOOTED) is None
    assert correction(None, is_synchronised=False) == 0


@given(st.integers(-100_000, 100_000))
def test_a_good_clock_is_left_alone(off: int):
    """Within the tolerance nothing is changed, beyond it all is; synchronised clocks are given more of it."""
    assert correction(off, is_synchronised=False) == (0 if abs(off) <= 2_000 else off)
    assert correction(off, is_synchronised=True) == (0 if abs(off) <= 30_000 else off)
