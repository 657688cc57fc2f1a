"""What an agent's clocks say in terms of the server's: how far off they are, and when an event really was.

A machine's monotonic clock counts evenly from its boot, whatever is done to the wall clock. Each heartbeat
tells it, and arrives a little later than it was said: of many, the fastest gives the best estimate of what
the server's clock was when the monotonic clock stood at zero. Nothing about the wall clock need be believed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from common.events import Clock

BUCKET_MS = 5 * 60_000  # of each such time the fastest heartbeat is kept
MOST_BUCKETS = 24  # two hours: the two crystals drift apart by less than a second in that time
MOST_BOOTS = 8
FIRST_MS = 1_767_225_600_000  # 2026-01-01: a clock that says an earlier day was never set
TRUSTED_OFF_MS = 30_000  # of a clock that says it is synchronised
TOLERATED_OFF_MS = 2_000  # of any other

Reading = tuple[int, int]  # server's clock at the heartbeat, and server's clock minus monotonic clock; ms


@dataclass(frozen=True, slots=True)
class Boots:
    """The readings of an agent's monotonic clock, by boot; the newest boot last."""

    readings: Mapping[str, tuple[Reading, ...]] = field(default_factory=dict)

    def heard(self, boot_id: str, mono: int, now: int) -> "Boots":
        """Return what is known after one more heartbeat. mono, now: ms by the agent's and server's clocks."""
        if not boot_id:
            return self
        known = self.readings.get(boot_id, ())
        reading = (now, now - mono)
        if known and now // BUCKET_MS == known[-1][0] // BUCKET_MS:
            reading = min(known[-1], reading, key=lambda each: each[1])
            known = known[:-1]
        rest = {boot: kept for boot, kept in self.readings.items() if boot != boot_id}
        newest = [*rest.items(), (boot_id, (*known, reading)[-MOST_BUCKETS:])]
        return Boots(dict(newest[-MOST_BOOTS:]))

    def heard_anew(self, boot_id: str, mono: int, now: int) -> "Boots":
        """Return what is known when all readings of a boot before this one have become wrong."""
        others = {boot: kept for boot, kept in self.readings.items() if boot != boot_id}
        return Boots(others).heard(boot_id, mono, now)

    def at(self, boot_id: str, mono: int) -> int | None:
        """Return the server's clock when the monotonic clock of a boot stood at mono, ms; None: not known."""
        known = self.readings.get(boot_id)
        return None if not known else mono + min(offset for _, offset in known)

    def off(self, boot_id: str, mono: int, ts: int) -> int | None:
        """Return by how much a wall clock that said ts was ahead of the server's, ms; None: not known."""
        true = self.at(boot_id, mono)
        return None if true is None else ts - true


def correction(off: int | None, *, is_synchronised: bool) -> int:
    """Return what is to be taken off an agent's instants, ms: nothing while its clock is good enough.

    A network delay never looks like much, so a clock that is right within the tolerance is left alone.
    """
    tolerated = TRUSTED_OFF_MS if is_synchronised else TOLERATED_OFF_MS
    return 0 if off is None or abs(off) <= tolerated else off


def dated(off: int | None, ts: int, clock: Clock) -> tuple[int, bool]:
    """Return what is to be taken off an event's instants, ms, and whether they then can be believed at all.

    off: by how much its clock was ahead, if that is known; ts, clock: as the agent told them.
    """
    taken = correction(off, is_synchronised=clock is Clock.NTP)
    return taken, ts - taken >= FIRST_MS and (clock is not Clock.BAD or off is not None)


def is_undated(clock: str, off_ms: int) -> bool:
    """Tell whether a recorded event has no time that could be believed: it is kept, and decides nothing."""
    return clock == Clock.BAD.value and not off_ms


def boots_from(kept: Mapping[str, list[list[int]]]) -> Boots:
    """Return what a JSON column holds."""
    return Boots({boot: tuple((at, off) for at, off in readings) for boot, readings in kept.items()})


def boots_as_json(boots: Boots) -> dict[str, list[list[int]]]:
    return {boot: [list(each) for each in readings] for boot, readings in boots.readings.items()}
