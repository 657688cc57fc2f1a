"""The soak's faults and its judgement: made from a seed, and the same however the run itself went."""

import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.bench.outages import (
    HOUR_S,
    ILL_S,
    LEAST_WELL_WALL_S,
    WELL_S,
    Change,
    Fault,
    Pace,
    Recovery,
    change,
    episodes,
    missed_bars,
    percentile_s,
    worst_s,
)
from edge_agent.bench.rtsp_camera import Faults, damaged
from edge_agent.core.retry import RETRY

seeds = st.integers(0, 2**32)
speeds = st.floats(1, 200)
moments = st.floats(0, 100)


@given(seeds, st.integers(0, 9), st.floats(0.1, 48), speeds)
def test_faults_never_overlap_and_leave_time_to_recover(seed, camera, hours, speed):
    """A camera is in order between two faults, and at the end, for two minutes and some real seconds."""
    well_s = max(WELL_S[0], LEAST_WELL_WALL_S * speed)
    at_s = 0.0
    for each in episodes(seed, camera, hours, Pace(speed)):
        assert each.start_s - at_s >= well_s * 0.999
        at_s = each.end_s
        assert at_s >= each.start_s
    assert not at_s or hours * HOUR_S - at_s >= well_s * 0.999


@given(seeds)
def test_every_kind_of_fault_comes_about_equally_often(seed):
    """In a day no kind comes twice more often than another, and each lasts as long as it should."""
    plan = episodes(seed, 0, 24, Pace(30))
    times = Counter(each.fault for each in plan)
    assert max(times.values()) - min(times[fault] for fault in Fault) <= 1
    for each in plan:
        lasted = each.end_s - each.start_s
        assert lasted == 0 if each.fault is Fault.RESIZED else ILL_S[0] * 0.999 <= lasted <= ILL_S[1] * 1.001


@given(seeds)
def test_a_seed_says_all_and_no_two_cameras_fail_together(seed):
    """The same seed gives the same day; the next camera's day is another one."""
    first = episodes(seed, 0, 24, Pace(30))
    assert first == episodes(seed, 0, 24, Pace(30))
    assert first != episodes(seed, 1, 24, Pace(30))


@given(st.lists(st.tuples(moments, moments).map(sorted), max_size=6).map(sorted), moments, moments, speeds)
def test_simulated_time_is_at_least_that_of_attempts_and_at_most_that_of_waits(visits, back, lasted, speed):
    """However connections overlap, a second of a recovery counts between four times and `speed` times."""
    pace = Pace(speed)
    simulated = pace.simulated_s(back, back + lasted, [(began, ended) for began, ended in visits])
    assert lasted * pace.attempt_speed * 0.999 - 1e-6 <= simulated <= lasted * speed * 1.001 + 1e-6


def test_a_recovery_is_the_wait_at_full_speed_and_the_attempts_at_theirs():
    """Ten seconds of which three were attempts, one of them begun before: 7 × 30 + 3 × 4."""
    visits = [(80.0, 101.0), (100.5, 100.8), (108.0, 120.0)]
    assert Pace(30).simulated_s(100.0, 110.0, visits) == pytest.approx(7 * 30 + 3 * 4)


@given(speeds)
def test_waits_are_sped_up_and_attempts_only_as_far_as_they_can_be(speed):
    """A wait of a minute takes a minute of simulated time; an attempt passes four times as fast at most."""
    pace = Pace(speed)
    assert pace.retry(RETRY).most_s * speed == pytest.approx(RETRY.most_s)
    assert 1 <= pace.attempt_speed <= min(speed, 4)


@given(st.lists(st.floats(0, 65), min_size=1), st.floats(0.95, 1))
def test_a_run_that_meets_every_bar_misses_none(took, kept):
    """Recoveries within the bar, no failure, flat memory, a control camera that kept its samples."""
    recoveries = [Recovery(Fault.GONE, each, True) for each in took]
    assert missed_bars(recoveries, [], [], kept) == []
    assert percentile_s(recoveries, 0.95) <= worst_s(recoveries) == max(took)


GOOD = [Recovery(Fault.GONE, 10.0, True)]


@pytest.mark.parametrize(
    ("recoveries", "failures", "changes", "kept", "words"),
    [
        ([*GOOD, Recovery(Fault.MUTE, 65.1, True)], [], [], 1.0, "1 recoveries took longer than 65 s"),
        ([*GOOD, Recovery(Fault.MUTE, None, True)], [], [], 1.0, "gave no picture"),
        (GOOD, ["it broke", "again"], [], 1.0, "2 failures inside the agent, the first: it broke"),
        (GOOD, [], [Change("memory", 200.0, 211.0, 210.0)], 1.0, "memory grew from 200.0 to 211.0"),
        (GOOD, [], [], 0.94, "kept 94.0% of its samples"),
        ([], [], [], 1.0, "no camera ever failed"),
    ],
)
def test_each_bar_that_is_missed_is_told(recoveries, failures, changes, kept, words):
    """One bar missed gives one sentence, about that bar."""
    (told,) = missed_bars(recoveries, failures, changes, kept)
    assert words in told


@given(st.floats(1, 1000), st.floats(-0.5, 0.5))
def test_growth_is_from_the_second_hour_to_the_last(early, growth):
    """What is held in between, a peak or the warm-up, does not count."""
    late = early * (1 + growth)
    figures = [
        (0.0, 5 * early),
        *((HOUR_S * 1.5, early),) * 3,
        (HOUR_S * 2.5, 9 * late),
        (HOUR_S * 3.5, late),
    ]
    found = change("memory", figures, 4.0, share=0.05, more=1)
    assert found == Change("memory", early, late, early * 1.05 + 1)


def test_a_short_run_tells_nothing_of_leaks():
    """Below three simulated hours there is no second hour apart from the last."""
    assert change("memory", [(HOUR_S * 1.5, 1.0)], 2.0, more=1.0) is None


PACKETS = [b"$\0\0\x20" + bytes(12) + bytes([number]) * 16 for number in range(200)]


@given(seeds, st.floats(0, 1), st.floats(0, 1))
def test_damage_loses_and_alters_packets_and_leaves_headers_alone(seed, lost, flipped):
    """What arrives is in order, as long as it was, and differs from what was sent in its payload only."""
    arrived = damaged(PACKETS, Faults(lost_share=lost, flipped_share=flipped), random.Random(seed))
    assert len(arrived) <= len(PACKETS) and (lost > 0 or len(arrived) == len(PACKETS))
    assert {(each[:16], len(each)) for each in arrived} <= {(PACKETS[0][:16], len(PACKETS[0]))}
    assert flipped > 0 or all(each in PACKETS for each in arrived)


def test_damage_of_every_packet_and_of_none():
    """At a share of one all are lost, or nearly all altered; at a share of none they arrive as they were."""
    chance = random.Random(1)
    assert damaged(PACKETS, Faults(lost_share=1.0), chance) == []
    assert damaged(PACKETS, Faults(), chance) == PACKETS
    altered = damaged(PACKETS, Faults(flipped_share=1.0), chance)
    assert sum(one != other for one, other in zip(PACKETS, altered, strict=True)) > 190
