"""Does every part of the agent still move? The decision behind the watchdog of systemd.

A thread that hangs is alive, and a process whose threads hang is running: only what a part did lately tells
that it works. A camera that is away is no hang: whoever retries, or waits for the next attempt, moves.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from common.events import CameraState


@dataclass(frozen=True, slots=True)
class Pulse:
    """When a part's loop last went round, and how long one round may take at worst."""

    name: str
    moved_s: float  # monotonic
    most_s: float

    def is_still(self, now_s: float) -> bool:
        return now_s - self.moved_s > self.most_s


def hanging(pulses: Iterable[Pulse], now_s: float) -> list[str]:
    """Return the names of the parts that have not moved for longer than their longest round."""
    return [each.name for each in pulses if each.is_still(now_s)]


def status_words(link: str, cameras: Sequence[CameraState], waiting: int, stuck: Sequence[str] = ()) -> str:
    """Return the agent's state in one line, for `systemctl status`."""
    if stuck:
        return f"{' and '.join(stuck)} hangs; to be started again"
    seeing = sum(each is CameraState.ONLINE for each in cameras)
    events = f"{waiting} event{'' if waiting == 1 else 's'} waiting" if waiting else "no event waiting"
    return f"link {link}; {seeing} of {len(cameras)} cameras see; {events}"
