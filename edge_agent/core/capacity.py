"""How many cameras does this box bear? An estimate from what one camera cost during a look through it.

The assumptions, all of them on the careful side where a guess is needed:

- A camera costs what it was measured to cost here, on this processor, at its own size of picture: decoding,
  and the real pipeline on its pictures, with faces in view (`busy`) and with nothing moving (`quiet`).
- While nothing moves, and the camera may rest, only key frames are decoded, one in two seconds.
- A usual camera has somebody before it for a quarter of the time. Both numbers are told: with people before
  all cameras at once, which never lags, and as usual, where a rush makes names come later.
- A fifth of the processors stays free, for the system, the link and the moments when all look at once.
- A camera's memory is that of twenty of its pictures as a decoder holds them, and 30 MB; 300 MB stay free.

It leaves out enrolment photos, liveness, the main stream beside a sub stream, and graphics chips.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

USABLE = 0.8  # of the processors
USUALLY_BUSY = 0.25  # of the time somebody is before a camera
KEYS_A_SECOND = 0.5
SPARE_MB, EACH_MB, PICTURES_HELD = 300, 30, 20
BYTES_A_PIXEL = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraCost:
    """What one camera costs this box; milliseconds of processor time."""

    width: int
    height: int
    fps: float  # pictures looked at a second
    decode_ms: float  # a picture that is looked at, those passed over for it included
    busy_ms: float  # the pipeline on one picture with faces
    quiet_ms: float  # on one in which nothing moved
    rests: bool
    is_seen: bool = True  # False: nobody came by, busy_ms is put together from its parts

    @property
    def busy(self) -> float:
        """Processors taken while somebody is in view."""
        return self.fps * (self.decode_ms + self.busy_ms) / 1000

    @property
    def quiet(self) -> float:
        """Processors taken while nothing moves."""
        decoded = min(self.fps, KEYS_A_SECOND) if self.rests else self.fps
        return (decoded * self.decode_ms + self.fps * self.quiet_ms) / 1000

    @property
    def usual(self) -> float:
        return USUALLY_BUSY * self.busy + (1 - USUALLY_BUSY) * self.quiet

    @property
    def memory_mb(self) -> float:
        return EACH_MB + PICTURES_HELD * self.width * self.height * BYTES_A_PIXEL / 1e6


class Limit(StrEnum):
    PROCESSOR = "processor"
    MEMORY = "memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How many more cameras like one of those that were looked through."""

    usual: int  # more cameras, somebody before each for a quarter of the time
    crowded: int  # more cameras, somebody before all of them at once
    taken: float  # processors for the cameras looked through, as usual
    free: float  # processors that are left for more
    limit: Limit  # of `usual`

    @property
    def fits(self) -> bool:
        """Tell whether the box bears the cameras that it has."""
        return self.free >= 0


def capacity(
    costs: Sequence[CameraCost],
    *,
    processors: int,
    idle: float,
    free_mb: float,
    is_running: bool,
) -> Capacity:
    """Return how many more cameras like the dearest of costs (one or more) the box bears.

    idle: processors' worth that nobody used before the look; is_running: the agent was at work meanwhile, so
    that its cameras are missing from idle and free_mb already.
    """
    like = max(costs, key=lambda each: each.usual)
    taken = sum(each.usual for each in costs)
    others = 0.0 if is_running else max(0.0, processors - idle)
    free = USABLE * processors - others - taken
    if is_running:
        free = min(free, USABLE * idle)
    crowded = free + taken - sum(each.busy for each in costs)
    own_mb = 0.0 if is_running else sum(each.memory_mb for each in costs)
    by_memory = max(0, int((free_mb - SPARE_MB - own_mb) / like.memory_mb))
    by_processor = max(0, int(free / max(like.usual, 1e-6)))
    return Capacity(
        usual=min(by_memory, by_processor),
        crowded=min(by_memory, max(0, int(crowded / max(like.busy, 1e-6)))),
        taken=taken,
        free=free,
        limit=Limit.MEMORY if by_memory < by_processor else Limit.PROCESSOR,
    )
