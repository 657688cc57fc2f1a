"""gunicorn's worker of many threads, for a port that strangers reach: who sends nothing holds no thread.

A thread waits for the whole request, and gunicorn lets it wait for ever. Then a hundred connections that each
send one letter would be the end of the dashboard, and of the agents' way to it.
"""

import contextlib
import socket
import time
from typing import Any

from gunicorn import util
from gunicorn.workers.gthread import TConn, ThreadWorker

PATIENCE_S = 20.0  # for the handshake and the request, in all
LEAST_BYTES_S = 1000.0  # of a long body: so much buys another second
LINGER_S = 0.5  # until who was answered has taken it
MOST_OF_ONE = 32  # connections of one address that are being read at a time; where no proxy is in front


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """Hangs up on connections that are read for too long, and on addresses that have many such."""

    def init_process(self) -> None:
        self._reading: dict[TConn, float] = {}  # until when
        super().init_process()

    def notify(self) -> None:
        """Called about each second: see who keeps a thread waiting."""
        now = time.monotonic()
        for conn, until in list(self._reading.items()):
            if now > until:
                with contextlib.suppress(OSError):  # not the TLS layer's own: a thread is within that
                    socket.socket.shutdown(conn.sock, socket.SHUT_RDWR)
        super().notify()

    def handle(self, conn: TConn) -> Any:
        if self.cfg.is_ssl and self._of(conn.client) >= MOST_OF_ONE:
            util.close(conn.sock)
            return _ended(conn)
        self._reading[conn] = time.monotonic() + PATIENCE_S
        conn.patience_s = PATIENCE_S
        if not conn.initialized:
            conn.init = lambda: self._init(conn)
        try:
            if goes_on := super().handle(conn):
                return goes_on
            # gunicorn's main thread would do it, 2 s for each, and meanwhile take no other connection.
            self._reading[conn] = time.monotonic() + PATIENCE_S
            util.close_graceful(conn.sock, LINGER_S)
            return _ended(conn)
        finally:
            self._reading.pop(conn, None)

    def handle_request(self, req: Any, conn: TConn) -> Any:
        self._reading.pop(conn, None)  # it takes as long as it takes; what it still reads is counted below
        return super().handle_request(req, conn)

    def _of(self, client: Any) -> int:
        return sum(1 for each in list(self._reading) if each.client[:1] == client[:1])

    def _init(self, conn: TConn) -> None:
        """Begin, and from then on count how long each part of a request lets us wait."""
        TConn.init(conn)
        unreader = conn.parser.unreader
        receive = unreader.chunk

        def chunk(*given: Any) -> bytes:
            began = time.monotonic()
            self._reading[conn] = began + conn.patience_s
            try:
                got: bytes = receive(*given)
            finally:
                self._reading.pop(conn, None)
            conn.patience_s += len(got) / LEAST_BYTES_S - (time.monotonic() - began)
            return got

        unreader.chunk = chunk


def _ended(conn: TConn) -> bool:
    """Return the answer for a connection that is closed already."""
    conn.close = lambda graceful=False: None
    return False
