"""The log format, set once a process; secrets that are registered never reach the log."""

import logging
import re
import sys
from collections.abc import Iterable

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
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
    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__(FORMAT)
        self._secrets = _worth_hiding(secrets)

    def format(self, record: logging.LogRecord) -> str:
        line = redact(super().format(record))
        for secret in (*self._secrets, *tuple(_later)):
            line = line.replace(secret, "***")
        return line


def set_up(level: str = "INFO", *, secrets: tuple[str, ...] = ()) -> None:
    """Log to standard error, at level and above, with secrets and URL credentials blotted out."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Redacted(secrets))
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
