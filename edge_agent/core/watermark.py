"""Up to when the agent has reported all that it saw, whatever was done to its wall clock meanwhile."""

from collections.abc import Iterable
from dataclasses import dataclass

from common.events import Clock


@dataclass(frozen=True, slots=True)
class Instant:
    """When an event was, by the clocks of its time: the wall clock may have been set since."""

    ts: int  # ms UTC
    mono: int  # ms since that boot
    boot_id: str
    clock: Clock

    def by_now(self, now: int, mono: int, boot: str) -> int:
        """Return it by the wall clock as it stands now; 0 when nobody can tell.

        now, mono, boot: what the machine's clocks say.
        """
        if self.boot_id == boot:
            return now - (mono - self.mono)
        return self.ts if self.clock is Clock.NTP and self.ts <= now else 0


def reported_to(now: int, oldest: int | None, in_hand: Iterable[int]) -> int:
    """Return the agent's watermark, ms UTC: no event at or before it is still to come.

    oldest: the earliest timestamp in the spool. in_hand: those of frames being looked at, of events not yet
    stored, and of what else is to come.
    """
    pending = [*in_hand, *([] if oldest is None else [oldest])]
    return min([now, *(ts - 1 for ts in pending)])
