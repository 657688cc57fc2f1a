"""One demo at a time on what it stores."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Hold home for this process. Raises OSError, in words, while another demo has it."""
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OSError(f"another demo is running on {home}; stop it first") from error
        yield
