"""How long a camera is left alone, however its attempts went."""

from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.retry import RETRY

counts = st.integers(1, 100)
chances = st.floats(0, 1)


@given(counts, st.floats(0, 29.9), st.floats(0, 300), chances)
def test_attempts_that_fail_begin_at_most_a_minute_apart(failures, lasted, more, chance):
    """What an attempt took, its time-outs too, is part of the wait; it only never becomes nothing."""
    tried = lasted + more
    wait = RETRY.wait_s(failures, lasted, tried, chance=chance)
    assert RETRY.first_s / 2 <= wait <= max(RETRY.first_s / 2, RETRY.most_s - tried)


@given(counts, st.floats(30, 1e6), st.floats(0, 10), chances)
def test_hours_of_pictures_do_not_count_as_waiting(failures, lasted, more, chance):
    """After a stable stream the wait is reckoned from its last picture."""
    wait = RETRY.wait_s(failures, lasted, lasted + more, chance=chance)
    assert abs(wait - RETRY.wait_s(failures, 0.0, more, chance=chance)) < 1e-6


@given(counts, st.floats(-1e6, 1e6))
def test_only_a_stable_stream_forgives(before, lasted):
    """Failures in a row are counted on until pictures came for thirty seconds without a break."""
    assert RETRY.failures(before, lasted) == (1 if lasted >= 30 else before + 1)


@given(st.integers(1, 60), chances)
def test_a_camera_is_asked_less_and_less_often(failures, chance):
    """With the same luck the next wait is never shorter."""
    assert RETRY.wait_s(failures + 1, 0, 0, chance=chance) >= RETRY.wait_s(failures, 0, 0, chance=chance)
