"""What goes wrong with the cameras of the soak and when, and what may be said of how it ended. All pure."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from statistics import median

from edge_agent.core.retry import RetryPolicy

HOUR_S = 3600.0
WELL_S, ILL_S = (120.0, 3600.0), (60.0, 1800.0)  # least and most that a camera is in order, and is not
LEAST_WELL_WALL_S = 4.0  # a recovery is over before the next fault, however fast the time is
LEAST_ILL_WALL_S = 1.5  # long enough to be noticed
MOST_ATTEMPT_SPEED = 4.0
WORST_RECOVERY_S, MOST_GROWTH, LEAST_KEPT = 65.0, 0.05, 0.95
MOST_MORE = 4  # threads and files: an attempt more or less at the moment of counting is no leak
SHORT_H = 3.0  # a shorter run does not tell of a leak


class Fault(StrEnum):
    GONE = "gone"  # no power: its port refuses
    STALLED = "stalled"  # connected, but no picture comes
    MUTE = "mute"  # takes connections and answers nothing
    FLAPPING = "flapping"  # hangs up after a few pictures, again and again
    CORRUPT = "corrupt"  # packets are lost, or altered
    RESIZED = "resized"  # pictures of another size from the next key frame on
    PASSWORD = "password"  # refuses the password, after a new start


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A fault from start_s to end_s of simulated time. The camera is in order before and after."""

    fault: Fault
    start_s: float
    end_s: float  # the same as start_s for another size: the camera gives pictures all along
    seed: int  # of what the fault draws by chance


@dataclass(frozen=True, slots=True)
class Pace:
    """How much faster than real time a soak is.

    Episodes, and the waits between attempts, are `speed` times as short. An attempt to open or read a stream
    cannot be sped up like that, even on this machine: its time-outs are only `attempt_speed` times as short,
    and so each of its seconds counts as so many. Pictures come, and are looked at, in real time.
    """

    speed: float

    @property
    def attempt_speed(self) -> float:
        return min(self.speed, MOST_ATTEMPT_SPEED)

    def retry(self, real: RetryPolicy) -> RetryPolicy:
        """Return the waits between attempts, sped up."""
        return RetryPolicy(
            first_s=real.first_s / self.speed,
            most_s=real.most_s / self.speed,
            stable_s=real.stable_s / self.speed,
        )

    def simulated_s(self, back_s: float, seen_s: float, visits: Sequence[tuple[float, float]]) -> float:
        """Return the simulated seconds from back_s to seen_s, given when the agent was connected.

        visits are the beginnings and ends of connections, in order of their beginning: attempts.
        """
        attempting, until = 0.0, back_s
        for began, ended in visits:
            began, ended = max(began, until), min(ended, seen_s)
            attempting += max(0.0, ended - began)
            until = max(until, ended)
        waiting = max(0.0, seen_s - back_s - attempting)
        return waiting * self.speed + attempting * self.attempt_speed


def episodes(seed: int, camera: int, hours: float, pace: Pace) -> list[Episode]:
    """Return what goes wrong with a camera, in order; every kind comes about equally often.

    Two cameras, or two seeds, have nothing in common. The last episode is over in time to recover from it.
    """
    chance = random.Random(f"{seed}/{camera}")
    found: list[Episode] = []
    at_s = 0.0
    for fault in _deck(chance):
        start_s = at_s + _drawn(chance, WELL_S, LEAST_WELL_WALL_S * pace.speed)
        lasts_s = 0.0 if fault is Fault.RESIZED else _drawn(chance, ILL_S, LEAST_ILL_WALL_S * pace.speed)
        at_s = start_s + lasts_s
        if at_s + max(WELL_S[0], LEAST_WELL_WALL_S * pace.speed) > hours * HOUR_S:
            return found
        found.append(Episode(fault=fault, start_s=start_s, end_s=at_s, seed=chance.getrandbits(32)))
    raise AssertionError("the deck has no end")


def _deck(chance: random.Random) -> Iterator[Fault]:
    """Yield faults without end: all of them, shuffled, again and again."""
    for _ in count():
        yield from chance.sample(list(Fault), len(Fault))


def _drawn(chance: random.Random, span: tuple[float, float], least_s: float) -> float:
    """Return a length: short ones are as likely as long ones, by their order of magnitude."""
    low, high = max(span[0], least_s), max(span[1], 2 * least_s)
    return low * (high / low) ** chance.random()


@dataclass(frozen=True, slots=True)
class Recovery:
    fault: Fault
    took_s: float | None  # simulated, from the camera's being back to its first picture; None: it did not
    was_dark: bool  # no picture was taken for a while when the camera came back


@dataclass(frozen=True, slots=True)
class Vitals:
    """The process at one time."""

    at_s: float  # simulated
    rss_mb: float
    threads: int
    files: int  # open


@dataclass(frozen=True, slots=True)
class Change:
    """Something that the process holds, in the hour after the warm-up and in the last one: medians."""

    name: str
    early: float
    late: float
    most: float  # that `late` may be

    @property
    def growth(self) -> float:
        return self.late / self.early - 1


def change(
    name: str, figures: Sequence[tuple[float, float]], hours: float, *, share: float = 0.0, more: float = 0.0
) -> Change | None:
    """Return how a figure changed from the second simulated hour to the last; figures are (second, value).

    It may grow by that share of itself, and by so much more. None when the run was too short to tell.
    """
    early = [value for at_s, value in figures if HOUR_S <= at_s < 2 * HOUR_S]
    late = [value for at_s, value in figures if at_s >= (hours - 1) * HOUR_S]
    if hours < SHORT_H or not early or not late:
        return None
    before = median(early)
    return Change(name, before, median(late), before * (1 + share) + more)


def changes(samples: Sequence[Vitals], hours: float) -> list[Change]:
    """Return how memory, threads and open files changed; nothing when the run was too short to tell."""
    memory = [(each.at_s, each.rss_mb) for each in samples]
    threads = [(each.at_s, float(each.threads)) for each in samples]
    files = [(each.at_s, float(each.files)) for each in samples]
    found = (
        change("memory, MB", memory, hours, share=MOST_GROWTH),
        change("threads", threads, hours, more=MOST_MORE),
        change("open files", files, hours, more=MOST_MORE),
    )
    return [each for each in found if each is not None]


def worst_s(recoveries: Sequence[Recovery]) -> float | None:
    return max((each.took_s for each in recoveries if each.took_s is not None), default=None)


def percentile_s(recoveries: Sequence[Recovery], share: float) -> float | None:
    """Return what so large a share of the recoveries did not exceed."""
    took = sorted(each.took_s for each in recoveries if each.took_s is not None)
    return took[min(len(took) - 1, int(share * len(took)))] if took else None


def missed_bars(
    recoveries: Sequence[Recovery], failures: Sequence[str], changed: Sequence[Change], kept: float
) -> list[str]:
    """Return a sentence for each bar that was missed; kept is the control camera's share of samples."""
    missed = []
    if failures:
        missed.append(f"{len(failures)} failures inside the agent, the first: {failures[0]}")
    if not recoveries:
        missed.append("no camera ever failed: the run was too short")
    never = sum(each.took_s is None for each in recoveries)
    if never:
        missed.append(f"{never} cameras that were back gave no picture before their next fault")
    late = [each for each in recoveries if each.took_s is not None and each.took_s > WORST_RECOVERY_S]
    if late:
        missed.append(f"{len(late)} recoveries took longer than {WORST_RECOVERY_S:g} s")
    leaks = [each for each in changed if each.late > each.most]
    missed += [f"{each.name} grew from {each.early:.1f} to {each.late:.1f}" for each in leaks]
    if kept < LEAST_KEPT:
        missed.append(f"the camera without faults kept {kept:.1%} of its samples, less than {LEAST_KEPT:.0%}")
    return missed
