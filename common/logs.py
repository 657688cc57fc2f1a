"""The log format, set once a process; secrets that are registered never reach the log."""

import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping
from typing import IO

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
JOURNAL_FORMAT = "%(name)s: %(message)s"  # the journal has the time, and the level by its number
_CREDENTIALS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE)


def redact(text: str) -> str:
    """Return text without the user and password of any URL in it."""
    return _CREDENTIALS.sub(r"\g<scheme>***@", text)


_later: set[str] = set()  # secrets that came to be known while the process ran


def also_hide(secrets: Iterable[str]) -> None:
    """Keep these out of the log too from now on."""
    _later.update(_worth_hiding(secrets))


def _worth_hiding(secrets: Iterable[str]) -> tuple[str, ...]:
    return tuple(secret for secret in secrets if len(secret) >= 6)


class _Redacted(logging.Formatter):
    def __init__(self, secrets: tuple[str, ...], pattern: str = FORMAT) -> None:
        super().__init__(pattern)
        self._secrets = _worth_hiding(secrets)

    def format(self, record: logging.LogRecord) -> str:
        line = redact(super().format(record))
        for secret in (*self._secrets, *tuple(_later)):
            line = line.replace(secret, "***")
        return line


class _ForJournal(_Redacted):
    """Each line begins with its priority, so that `journalctl -p warning` finds what matters."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__(secrets, JOURNAL_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        mark = f"<{_priority(record.levelno)}>"
        return "\n".join(mark + line for line in super().format(record).splitlines())


def _priority(level: int) -> int:
    """Return syslog's number for a level: 2 critical, 3 error, 4 warning, 6 information, 7 debugging."""
    numbers = {logging.CRITICAL: 2, logging.ERROR: 3, logging.WARNING: 4, logging.INFO: 6}
    return next((number for least, number in numbers.items() if level >= least), 7)


def goes_to_journal(stream: IO[str], environment: Mapping[str, str]) -> bool:
    """Tell whether stream is the one that systemd reads: it names it by device and inode."""
    try:
        about = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return environment.get("JOURNAL_STREAM") == f"{about.st_dev}:{about.st_ino}"


def set_up(level: str = "INFO", *, secrets: tuple[str, ...] = ()) -> None:
    """Log to standard error, at level and above, with secrets and URL credentials blotted out."""
    handler = logging.StreamHandler(sys.stderr)
    is_journal = goes_to_journal(sys.stderr, os.environ)
    handler.setFormatter(_ForJournal(secrets) if is_journal else _Redacted(secrets))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for chatty in (
        "alembic",
        "apscheduler",
        "xhtml2pdf",
        "urllib3",
        "fontTools",
        "amqtt",
        "transitions",
        "httpx",
    ):
        logging.getLogger(chatty).setLevel(logging.WARNING)
