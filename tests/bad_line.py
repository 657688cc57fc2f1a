"""A line between an agent and its server that carries so many bytes and breaks, again and again."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class BadLine:
    """Each connection carries `carries` bytes of answer; None: all of them."""

    target: tuple[str, int]
    carries: int | None = None
    broken: int = 0
    _listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, socket.create_connection(self.target) as far:
            threading.Thread(target=_pump, args=(near, far), daemon=True).start()
            left = self.carries
            while piece := far.recv(1 << 14 if left is None else min(left, 1 << 14)):
                near.sendall(piece)
                if left is not None and (left := left - len(piece)) <= 0:
                    self.broken += 1
                    near.shutdown(socket.SHUT_RDWR)  # a thread that reads from it would keep it open
                    return

    def close(self) -> None:
        self._listener.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while piece := source.recv(1 << 14):
            sink.sendall(piece)
    except OSError:
        return


@contextmanager
def a_bad_line(url: str, carries: int | None = None) -> Iterator[BadLine]:
    parts = urlsplit(url)
    line = BadLine((parts.hostname or "", parts.port or 0), carries)
    threading.Thread(target=line.serve, daemon=True).start()
    try:
        yield line
    finally:
        line.close()
