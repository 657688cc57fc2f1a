"""How much of the machine is left, and whether its makers' protection slows it down."""

import contextlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from edge_agent.adapters.machine import processors

# Bits of `vcgencmd get_throttled` of a Raspberry Pi: now, and since it was switched on.
PI_NOW = {0: "too little voltage", 1: "clock held down", 2: "throttled", 3: "soft temperature limit"}
PI_SINCE = {16: "too little voltage", 18: "throttled", 19: "soft temperature limit"}
_PI_FILE = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")


@dataclass(frozen=True, slots=True)
class Memory:
    """In MB."""

    total_mb: int
    free_mb: int  # what programs may still take, caches included


@dataclass(frozen=True, slots=True)
class Throttling:
    now: tuple[str, ...] = ()
    since_start: tuple[str, ...] = ()


class CpuMeter:
    """How busy the processors were since the last reading; psutil's own notes are of each thread apart."""

    def __init__(self) -> None:
        self._last = psutil.cpu_times()

    def percent(self) -> float:
        """Return 0..100, since the last call, or since this was made."""
        last, now = self._last, psutil.cpu_times()
        self._last = now
        total = sum(now[:8]) - sum(last[:8])  # what guests take is in it already
        idle = now.idle + getattr(now, "iowait", 0.0) - last.idle - getattr(last, "iowait", 0.0)
        return 0.0 if total <= 0 else min(100.0, max(0.0, 100 * (1 - idle / total)))


def idle_processors(seconds: float) -> float:
    """Return how many processors' worth of time was idle over seconds, of those this process may use."""
    return processors() * (1 - psutil.cpu_percent(interval=seconds) / 100)


def memory() -> Memory:
    read = psutil.virtual_memory()
    return Memory(read.total // 1_000_000, read.available // 1_000_000)


def throttling() -> Throttling:
    """Return why a Raspberry Pi runs slower than it could; nothing on other machines."""
    bits = _pi_bits()
    return Throttling(
        tuple(words for bit, words in PI_NOW.items() if bits >> bit & 1),
        tuple(words for bit, words in PI_SINCE.items() if bits >> bit & 1),
    )


def _pi_bits() -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(_PI_FILE.read_text().strip(), 16)
    if (program := shutil.which("vcgencmd")) is None:
        return 0
    try:
        said = subprocess.run([program, "get_throttled"], capture_output=True, text=True, timeout=5)
        return int(said.stdout.partition("=")[2].strip() or "0", 16)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return 0
