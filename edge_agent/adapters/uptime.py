"""The machine's clocks: the one that people set, and the one that nobody can."""

import secrets
import time
from pathlib import Path

from edge_agent.core.lease import Reading

_PROCESS = secrets.token_hex(8)  # where a boot has no name, each process counts as one


def clocks() -> Reading:
    """Read both now."""
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return Reading(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), boot_id)
    except (OSError, AttributeError):  # not Linux
        return Reading(time.time(), time.monotonic(), _PROCESS)
