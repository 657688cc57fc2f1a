"""A local socket at which the running agent shows its state, as JSON, to its own user and to root.

A socket and no file: nothing is written to the card every second, nothing stale is left to be believed, and
the kernel says who asks.
"""

import contextlib
import json
import logging
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger("hadir.live")

NAME = "live.sock"
TIMEOUT_S = 3.0
MOST_BYTES = 4_000_000
_PEER = struct.Struct("3i")  # pid, uid, gid


class NotRunningError(Exception):
    """No agent answers at this home; says what to do."""


class LiveSocket:
    """Answers each connection with one snapshot, one after the other, on a thread of its own.

    The agent does not depend on it: whatever fails here is said once, and the cameras go on.
    """

    def __init__(self, home: Path, snapshot: Callable[[], Mapping[str, Any]]) -> None:
        self._home, self._snapshot = home, snapshot
        self._socket: socket.socket | None = None
        self._thread = threading.Thread(target=self._run, name="live", daemon=True)

    def start(self) -> None:
        try:
            self._socket = _listen(self._home)
        except OSError as error:
            log.warning("`hadir agent live` cannot be answered: %s", error)
            return
        self._thread.start()

    def stop(self) -> None:
        if self._socket is None:
            return
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._socket.close()
        self._thread.join(TIMEOUT_S)
        with contextlib.suppress(OSError):
            (self._home / NAME).unlink()

    def _run(self) -> None:
        assert self._socket is not None
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return  # stopped
            with connection:
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        try:
            connection.settimeout(TIMEOUT_S)
            _, uid, _ = _PEER.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))
            if uid in (0, os.geteuid()):
                connection.sendall(json.dumps(self._snapshot()).encode())
        except OSError:
            return  # who asked has gone
        except Exception:
            log.exception("the state could not be shown")


def read_live(home: Path) -> dict[str, Any]:
    """Return the snapshot of the agent that runs at home. Raises NotRunningError."""
    try:
        with _place(home) as path, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
            asking.settimeout(TIMEOUT_S)
            asking.connect(path)
            answer = _everything(asking)
    except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError) as error:
        raise NotRunningError(
            f"No agent runs here ({home}). Start it with `systemctl start hadir-agent`, "
            "or by hand with `hadir agent run`; `journalctl -u hadir-agent` tells why one ended."
        ) from error
    except PermissionError as error:
        raise NotRunningError(
            f"{home} is not yours: ask as root or as the agent's own user, `sudo hadir agent live`."
        ) from error
    except OSError as error:
        raise NotRunningError(f"The agent at {home} does not answer ({error}).") from error
    try:
        return dict(json.loads(answer))
    except ValueError as error:
        raise NotRunningError(f"The agent at {home} hung up; it may just be stopping.") from error


def _everything(asking: socket.socket) -> bytes:
    parts, size = [], 0
    while (part := asking.recv(65_536)) and size < MOST_BYTES:
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def _listen(home: Path) -> socket.socket:
    """Return the listening socket, for its owner only. Raises OSError when an agent listens already."""
    with _place(home) as path:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(TIMEOUT_S)
            try:
                probe.connect(path)
            except OSError:
                pass  # nobody: what is left there is of an agent that was killed
            else:
                raise FileExistsError(f"another agent runs at {home}")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)  # noqa: PTH108 - by way of the folder's descriptor
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            listening.bind(path)
            os.chmod(path, 0o600)  # noqa: PTH101
            listening.listen(4)
        except OSError:
            listening.close()
            raise
        return listening


@contextlib.contextmanager
def _place(home: Path) -> Iterator[str]:
    """Yield the socket's path by way of the open folder: a socket's own path may have 107 bytes at most."""
    folder = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{NAME}"
    finally:
        os.close(folder)
