"""What the machine says about itself: is its clock right, is it hot, is its disk full, which one is it."""

import contextlib
import ctypes
import hashlib
import os
import platform
import secrets
import shutil
import sys
import time
import uuid
from functools import cache
from pathlib import Path

from common.events import Clock

EARLIEST_SANE_S = 1_735_689_600  # 2025-01-01: a clock before that has lost its battery
MOST_HEAPS = 2
_M_ARENA_MAX = -8  # of glibc's mallopt
_TIME_ERROR = 5  # adjtimex: the clock is not synchronised
_TIMESYNCD = Path("/run/systemd/timesync/synchronized")


def processors() -> int:
    """Return how many processors this process may use: a container's own share, where the system tells."""
    try:
        return max(1, len(os.sched_getaffinity(0)))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def clock_now() -> Clock:
    """Tell how far the wall clock can be trusted."""
    if time.time() < EARLIEST_SANE_S:
        return Clock.BAD
    return Clock.NTP if _TIMESYNCD.exists() or _kernel_says_synchronised() else Clock.RTC


def _kernel_says_synchronised() -> bool:
    if sys.platform != "linux":
        return False
    request = ctypes.create_string_buffer(512)  # struct timex, all zero: ask, change nothing
    try:
        return ctypes.CDLL(None).adjtimex(request) not in (-1, _TIME_ERROR)
    except (OSError, AttributeError):
        return False


def temperature_c() -> float | None:
    """Return the hottest sensor's temperature, if there is one."""
    degrees = []
    for path in Path("/sys/class/thermal").glob("thermal_zone*/temp"):
        try:
            degrees.append(int(path.read_text()) / 1000)
        except (OSError, ValueError):
            continue
    return max(degrees, default=None)


def disk_free_mb(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free // 1_000_000
    except OSError:
        return None


def steady_s() -> float:
    """Return the clock that never jumps, in s; on Linux it counts from the boot, for every process alike.

    Python's own monotonic clock stands still while a machine sleeps: nothing was watched then.
    """
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def mono_ms() -> int:
    """Return the clock that never jumps, in ms."""
    return round(steady_s() * 1000)


def utc_ms_at(steady: float) -> int:
    """Return what the wall clock, as it stands now, would have said when steady_s() was that; ms UTC.

    An instant that was read off the wall clock is wrong once that clock has been set.
    """
    return time.time_ns() // 1_000_000 - round((steady_s() - steady) * 1000)


@cache
def boot_id() -> str:
    """Return what names this boot of the machine, and so what mono_ms counts from; 32 hex digits."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
    except OSError:
        return secrets.token_hex(16)  # of this process: its monotonic clock may be its own too


def rss_mb() -> int | None:
    """Return the memory that this process holds, in MB; None where the system does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def share_heaps() -> bool:
    """Let the threads to come share a few heaps of the C library; return whether it has any such setting.

    glibc gives nearly every thread a heap of its own, and none uses what another has free: with pictures of
    many sizes, decoded and looked at by several threads a camera, memory would creep up for hours.
    """
    try:
        return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, MOST_HEAPS))
    except (OSError, AttributeError):  # not glibc
        return False


def give_back() -> None:
    """Return the memory that the C library keeps of what was freed, after something large has ended."""
    with contextlib.suppress(OSError, AttributeError):  # not glibc
        ctypes.CDLL(None).malloc_trim(0)


def hardware_id(home: Path) -> str:
    """Return what tells an agent from others: its machine and its folder; 32 hex digits.

    Another machine with a copy of the disk has another one, and so has a second agent on this machine; the
    same folder has the same one again, however often it joins.
    """
    try:
        machine = Path("/etc/machine-id").read_text().strip()
    except OSError:
        machine = ""
    node = uuid.getnode()
    if node >> 40 & 1:  # made up, anew in each process, because no network card has an address
        node = 0
    seed = f"{machine}|{node:012x}|{platform.machine()}|{home.resolve()}"
    return hashlib.sha256(seed.encode()).hexdigest()[:32]
