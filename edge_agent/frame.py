"""One sample of a camera."""

from collections.abc import Callable
from dataclasses import dataclass

from edge_agent.picture import Picture


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    picture: Picture
    ts: int  # ms since the epoch, UTC
    mono: int  # ms on a clock that never jumps
    index: int
    closer: Callable[[], Picture | None] | None = None  # makes the same moment's picture of a sharper stream
