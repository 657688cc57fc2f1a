"""How far a long transfer is: one line that renews itself on a terminal, ten lines anywhere else."""

import time
from collections.abc import Callable
from typing import TextIO

EVERY_S = 0.1


def bar(done: int, total: int | None, width: int = 10) -> str:
    """Return a drawn bar and the megabytes, e.g. `[####......] 110.4 of 276.0 MB`."""
    if not total:
        return f"{done / 1e6:.1f} MB"
    full = min(width, width * done // total)
    return f"[{'#' * full}{'.' * (width - full)}] {done / 1e6:.1f} of {total / 1e6:.1f} MB"


class TenLines:
    """Says a line at each tenth, for logs."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say, self._told = say, -1

    def __call__(self, done: int, total: int | None) -> None:
        tenth = 10 * done // total if total else -1
        if tenth > self._told:
            self._told = tenth
            self._say(f"  {bar(done, total)}")

    def close(self) -> None:
        """Nothing to end."""


class OneLine:
    """Redraws one line on a terminal, with the speed and what is left of the time."""

    def __init__(self, stream: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream, self._clock = stream, clock
        self._first: tuple[float, int] | None = None
        self._drawn_at = float("-inf")

    def __call__(self, done: int, total: int | None) -> None:
        now = self._clock()
        self._first = self._first or (now, done)
        if now - self._drawn_at < EVERY_S and done != total:
            return
        self._drawn_at = now
        self._stream.write(f"\r\033[K  {bar(done, total, 24)}{self._pace(now, done, total)}")
        self._stream.flush()

    def _pace(self, now: float, done: int, total: int | None) -> str:
        began, at_first = self._first or (now, done)
        if now - began < 1 or done <= at_first:
            return ""
        per_s = (done - at_first) / (now - began)
        left_s = (total - done) / per_s if total else 0.0
        left = f", {_spoken(left_s)} left" if left_s >= 1 else ""
        return f", {per_s / 1e6:.1f} MB/s{left}"

    def close(self) -> None:
        """End the line, so that what follows stands below it."""
        if self._first is not None:
            self._stream.write("\n")
            self._stream.flush()


def _spoken(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} min"


def progress_on(stream: TextIO) -> OneLine | TenLines:
    """Return what suits the stream."""
    if stream.isatty():
        return OneLine(stream)
    return TenLines(lambda words: print(words, file=stream, flush=True))
