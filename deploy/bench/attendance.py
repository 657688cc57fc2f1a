"""`hadir bench attendance`: a day of a big company is recomputed, and its presence evaluated. How fast?

Made first, and not timed: 10,000 employees at three sites in three time zones, 200 cameras, 2,000,000 events
of one business date, in a SQLite file. Then the product's own code runs on it: the command `hadir server
recompute`, twice, while somebody else writes; single person-days, as each live event has them recomputed; and
the presence clock over some minutes of a morning.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

from sqlalchemy import Engine, func, select, update

from central_server.db.engine import open_engine
from central_server.db.models import Attendance, Site
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.recompute_attendance import cast_of, recompute_days
from deploy.bench.company import ROOT, BenchError
from deploy.bench.morning import Morning
from deploy.bench.workforce import RULES, Workforce

DAYS_AGO = 3  # at least: by now everything about the day is closed
MOST_RECOMPUTE_S, MOST_TICK_MS, MOST_PERSON_DAY_MS = 60.0, 150.0, 5.0  # the bars
OTHERS_WRITE_EVERY_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Milliseconds."""

    median: float
    p95: float
    most: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        each = sorted(seconds) or [0.0]
        at = [each[min(len(each) - 1, int(share * len(each)))] for share in (0.5, 0.95, 1.0)]
        return cls(**dict(zip(("median", "p95", "most"), (round(1000 * one, 2) for one in at), strict=True)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What the figures are. tick_ms and person_day_ms are medians; their spread is beside them."""

    employees: int
    events: int
    cameras: int
    recompute_s: float  # the whole command, when every row has to be written
    recompute_again_s: float  # and when nothing changes
    rows: int
    rows_changed_again: int
    peak_mb: int  # of the command
    others_waited_ms: float  # the longest that somebody else's write took meanwhile
    person_day_ms: float
    person_day: Spread
    tick_ms: float  # of the largest site
    tick: Spread
    all_sites: Spread  # one tick of every site together

    @property
    def is_good(self) -> bool:
        return (
            self.rows_changed_again == 0
            and self.recompute_s < MOST_RECOMPUTE_S
            and self.tick_ms < MOST_TICK_MS
            and self.person_day_ms < MOST_PERSON_DAY_MS
        )


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    words = "recompute a day of a big company, and evaluate its presence: how fast?"
    parser = commands.add_parser("attendance", help=words, description=words)
    parser.add_argument("--employees", type=int, default=10_000, help="how many (10000)")
    parser.add_argument("--events", type=int, default=2_000_000, help="of the day (2000000)")
    parser.add_argument("--cameras", type=int, default=200, help="at three sites (200)")
    parser.add_argument("--ticks", type=int, default=30, help="of the presence clock, 5 s each (30)")
    parser.add_argument("--seed", type=int, default=1, help="of everything that chance decides (1)")
    parser.add_argument("--json", action="store_true", help="only one JSON line, last on standard output")
    parser.set_defaults(run=run)


def run(given: argparse.Namespace) -> int:
    """Return 0 when every figure is within its bar, and the second recompute changed nothing."""

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    if min(given.employees, given.events, given.ticks) < 1 or given.cameras < 3:
        say("--employees, --events and --ticks must be at least 1, and --cameras at least 3.")
        return 2
    try:
        with tempfile.TemporaryDirectory(prefix="hadir-bench-") as scratch:
            outcome = measure(given, Path(scratch), say)
    except BenchError as error:
        say(str(error))
        return 1
    if not given.json:
        say(_in_words(outcome))
    print(json.dumps(asdict(outcome)))
    return 0 if outcome.is_good else 1


def measure(given: argparse.Namespace, home: Path, say: Callable[[str], None]) -> Outcome:
    """Make the company below home, and measure."""
    force = Workforce(home, _a_working_day(), given.employees, given.events, given.cameras, given.seed)
    say(f"Making {given.employees} employees and {given.events} events in {home}")
    events = force.make()
    engine = open_engine(force.url)
    try:
        say("Recomputing the day, twice")
        first_s, waited_s = _recompute(force, engine)
        rows = _rows(engine)
        if not rows:
            raise BenchError("the recompute wrote no rows")
        began = datetime.now(UTC)
        again_s, _ = _recompute(force, engine)
        changed = _rows(engine, since=began)
        peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
        say("Recomputing single person-days")
        single = Spread.of(_single_days(force, engine, min(300, given.employees), Random(given.seed)))
        say(f"Evaluating presence, {given.ticks} times")
        largest, together = Morning(force, engine, Random(given.seed)).ticks(given.ticks)
    finally:
        engine.dispose()
    return Outcome(
        employees=given.employees, events=events, cameras=given.cameras,
        recompute_s=round(first_s, 2), recompute_again_s=round(again_s, 2), rows=rows,
        rows_changed_again=changed, peak_mb=peak_mb, others_waited_ms=round(1000 * waited_s, 1),
        person_day_ms=single.median, person_day=single,
        tick_ms=Spread.of(largest).median, tick=Spread.of(largest), all_sites=Spread.of(together),
    )  # fmt: skip


def _a_working_day() -> date:
    """Return the latest Tuesday or Wednesday that is over everywhere, and closed: no Friday is next."""
    day = datetime.now(UTC).date() - timedelta(days=DAYS_AGO)
    while day.weekday() not in (1, 2):
        day -= timedelta(days=1)
    return day


def _recompute(force: Workforce, engine: Engine) -> tuple[float, float]:
    """Run the command; return its seconds, and the longest that another writer needed meanwhile."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HADIR_", "DATABASE_"))}
    environment = kept | {
        "PYTHONPATH": str(ROOT), "HADIR_HOME": str(force.home), "DATABASE_URL": force.url,
        "HADIR_LOG_LEVEL": "WARNING",
    }  # fmt: skip
    command = ["recompute", "--from", str(force.day), "--to", str(force.day), "--yes"]
    other = _OtherWriter(engine)
    other.start()
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "central_server", *command],
        env=environment, cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    took_s = time.monotonic() - began
    other.done.set()
    other.join()
    if done.returncode:
        raise BenchError(f"hadir server recompute: {done.stderr.strip()[-400:]}")
    return took_s, other.longest_s


class _OtherWriter(threading.Thread):
    """Writes a little again and again, as live events do, and notes how long that takes."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(daemon=True)
        self.engine, self.done, self.longest_s = engine, threading.Event(), 0.0

    def run(self) -> None:
        while not self.done.wait(OTHERS_WRITE_EVERY_S):
            began = time.monotonic()
            with UnitOfWork(self.engine) as work:
                work.session.execute(update(Site).values(name=Site.name))
            self.longest_s = max(self.longest_s, time.monotonic() - began)


def _rows(engine: Engine, since: datetime | None = None) -> int:
    wanted = select(func.count()).select_from(Attendance)
    with UnitOfWork(engine, writes=False) as work:
        return work.session.scalar(wanted.where(Attendance.updated_at >= since) if since else wanted) or 0


def _single_days(force: Workforce, engine: Engine, count: int, chance: Random) -> list[float]:
    """Return the seconds of recomputing one day of one person: as an event does it, whose batch knows the
    person and the schedule already; with what is stored, but without the commit.
    """
    took: list[float] = []
    for employee_id in chance.sample(list(force.site_of), count):
        with UnitOfWork(engine) as work:
            cast = cast_of(work, {employee_id}, RULES)
            work.session.execute(  # something to write
                update(Attendance)
                .where(Attendance.employee_id == employee_id)
                .values(is_provisional=True, seconds=Attendance.seconds + 1)
            )
            began = time.perf_counter()
            recompute_days(work, [(employee_id, force.day)], RULES, now=datetime.now(UTC), cast=cast)
            work.session.flush()
            took.append(time.perf_counter() - began)
    return took


def _in_words(outcome: Outcome) -> str:
    return (
        f"{outcome.employees} employees, {outcome.cameras} cameras, {outcome.events} events in a day.\n"
        f"Recompute: {outcome.recompute_s} s for {outcome.rows} rows, {outcome.peak_mb} MB; again: "
        f"{outcome.recompute_again_s} s, {outcome.rows_changed_again} rows changed. "
        f"Others waited {outcome.others_waited_ms} ms at most to write.\n"
        f"One person-day: {outcome.person_day.median} ms, 95 of 100 within {outcome.person_day.p95} ms.\n"
        f"A tick of the largest site: {outcome.tick.median} ms, 95 of 100 within {outcome.tick.p95} ms, at "
        f"most {outcome.tick.most} ms; of all sites together: {outcome.all_sites.median} ms, at most "
        f"{outcome.all_sites.most} ms."
    )
