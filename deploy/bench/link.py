"""`hadir bench link`: broker, worker and agents are killed at random; is every event in the database once?

Nothing is simulated: a mosquitto that saves nothing by itself (its default), the product's own worker, and
its own recorder, spool and link in the agents, all over loopback. Produced is what an agent committed in its
spool; what it had seen within the last tenth of a second before a kill -9 is lost with the process, as the
picture in the camera is.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from deploy.bench.company import Company, Spool, add_options, measured

PEOPLE = 300
DOWN_S = (0.2, 2.0)  # between a kill and the next start
GAP_S = (1.0, 5.0)  # between two kills
MOST_DRAIN_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the chaos came to."""

    seconds: float
    produced: int
    stored: int
    waiting: int  # still in a spool at the end
    lost: int
    doubled: int
    duplicates_ignored: int
    kills: dict[str, int]
    drain_s: float

    @property
    def is_good(self) -> bool:
        return self.produced > 0 and self.lost == self.waiting == self.doubled == 0


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    words = "kill broker, worker and agents at random: is every event in the database once?"
    parser = commands.add_parser("link", help=words, description=words)
    parser.add_argument("--seconds", type=float, default=300, help="how long (300)")
    parser.add_argument("--agents", type=int, default=2, help="how many agents (2)")
    parser.add_argument("--rate", type=float, default=80, help="events a second of each (80)")
    parser.add_argument("--seed", type=int, default=1, help="of the order of the kills (1)")
    add_options(parser)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Return 0 when nothing was lost or doubled."""

    return measured(
        given,
        PEOPLE,
        lambda company, say: chaos(company, given.seconds, given.agents, given.rate, Random(given.seed), say),
        _in_words,
    )


def chaos(
    company: Company, seconds: float, agents: int, rate: float, chance: Random, say: Callable[[str], None]
) -> Outcome:
    """Found the company, let its parts die for so long, wait for the end of the backlog, and count."""
    say("Starting a server, a broker and the agents")
    company.found()
    names = [f"box-{number}" for number in range(1, agents + 1)]
    homes = [company.join(name) for name in names]
    for name, home in zip(names, homes, strict=True):
        company.commands[name] = ("deploy.bench.agent_process", str(home), str(rate), str(PEOPLE))
        company.start(name)
    kills = _kill_at_random(company, ["broker", "worker", *names], seconds, chance, say)
    for home in homes:
        (home / "quiet").touch()
    spools = [Spool(home / "spool.db") for home in homes]
    drain_s = _drained_after(spools)
    for name in names:
        company.stop(name)
    return _count(company, spools, seconds, kills, drain_s)


def _kill_at_random(
    company: Company, victims: list[str], seconds: float, chance: Random, say: Callable[[str], None]
) -> dict[str, int]:
    kills = dict.fromkeys(victims, 0)
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, chance.uniform(*GAP_S)))
        if until - time.monotonic() < DOWN_S[1] + 0.5:
            continue
        victim = chance.choice(victims)
        company.kill(victim)
        kills[victim] += 1
        say(f"  {until - time.monotonic():5.0f} s to go: killed {victim} ({sum(kills.values())})")
        time.sleep(chance.uniform(*DOWN_S))
        company.start(victim)
    return kills


def _drained_after(spools: list[Spool]) -> float:
    """Return after how many seconds nothing waits in any spool; MOST_DRAIN_S + 1 when never."""
    began = time.monotonic()
    time.sleep(0.2)  # what was seen is committed within a tenth of a second
    while time.monotonic() - began < MOST_DRAIN_S:
        if not any(spool.depth for spool in spools):
            return round(time.monotonic() - began, 2)
        time.sleep(0.05)
    return MOST_DRAIN_S + 1


def _count(
    company: Company, spools: list[Spool], seconds: float, kills: dict[str, int], drain_s: float
) -> Outcome:
    produced = stored = rows = waiting = lost = 0
    for spool in spools:
        of_spool = (spool.epoch, spool.given_out)
        produced += spool.given_out
        question = "SELECT count(*), count(DISTINCT seq) FROM Event WHERE epoch = ? AND seq <= ?"
        ((all_rows, distinct),) = company.answer(question, *of_spool)
        rows, stored = rows + all_rows, stored + distinct
        waiting += spool.depth
        lost += _neither_here_nor_there(company, spool)
    ((repeats,),) = company.answer("SELECT total(repeats) FROM EventMark")
    return Outcome(
        seconds=seconds, produced=produced, stored=stored, waiting=waiting, lost=lost, doubled=rows - stored,
        duplicates_ignored=int(repeats), kills=kills, drain_s=drain_s,
    )  # fmt: skip


def _neither_here_nor_there(company: Company, spool: Spool) -> int:
    """Count what was committed in the spool, is not in it any more, and not in the database either."""
    stored = {seq for (seq,) in company.answer("SELECT seq FROM Event WHERE epoch = ?", spool.epoch)}
    return len(set(range(1, spool.given_out + 1)) - stored - spool.held())


def _in_words(outcome: Outcome) -> str:
    kills = ", ".join(f"{name} {count} times" for name, count in outcome.kills.items())
    return (
        f"Killed: {kills}.\n{outcome.produced} events were produced, {outcome.stored} are in the database: "
        f"{outcome.lost} lost, {outcome.waiting} still waiting, {outcome.doubled} doubled.\n"
        f"{outcome.duplicates_ignored} came again and were ignored. "
        f"The last arrived within {outcome.drain_s} s of the end."
    )
