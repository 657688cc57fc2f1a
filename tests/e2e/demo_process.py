"""The demo as a user starts it, and a look at its processes and its database."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


def start(kept: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start `hadir demo` with its files below kept; its words go to kept/demo.err."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "HADIR_DEMO_HOME": str(kept)}
    kept.mkdir(parents=True, exist_ok=True)
    with (kept / "demo.err").open("ab") as words:
        return subprocess.Popen(
            [sys.executable, "-m", "deploy.demo", *arguments],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=words,
            text=True,
            start_new_session=True,
        )


def stop(process: subprocess.Popen[str], patience_s: float = 40) -> int:
    """Press Ctrl-C and wait until it is gone."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise


def eventually(question: Callable[[], Any], patience_s: float, what: str) -> Any:
    """Ask until the answer is true; fail, saying what was waited for, when it never is."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        if answer := question():
            return answer
        time.sleep(0.2)
    raise AssertionError(f"waited {patience_s:.0f} s in vain for {what}")


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the demo."""

    pid: int
    command: str


def parts(demo_pid: int) -> list[Part]:
    """Return the demo's processes, children's children included."""
    found: list[Part] = []
    for child in _children(demo_pid):
        try:
            command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
        except OSError:
            continue
        if command:
            found.append(Part(child, command))
            found += parts(child)
    return found


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


def pid_of(demo_pid: int, *words: str) -> int | None:
    """Return the process whose command line holds one of words."""
    return next((part.pid for part in parts(demo_pid) if any(word in part.command for word in words)), None)


def rows(database: Path, question: str) -> list[tuple[Any, ...]]:
    """Return the answer of a read-only question; nothing while the database is not there."""
    if not database.exists():
        return []
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10)
    try:
        return connection.execute(question).fetchall()
    except sqlite3.OperationalError:
        return []
    finally:
        connection.close()


def last_json_line(output: str) -> dict[str, Any]:
    return json.loads(output.strip().splitlines()[-1])
