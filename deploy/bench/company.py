"""A whole company for benchmarks: database, broker, web, worker and agents, as processes one may kill."""

import argparse
import contextlib
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Protocol, TypeVar

ROOT = Path(__file__).parents[2]
SITE, TIMEZONE = "plant", "Asia/Jakarta"
READY_S = 40.0
MOSQUITTO_DEFAULT_AUTOSAVE_S = 1800  # nothing is saved before a crash: the hard case


class BenchError(Exception):
    """The benchmark cannot be run; says why."""


Say = Callable[[str], None]


class Outcome(Protocol):
    """What a benchmark came to: a dataclass."""

    @property
    def is_good(self) -> bool: ...


Came = TypeVar("Came", bound=Outcome)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="only one JSON line, last on standard output")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave database, spools and logs there")


def measured(
    given: argparse.Namespace,
    people: int,
    measure: Callable[["Company", Say], Came],
    words: Callable[[Came], str],
) -> int:
    """Run a benchmark in a company of its own, and print what it came to; return an exit status."""

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        with (
            tempfile.TemporaryDirectory(prefix="hadir-bench-") as scratch,
            Company(given.keep or Path(scratch), people=people) as company,
        ):
            outcome = measure(company, say)
    except BenchError as error:
        say(str(error))
        return 1
    if not given.json:
        say(words(outcome))
    print(json.dumps(asdict(outcome)))  # type: ignore[call-overload]
    return 0 if outcome.is_good else 1


@dataclass
class Company:
    """Everything below `home`, on loopback. Use as a context: at the end nothing of it runs any more."""

    home: Path
    people: int = 300
    web_port: int = field(default_factory=lambda: free_port())
    broker_port: int = field(default_factory=lambda: free_port())
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    commands: dict[str, Sequence[str]] = field(default_factory=dict)

    def __enter__(self) -> "Company":
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.running):
            self.stop(name)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.web_port}"

    @property
    def database(self) -> Path:
        return self.home / "server" / "hadir.db"

    def environment(self) -> Mapping[str, str]:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HADIR_", "WHATSAPP_", "SMTP_", "HRIS_")) and name != "DATABASE_URL"
        }
        return inherited | {
            "PYTHONPATH": str(ROOT),
            "HADIR_HOME": str(self.home / "server"),
            "HADIR_BASE_URL": self.url,
            "HADIR_WEB_PORT": str(self.web_port),
            "HADIR_COOKIE_SECURE": "no",
            "HADIR_TIMEZONE": TIMEZONE,
            "HADIR_BROKER_PORT": str(self.broker_port),
            "HADIR_BROKER_ACCOUNTS_DIR": str(self.home / "server" / "broker"),
            "HADIR_BROKER_AUTOSAVE_S": str(MOSQUITTO_DEFAULT_AUTOSAVE_S),
            "HADIR_LOG_LEVEL": "WARNING",
        }

    # -- setting up ------------------------------------------------------------------------------------------

    def found(self) -> None:
        """Make the database with a site and its people, and start broker, web and worker."""
        self.home.mkdir(parents=True, exist_ok=True)
        self.ask("migrate")
        self.ask("site", "add", SITE, "Plant One", "--timezone", TIMEZONE)
        _hire(self.database, self.people)
        for name in ("broker", "web", "worker"):
            self.commands[name] = ("central_server", name)
            self.start(name)
        self.wait_for(self.broker_port)
        self.wait_for(self.web_port)

    def ask(self, *arguments: str) -> str:
        """Run a command of the server's operator; return what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "central_server", *arguments],
            env=self.environment(), cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise BenchError(f"hadir server {arguments[0]}: {done.stderr.strip()[-400:]}")
        return done.stdout

    def join(self, name: str) -> Path:
        """Let an agent join with a code of its own; return its home."""
        home = self.home / name
        home.mkdir(parents=True, exist_ok=True)
        config = home / "agent.yaml"
        config.write_text(
            f"home: {home}\ncameras:\n  - camera_id: {name}-cam\n    url: rtsp://127.0.0.1:9/\n"
        )
        link = re.search(r"http://\S+", self.ask("join-code", "--site", SITE))
        if link is None:
            raise BenchError("the server made no join link")
        done = subprocess.run(
            [sys.executable, "-m", "edge_agent", "join", link[0], "--name", name, "--config", str(config)],
            env=self.environment(), cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode:
            raise BenchError(f"hadir agent join: {done.stderr.strip()[-400:]}")
        return home

    # -- life and death --------------------------------------------------------------------------------------

    def start(self, name: str) -> None:
        log = (self.home / f"{name}.log").open("ab")
        command = [sys.executable, "-m", *self.commands[name]]
        self.running[name] = subprocess.Popen(
            command, env=self.environment(), cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )

    def kill(self, name: str) -> None:
        """kill -9. Of the broker, the broker itself: what runs it ends then."""
        process = self.running[name]
        children = _children(process.pid) if name == "broker" else []
        for pid in children or [process.pid]:
            _signal(pid, signal.SIGKILL)
        if children:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
        process.wait()

    def stop(self, name: str) -> None:
        process = self.running.pop(name)
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def has_ended(self) -> list[str]:
        return [name for name, process in self.running.items() if process.poll() is not None]

    def wait_for(self, port: int) -> None:
        until = time.monotonic() + READY_S
        while time.monotonic() < until:
            if self.has_ended():
                raise BenchError(f"{' and '.join(self.has_ended())} ended; see the logs in {self.home}")
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.1)
        raise BenchError(f"nothing listens on port {port} after {READY_S:.0f} s")

    # -- what is where ---------------------------------------------------------------------------------------

    def answer(self, question: str, *given: object) -> list[tuple]:
        """Ask the server's database."""
        return _ask(self.database, question, *given)

    def memory_mb(self, name: str) -> float:
        """Return the resident memory of a process, MB; 0 where it cannot be told."""
        try:
            pages = int(Path(f"/proc/{self.running[name].pid}/statm").read_text().split()[1])
        except (OSError, ValueError):
            return 0.0
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass(frozen=True, slots=True)
class Spool:
    """The spool of an agent, looked at from outside."""

    path: Path

    @property
    def depth(self) -> int:
        return _ask(self.path, "SELECT count(*) FROM event")[0][0]

    def held(self) -> set[int]:
        return {seq for (seq,) in _ask(self.path, "SELECT seq FROM event")}

    @property
    def epoch(self) -> str:
        return _ask(self.path, "SELECT value FROM meta WHERE name = 'epoch'")[0][0]

    @property
    def given_out(self) -> int:
        """How many events were ever committed in it."""
        rows = _ask(self.path, "SELECT seq FROM sqlite_sequence WHERE name = 'event'")
        return rows[0][0] if rows else 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _ask(path: Path, question: str, *given: object) -> list[tuple]:
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
    try:
        return db.execute(question, given).fetchall()
    finally:
        db.close()


def _children(pid: int) -> list[int]:
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _signal(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _hire(database: Path, people: int) -> None:
    """Put enrolled employees in the database, so that every event has its consequences."""
    from central_server.db.engine import open_engine
    from central_server.db.models import Employee, FaceTemplate
    from central_server.db.unit_of_work import UnitOfWork

    engine, before = open_engine(f"sqlite:///{database}"), datetime.now(UTC) - timedelta(days=60)
    with UnitOfWork(engine) as work:
        for number in range(people):
            code = employee_id(number)
            work.session.add(
                Employee(employee_id=code, site_id=SITE, name=code, consent_at=before, created_at=before)
            )
        work.session.flush()
        for number in range(people):
            work.session.add(
                FaceTemplate(
                    employee_id=employee_id(number),
                    model_id="bench:0",
                    embedding=bytes(64),
                    dimension=16,
                    created_at=before,
                )
            )
    engine.dispose()


def employee_id(number: int) -> str:
    return f"EMP{number:04d}"
