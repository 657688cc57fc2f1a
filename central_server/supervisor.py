"""Keep a handful of processes running: start them, start them again when they die, stop them all.

For one box without systemd (`hadir server run`) and for the demo. In production systemd does this.
"""

import ctypes
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from common.backoff import delay_s

STABLE_AFTER_S = 30.0
STOP_PATIENCE_S = 8.0
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """One process to keep running. `log` is a file to append its output to; None: ours."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path | None = None


@dataclass(slots=True)
class _Child:
    spec: ProcessSpec
    process: subprocess.Popen[bytes]
    started_at: float
    failures: int = 0
    restart_at: float | None = None


@dataclass
class Supervisor:
    """Call start() for each process, step() often, stop() at the end; from any one thread at a time."""

    say: Callable[[str], None]
    children: dict[str, _Child] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    stopping: bool = False

    def start(self, spec: ProcessSpec) -> None:
        with self.lock:
            self.children[spec.name] = _Child(spec, _spawn(spec), time.monotonic())

    def step(self) -> None:
        """Notice who died, and start them again after a while that grows with each failure."""
        with self.lock:
            if self.stopping:
                return
            for child in self.children.values():
                self._look_after(child, time.monotonic())

    def _look_after(self, child: _Child, now: float) -> None:
        code = child.process.poll()
        if code is None:
            if now - child.started_at > STABLE_AFTER_S:
                child.failures = 0
            return
        if child.restart_at is None:
            child.failures += 1
            wait = delay_s(child.failures, chance=0.0, first_s=1.0, most_s=30.0)
            child.restart_at = now + wait
            self.say(f"{child.spec.name} ended ({_in_words(code)}); starting it again in {wait:.1f} s")
        elif now >= child.restart_at:
            child.process, child.started_at, child.restart_at = _spawn(child.spec), now, None

    def failures(self, name: str) -> int:
        with self.lock:
            return self.children[name].failures

    def stop(self) -> None:
        """Ask every process to stop, the last started first; kill what does not within a few seconds."""
        with self.lock:
            self.stopping = True
            running = [child.process for child in reversed(self.children.values())]
        for process in running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(STOP_PATIENCE_S)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()


def supervise(specs: tuple[ProcessSpec, ...], say: Callable[[str], None]) -> int:
    """Run specs until SIGINT or SIGTERM; return an exit code."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    supervisor = Supervisor(say)
    try:
        for spec in specs:
            supervisor.start(spec)
        while not stop.wait(0.3):
            supervisor.step()
    finally:
        supervisor.stop()
    return 0


def _spawn(spec: ProcessSpec) -> subprocess.Popen[bytes]:
    output = None
    if spec.log is not None:
        spec.log.parent.mkdir(parents=True, exist_ok=True)
        output = spec.log.open("ab")
    try:
        # A session of its own: Ctrl-C in the terminal reaches us alone, and we stop the rest in order.
        return subprocess.Popen(
            spec.command,
            env=dict(spec.environment),
            stdin=subprocess.DEVNULL,
            stdout=output or sys.stderr,
            stderr=output or sys.stderr,
            start_new_session=True,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )
    finally:
        if output is not None:
            output.close()


def _die_with_parent() -> None:
    """Ask Linux to end the child when we die, even of kill -9: nobody else would stop it."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _in_words(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
