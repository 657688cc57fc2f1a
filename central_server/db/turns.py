"""Whose turn it is to write: the threads of one process, in the order in which they asked.

SQLite lets a waiting writer try again every tenth of a second. Beside one that begins anew at once, as the
subscriber does while a backlog comes in, it can miss every gap for longer than it waits.
"""

import threading
from collections import deque


class Turns:
    """take() before a write, give_back() after it. A turn that does not come is not waited for for ever."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holder: int | None = None  # the thread whose turn it is
        self._waiting: deque[tuple[int, threading.Event]] = deque()

    def take(self, patience_s: float) -> None:
        """Wait for this thread's turn; after patience_s go on without one: the database decides then."""
        me = threading.get_ident()
        with self._lock:
            if self._holder in (None, me):
                self._holder = me
                return
            mine = (me, threading.Event())
            self._waiting.append(mine)
        if not mine[1].wait(patience_s):
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)

    def give_back(self) -> None:
        """Let the next thread write; nothing happens when it was not this thread's turn."""
        with self._lock:
            if self._holder != threading.get_ident():
                return
            self._holder = None
            if self._waiting:
                self._holder, called = self._waiting.popleft()
                called.set()
