"""The box's own part of `hadir agent check`: disk, memory, heat, and how many cameras it bears."""

import os
import pwd
import stat
from collections.abc import Iterator, Mapping

from edge_agent.adapters import machine, vitals
from edge_agent.camera_words import capacity_words, others_words
from edge_agent.config import EdgeConfig
from edge_agent.core.capacity import CameraCost, capacity
from edge_agent.finding import Finding

LEAST_MEMORY_MB = 400
LEAST_DISK_MB = 300  # besides the spool at its fullest
HOT_C = 80.0
SERVICE_USER = "hadir"  # see deploy/edge/hadir-agent.service


def disk(config: EdgeConfig) -> Iterator[Finding]:
    """Yield whether the agent can keep its files, and nobody else can read them."""
    home = config.home
    try:
        about = home.stat()
    except OSError as error:
        words = "is not there yet; `hadir agent join` makes it"
        yield Finding(
            "disk",
            isinstance(error, FileNotFoundError),
            f"{home} {words if isinstance(error, FileNotFoundError) else error.strerror}",
        )
        return
    yield _space(config)
    if not os.access(home, os.W_OK | os.X_OK):
        yield Finding(
            "disk", False, f"{home} belongs to {_name(about.st_uid)}; {_name(os.geteuid())} may not write"
        )
        return
    if about.st_uid == 0 and _is_user(SERVICE_USER):
        yield Finding(
            "disk",
            False,
            f"{home} is root's, and the service runs as {SERVICE_USER}: chown -R {SERVICE_USER}: {home}",
        )
    if about.st_mode & 0o077:
        mode = stat.S_IMODE(about.st_mode)
        yield Finding("disk", False, f"others can look into {home} (mode {mode:04o}): chmod 700 {home}")
    if strangers := sorted(each.name for each in home.iterdir() if each.lstat().st_uid != about.st_uid):
        owner = _name(about.st_uid)
        yield Finding(
            "disk",
            False,
            f"{', '.join(strangers[:4])} in {home} cannot be written by {owner}: chown -R {owner}: {home}",
        )


def _space(config: EdgeConfig) -> Finding:
    free, most = machine.disk_free_mb(config.home) or 0, config.spool.max_mb
    words = f"{free / 1000:.1f} GB free; the spool may take {most / 1000:.1f} GB (spool: max_mb)"
    return Finding("disk", free >= most + LEAST_DISK_MB, words)


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def memory() -> Finding:
    read = vitals.memory()
    words = f"{read.free_mb} of {read.total_mb} MB are free"
    is_good = read.free_mb >= LEAST_MEMORY_MB
    return Finding("memory", is_good, words if is_good else f"{words}; the agent needs {LEAST_MEMORY_MB}")


def heat() -> Iterator[Finding]:
    """Yield how hot the box is, where it can tell, and whether that or its power supply slows it down."""
    degrees, slowed = machine.temperature_c(), vitals.throttling()
    if degrees is not None:
        words = f"{degrees:.0f} °C"
        is_good = degrees < HOT_C
        yield Finding(
            "temperature", is_good, words if is_good else f"{words}: it needs air, or a heat sink with a fan"
        )
    if slowed.now:
        yield Finding(
            "speed",
            False,
            f"slowed down now: {', '.join(slowed.now)}. Check the power supply and the cooling",
        )
    elif slowed.since_start:
        yield Finding("speed", True, f"was slowed down since the start: {', '.join(slowed.since_start)}")


def bears(costs: Mapping[str, CameraCost], *, use: vitals.Use, free_mb: float, is_running: bool) -> Finding:
    """Return how many more cameras; costs, by camera id, holds at least one."""
    found = capacity(
        list(costs.values()),
        processors=machine.processors(),
        idle=use.idle,
        free_mb=free_mb,
        is_running=is_running,
    )
    like = max(costs, key=lambda name: costs[name].usual)
    words = capacity_words(found, len(costs), like)
    words += others_words(machine.processors(), use.idle, use.busiest, is_running=is_running)
    if not all(each.is_seen for each in costs.values()):
        words += "; nobody came by, so the cost of faces is put together from its parts"
    numbers = {
        "more_usual": found.usual,
        "more_crowded": found.crowded,
        "taken": round(found.taken, 3),
        "free": round(found.free, 3),
        "idle": round(use.idle, 3),
        "limit": found.limit.value,
        "processors": machine.processors(),
    }
    return Finding("capacity", found.fits, words, numbers=numbers)
