"""`hadir bench drain`: an agent comes back after a week offline. How fast does it drain, and who is late?

A spool is filled with a week of events as the agent itself would have, then the agent is started and goes on
seeing people. Measured: events a second until the backlog is gone, how long what is seen meanwhile takes into
the database, memory at both ends, and that all is there once.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from common.events import EventKind, RecognitionEvent
from common.ids import CameraId, EmployeeId
from deploy.bench.agent_process import ROOMY
from deploy.bench.company import BenchError, Company, Spool, add_options, employee_id, measured
from edge_agent.adapters.identity_file import load_identity
from edge_agent.adapters.outbox import Outbox

PEOPLE = 300
WEEK_MS = 7 * 86_400_000
AT_ONCE = 2000
LIVE_RATE = 4.0  # events a second while draining
NAME = "box-1"
PATIENCE_S = 60.0  # without any progress


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the return from a week offline came to."""

    backlog: int
    drained_s: float
    events_per_s: float
    live_events: int
    live_p50_s: float
    live_worst_s: float
    lost: int
    doubled: int
    agent_mb: tuple[int, int]  # at the start of draining, and at most
    worker_mb: tuple[int, int]
    spool_mb: float

    @property
    def is_good(self) -> bool:
        return self.lost == 0 and self.doubled == 0


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    words = "an agent comes back after a week offline: how fast does it drain, and is live news late?"
    parser = commands.add_parser("drain", help=words, description=words)
    parser.add_argument("--events", type=int, default=1_000_000, help="in the spool (1000000)")
    add_options(parser)
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Return 0 when nothing was lost or doubled."""

    return measured(given, PEOPLE, lambda company, say: come_back(company, given.events, say), _in_words)


def come_back(company: Company, events: int, say: Callable[[str], None]) -> Outcome:
    """Fill a spool, start its agent, and watch until the backlog is gone."""
    company.found()
    home = company.join(NAME)
    spool_mb = fill(home, events, say)
    spool = Spool(home / "spool.db")
    company.commands[NAME] = ("deploy.bench.agent_process", str(home), str(LIVE_RATE), str(PEOPLE))
    company.start(NAME)
    drained_s, agent_mb, worker_mb = _watch(company, spool, events, say)
    (home / "quiet").touch()
    _wait_until_empty(spool)
    company.stop(NAME)
    return _count(company, spool, events, drained_s, agent_mb, worker_mb, spool_mb)


def fill(home: Path, events: int, say: Callable[[str], None]) -> float:
    """Spool a week's events that end a minute ago; return the size of the file, MB."""
    identity = load_identity(home / "identity.json")
    outbox, chance = Outbox(home / "spool.db", identity.agent_id, ROOMY), Random(7)
    end = time.time_ns() // 1_000_000 - 60_000
    for first in range(0, events, AT_ONCE):
        drafts = [
            _seen(n, end - WEEK_MS + n * WEEK_MS // events, chance) for n in range(first, first + AT_ONCE)
        ]
        outbox.append(drafts[: events - first], now=end)
        if first % 100_000 < AT_ONCE:
            say(f"  a week offline: {first} of {events} events")
    outbox.close()
    return (home / "spool.db").stat().st_size / 1e6


def _seen(number: int, ts: int, chance: Random) -> RecognitionEvent:
    return RecognitionEvent(
        event_id="", seq=0, camera_id=CameraId(f"{NAME}-cam"), track_id=f"old{number}",
        kind=EventKind.STILL if number % 3 else EventKind.SEEN, ts=ts, last_seen=ts,
        employee_id=EmployeeId(employee_id(chance.randrange(PEOPLE))), sim_score=0.5123, threshold=0.42,
        margin=0.21, mono=ts % WEEK_MS, boot_id="0" * 32, frames=12, quality=0.81,
        model_id="buffalo_m:0123456789ab", gallery_gen=17, extra={"first_seen": ts - 3000, "zone": "Counter"},
    )  # fmt: skip


def _watch(
    company: Company, spool: Spool, events: int, say: Callable[[str], None]
) -> tuple[float, tuple[int, int], tuple[int, int]]:
    """Return when the backlog was gone, and the memory of agent and worker, at first and at most."""
    began = moved_at = told_at = time.monotonic()
    mark, agent, worker = 0, [], []
    while mark < events:
        time.sleep(0.5)
        rows = company.answer("SELECT seq FROM EventMark WHERE epoch = ?", spool.epoch)
        before, mark = mark, rows[0][0] if rows else 0
        now = time.monotonic()
        moved_at = now if mark > before else moved_at
        if mark and not before:
            began = now - 0.5
        if mark:
            agent.append(company.memory_mb(NAME))
            worker.append(company.memory_mb("worker"))
        if now - moved_at > PATIENCE_S or company.has_ended():
            raise BenchError(f"draining stopped at {mark} of {events}; see the logs in {company.home}")
        if now - told_at > 10:
            told_at = now
            say(f"  {mark} of {events} drained, {mark / (now - began):.0f} a second")
    return now - began, (round(agent[0]), round(max(agent))), (round(worker[0]), round(max(worker)))


def _wait_until_empty(spool: Spool) -> None:
    until = time.monotonic() + PATIENCE_S
    while spool.depth and time.monotonic() < until:
        time.sleep(0.1)


def _count(
    company: Company,
    spool: Spool,
    events: int,
    drained_s: float,
    agent_mb: tuple[int, int],
    worker_mb: tuple[int, int],
    spool_mb: float,
) -> Outcome:
    question = "SELECT count(*), count(DISTINCT seq) FROM Event WHERE epoch = ? AND seq <= ?"
    ((rows, distinct),) = company.answer(question, spool.epoch, spool.given_out)
    late = company.answer(
        "SELECT (julianday(received_at) - julianday(ts)) * 86400 FROM Event WHERE epoch = ? AND seq > ?",
        spool.epoch,
        events,
    )
    waits = sorted(each for (each,) in late) or [0.0]
    return Outcome(
        backlog=events, drained_s=round(drained_s, 1), events_per_s=round(events / drained_s),
        live_events=len(late), live_p50_s=round(waits[len(waits) // 2], 2), live_worst_s=round(waits[-1], 2),
        lost=spool.given_out - distinct, doubled=rows - distinct,
        agent_mb=agent_mb, worker_mb=worker_mb,
        spool_mb=round(spool_mb),
    )  # fmt: skip


def _in_words(outcome: Outcome) -> str:
    return (
        f"{outcome.backlog} events ({outcome.spool_mb} MB) drained in {outcome.drained_s} s: "
        f"{outcome.events_per_s} a second; {outcome.lost} lost, {outcome.doubled} doubled.\n"
        f"{outcome.live_events} live events meanwhile: half within {outcome.live_p50_s} s, "
        f"all within {outcome.live_worst_s} s.\n"
        f"Memory: agent {outcome.agent_mb[0]} to {outcome.agent_mb[1]} MB, "
        f"worker {outcome.worker_mb[0]} to {outcome.worker_mb[1]} MB."
    )
