"""How long to leave a camera alone that gave no picture."""

from dataclasses import dataclass

from common.backoff import delay_s


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Attempts begin ever further apart, so that a flapping camera is asked less and less often."""

    first_s: float = 1.0
    most_s: float = 60.0
    stable_s: float = 30.0  # unbroken frames for this long forgive earlier failures

    def failures(self, before: int, lasted_s: float) -> int:
        """Return how many attempts have failed in a row after one more, of which pictures came so long."""
        return 1 if lasted_s >= self.stable_s else before + 1

    def wait_s(self, failures: int, lasted_s: float, tried_s: float, *, chance: float) -> float:
        """Return seconds to wait before the next attempt; chance is uniform in 0..1.

        tried_s is how long ago the attempt began, of which pictures came for lasted_s. What it took,
        time-outs included, is part of the wait: a camera that is back just after an attempt began in vain
        would else be found later than most_s.
        """
        full = delay_s(failures, chance=chance, first_s=self.first_s, most_s=self.most_s)
        in_vain_s = tried_s - lasted_s if lasted_s >= self.stable_s else tried_s
        return max(full - in_vain_s, self.first_s / 2)


RETRY = RetryPolicy()
