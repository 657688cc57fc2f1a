"""A process whose memory only grows ends in time to be started again."""

import subprocess
import sys

import pytest

from edge_agent.adapters import machine
from edge_agent.core.memory import MemoryWatch
from tests.test_architecture import ROOT


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


HEAPS_OF_TWENTY_THREADS = """
import ctypes, threading
from edge_agent.adapters import machine
is_set = machine.share_heaps()
libc, all_there = ctypes.CDLL(None), threading.Barrier(20)
libc.malloc.restype = ctypes.c_void_p
def hold():
    libc.malloc(50_000)
    all_there.wait()
threads = [threading.Thread(target=hold) for _ in range(20)]
[each.start() for each in threads], [each.join() for each in threads]
libc.fdopen.restype = ctypes.c_void_p
if is_set:
    out = ctypes.c_void_p(libc.fdopen(1, b"w"))
    libc.malloc_info(0, out), libc.fflush(out)
"""


def test_threads_share_a_few_heaps():
    """Twenty threads that hold memory at once do so on two heaps, where the C library knows such a limit."""
    done = subprocess.run(
        [sys.executable, "-c", HEAPS_OF_TWENTY_THREADS], cwd=ROOT, capture_output=True, text=True, check=True
    )
    if not done.stdout:
        pytest.skip("this C library knows no such limit")
    assert 1 <= done.stdout.count("<heap nr=") <= machine.MOST_HEAPS
