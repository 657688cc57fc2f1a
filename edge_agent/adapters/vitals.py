"""How much of the machine is left, and whether its makers' protection slows it down."""

import contextlib
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

from edge_agent.adapters.machine import processors

# Bits of `vcgencmd get_throttled` of a Raspberry Pi: now, and since it was switched on.
PI_NOW = {0: "too little voltage", 1: "clock held down", 2: "throttled", 3: "soft temperature limit"}
PI_SINCE = {16: "too little voltage", 18: "throttled", 19: "soft temperature limit"}
LEAST_WORTH = 0.05  # of a processor: less is not worth a name
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


@dataclass(frozen=True, slots=True)
class Use:
    """Of the processors over a while, in processors' worth."""

    idle: float  # of those this process may use
    busiest: tuple[tuple[str, float], ...] = ()  # programs by name, the busiest first


def use_over(seconds: float) -> Use:
    """Watch for so long how busy the processors are, and which programs keep them so."""
    before, began = _taken(), time.monotonic()
    idle = processors() * (1 - psutil.cpu_percent(interval=seconds) / 100)
    took: dict[str, float] = {}
    for key, (name, now_s) in _taken().items():
        if key in before and (worth := (now_s - before[key][1]) / (time.monotonic() - began)) >= LEAST_WORTH:
            took[name] = took.get(name, 0.0) + worth
    return Use(idle, tuple(sorted(took.items(), key=lambda each: -each[1])))


def _taken() -> dict[tuple[int, float], tuple[str, float]]:
    """Return each other program's name and processor time in s; the key outlives a number used again."""
    wanted = ["pid", "create_time", "name", "cpu_times"]
    found = [each.info for each in psutil.process_iter(wanted) if each.pid != os.getpid()]
    return {
        (each["pid"], each["create_time"]): (each["name"], each["cpu_times"].user + each["cpu_times"].system)
        for each in found
        if each["cpu_times"] is not None
    }


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
