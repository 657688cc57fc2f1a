"""The log format, set once a process; secrets that are registered never reach the log."""

import logging
import re
import sys

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_CREDENTIALS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]+@", re.IGNORECASE)


def redact(text: str) -> str:
    """Return text without the user and password of any URL in it."""
    return _CREDENTIALS.sub(r"\g<scheme>***@", text)


class _Redacted(logging.Formatter):
    def __init__(self, secrets: tuple[str, ...]) -> None:
        super().__init__(FORMAT)
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 6)

    def format(self, record: logging.LogRecord) -> str:
        line = redact(super().format(record))
        for secret in self._secrets:
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
