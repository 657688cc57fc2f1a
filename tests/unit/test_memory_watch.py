"""A process whose memory only grows ends in time to be started again."""

import pytest

from edge_agent.adapters import machine
from edge_agent.core.memory import MemoryWatch


def watch(*readings: tuple[float, int | None]) -> MemoryWatch:
    """The watch of an agent that started at second 50, after readings of (seconds since, MB)."""
    state = MemoryWatch(50.0)
    for seconds, rss_mb in readings:
        state = state.read(50.0 + seconds, rss_mb)
    return state


@pytest.mark.parametrize(
    ("readings", "has_leaked"),
    [
        ([(1, 300), (599, 2000)], False),  # still starting: models load, cameras connect
        ([(1, 300), (600, 400), (9000, 1400)], False),  # more than twice, but no more than 1 GB
        ([(1, 300), (600, 400), (9000, 1401)], True),
        ([(600, 3000), (9000, 5900)], False),  # 2.9 GB more, but a big box: not twice
        ([(600, 3000), (9000, 6001)], True),
        ([(600, 400), (9000, 1500), (9001, 500)], False),  # given back
        ([(600, 400), (9000, None)], False),
        ([(1, None), (9000, None)], False),  # the system does not tell
    ],
)
def test_memory_has_leaked_when_it_doubled_and_grew_by_a_gigabyte(readings, has_leaked):
    """Both, and only since it settled ten minutes after the start."""
    assert watch(*readings).has_leaked is has_leaked


def test_the_words_give_both_figures():
    """Whoever reads the log sees how bad it was."""
    words = watch((600, 400), (9000, 1500)).words
    assert "400 MB" in words and "1500 MB" in words


def test_memory_that_is_held_is_seen():
    """A hundred megabytes more are a hundred megabytes more."""
    before = machine.rss_mb()
    if before is None:
        pytest.skip("this system does not tell")
    held = bytearray(b"x" * 100_000_000)
    grown = machine.rss_mb() - before
    assert 80 < grown < 200 and len(held) == 100_000_000
