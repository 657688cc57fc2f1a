"""What the agent tells systemd: that it is ready, that it still moves, and how it is, in words.

The protocol is one datagram of NAME=value lines (sd_notify(3)); twenty lines here take the place of a
package that nobody looks after any more.
"""

import contextlib
import os
import socket
from collections.abc import Mapping

MOST_WORDS = 200  # of a status; systemd shows one line


class ServiceNotice:
    """Where no systemd listens, nothing is sent. It never raises, and never waits: the agent goes first."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        given = os.environ if environment is None else environment
        path = given.get("NOTIFY_SOCKET", "")
        self._address = f"\0{path[1:]}" if path.startswith("@") else path
        is_ours = given.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        micros = given.get("WATCHDOG_USEC", "") if is_ours else ""
        self.feed_every_s = int(micros) / 2_000_000 if micros.isdigit() and int(micros) else None
        self._last_status = ""

    def ready(self) -> None:
        self._send("READY=1")

    def stopping(self) -> None:
        self._send("STOPPING=1", "STATUS=stopping")

    def status(self, words: str) -> None:
        """Show words in `systemctl status`; what is shown already is not sent again."""
        words = " ".join(words.split())[:MOST_WORDS]
        if words != self._last_status:
            self._last_status = words
            self._send(f"STATUS={words}")

    def feed_watchdog(self) -> None:
        self._send("WATCHDOG=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as out:
            out.setblocking(False)
            out.sendto("\n".join(lines).encode(), self._address)
