"""When has the process's memory grown so much that it is better started again?

Some builds of the numerical libraries leak a little at every run (ARM's did, up to 45 GB). A restart costs
seconds, and the spool keeps every event; a machine without memory costs all cameras.
"""

from dataclasses import dataclass, replace

SETTLED_AFTER_S = 600.0  # by then every camera is connected and every shape of picture has been seen
MOST_TIMES = 2
MOST_GROWTH_MB = 1000


@dataclass(frozen=True, slots=True)
class MemoryWatch:
    """The process's memory, since it settled. Times are of a monotonic clock."""

    started_s: float
    settled_mb: int | None = None
    now_mb: int | None = None

    def read(self, now_s: float, rss_mb: int | None) -> "MemoryWatch":
        """Return the watch after one more reading; None, where the system does not tell, changes nothing."""
        if rss_mb is None:
            return self
        is_first = self.settled_mb is None and now_s - self.started_s >= SETTLED_AFTER_S
        return replace(self, settled_mb=rss_mb if is_first else self.settled_mb, now_mb=rss_mb)

    @property
    def has_leaked(self) -> bool:
        """Tell whether memory has more than doubled since it settled, and grown by more than 1 GB."""
        if self.settled_mb is None or self.now_mb is None:
            return False
        grown = self.now_mb - self.settled_mb
        return self.now_mb > MOST_TIMES * self.settled_mb and grown > MOST_GROWTH_MB

    @property
    def words(self) -> str:
        return f"memory grew from {self.settled_mb} MB ten minutes after the start to {self.now_mb} MB"
