"""A broker for one box: mosquitto where it is installed, else amqtt in this process. Loopback only.

Production runs mosquitto as a service of its own, with TLS.
"""

import ctypes
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable

from central_server.adapters.broker_accounts import BrokerAccounts, password_of_server
from central_server.config import BrokerConfig, ServerConfig

log = logging.getLogger("hadir.broker")

PORT_PATIENCE_S = 8.0  # for the port to come free after a broker that is just ending
START_PATIENCE_S = 5.0
STOP_PATIENCE_S = 5.0
POLL_S = 0.3
_PR_SET_PDEATHSIG = 1
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_SETTINGS = """\
# Written by Hadir at each start; changes here are lost.
per_listener_settings false
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/passwd
acl_file {folder}/acl
persistence true
persistence_location {folder}/
autosave_interval {autosave_s}
# The default of 1000 loses messages for a connected, slow subscriber; 0 drops clients on a refused publish.
max_queued_messages 1000000
max_inflight_messages 200
max_packet_size 262144
log_dest stderr
log_type error
log_type warning
log_type notice
{user}"""


class BrokerError(Exception):
    """The broker cannot run; says why in a sentence."""


def run(config: ServerConfig) -> int:
    """Run the broker until SIGINT or SIGTERM; return the exit status."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        return serve(config.broker, stop)
    except BrokerError as error:
        log.error("%s", error)
        return 1


main = run


def serve(broker: BrokerConfig, stop: threading.Event, *, binary: str | None = "") -> int:
    """Run the broker until stop is set. binary: mosquitto's path; "" looks for it, None goes without it.

    Raises BrokerError.
    """
    if broker.accounts_dir is None:
        raise BrokerError("HADIR_BROKER_ACCOUNTS_DIR is not set: there is no embedded broker without it.")
    if broker.host not in _LOOPBACK:
        raise BrokerError(
            f"The embedded broker is for loopback only, not for {broker.host}: run web and worker apart."
        )
    accounts = BrokerAccounts(broker.accounts_dir.resolve())
    accounts.put(broker.username, password_of_server(broker))
    accounts.write_access_rules(broker.username)
    _wait_for_port(broker.port, stop)
    binary = find_mosquitto() if binary == "" else binary
    accounts.note_protocol("5" if binary else "311")
    if binary:
        return _Mosquitto(binary, accounts, broker).serve(stop)
    log.warning("no mosquitto here: using amqtt, which is for demos and tests only")
    from central_server.adapters.amqtt_broker import serve as serve_amqtt

    return serve_amqtt(accounts, broker, stop)


def find_mosquitto() -> str | None:
    """Return the path of the mosquitto binary; Debian keeps it where users' PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


class _Mosquitto:
    """A mosquitto child process with generated settings."""

    def __init__(self, binary: str, accounts: BrokerAccounts, broker: BrokerConfig) -> None:
        self.binary, self.accounts = binary, accounts
        self.port, self.autosave_s = broker.port, broker.autosave_s
        self.settings = accounts.folder / "mosquitto.conf"

    def serve(self, stop: threading.Event) -> int:
        # As root mosquitto would become another user, who may not read our files, and whom the kernel would
        # not end together with us.
        user = "user root\n" if os.geteuid() == 0 else ""
        settings = {"port": self.port, "folder": self.accounts.folder, "autosave_s": self.autosave_s}
        self.settings.write_text(_SETTINGS.format(**settings, user=user))
        seen = _stamp(self.accounts)  # before it reads them: what changes from here on, it must be told
        child = self._start(stop)
        log.info("mosquitto listens on 127.0.0.1:%d", self.port)
        try:
            return self._watch(child, seen, stop)
        finally:
            _end(child)

    def _start(self, stop: threading.Event) -> subprocess.Popen[bytes]:
        child = self._spawn()
        if _listens(self.port, child.poll, stop) or stop.is_set():
            return child
        code = _end(child)
        kept = self.accounts.folder / "mosquitto.db"
        if not kept.exists():
            raise BrokerError(f"mosquitto did not start (exit status {code}); its own words are above.")
        # A damaged store keeps mosquitto from starting. The agents still hold everything unacknowledged.
        kept.replace(kept.with_suffix(f".damaged-{time.time_ns()}"))
        log.error("mosquitto did not start with its stored messages; they are set aside and it starts afresh")
        child = self._spawn()
        if not _listens(self.port, child.poll, stop):
            raise BrokerError(
                f"mosquitto did not start (exit status {_end(child)}); its own words are above."
            )
        return child

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [self.binary, "-c", str(self.settings)],
            stdin=subprocess.DEVNULL,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
        )

    def _watch(self, child: subprocess.Popen[bytes], seen: tuple[int, ...], stop: threading.Event) -> int:
        while not stop.wait(POLL_S):
            if (code := child.poll()) is not None:
                raise BrokerError(f"mosquitto ended by itself (exit status {code}).")
            if (now := _stamp(self.accounts)) != seen:
                seen = now
                child.send_signal(signal.SIGHUP)
        return 0


def _stamp(accounts: BrokerAccounts) -> tuple[int, ...]:
    return tuple(
        path.stat().st_mtime_ns if path.exists() else 0
        for path in (accounts.password_file, accounts.acl_file)
    )


def _wait_for_port(port: int, stop: threading.Event) -> None:
    until = time.monotonic() + PORT_PATIENCE_S
    while _answers(port):
        if time.monotonic() > until:
            raise BrokerError(
                f"Port {port} is taken by another program; set HADIR_BROKER_PORT to a free one."
            )
        if stop.wait(0.1):
            return


def _listens(port: int, ended: Callable[[], int | None], stop: threading.Event) -> bool:
    until = time.monotonic() + START_PATIENCE_S
    while time.monotonic() < until and ended() is None and not stop.is_set():
        if _answers(port):
            return True
        time.sleep(0.05)
    return False


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _end(child: subprocess.Popen[bytes]) -> int:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()


def _die_with_parent() -> None:
    """Ask Linux to end the child when its parent dies, even of kill -9. It is lost when the user changes."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
