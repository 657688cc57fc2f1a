"""One look at the web server, with what a diagnosis needs and the ordinary client hides."""

import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
from urllib3.exceptions import InsecureRequestWarning, SystemTimeWarning

from edge_agent.adapters.trust import session_with, trusting_anybody

TIMEOUT_S = (6, 10)
MOST_BYTES = 64_000


class NoAnswer(Exception):
    """Nothing came back; the cause is the innermost error."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    mime: str
    location: str  # where a redirection leads, else empty
    date: datetime | None  # UTC, by the server's clock
    body: bytes  # the first 64 kB


def ask(url: str, *, context: ssl.SSLContext | None = None, token: str = "") -> Reply:
    """GET url. Without a context no certificate is checked: send nothing secret. Raises NoAnswer."""
    if context is None and token:
        raise ValueError("a token is sent over a checked connection only")
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    session = session_with(context or trusting_anybody())
    try:
        with (
            _no_warning(),
            session.get(url, headers=headers, timeout=TIMEOUT_S, allow_redirects=False, stream=True) as reply,
        ):
            body = next(reply.iter_content(MOST_BYTES), b"")
            told = reply.headers
            return Reply(
                reply.status_code,
                told.get("Content-Type", "").partition(";")[0].strip().lower(),
                told.get("Location", ""),
                _moment(told.get("Date", "")),
                body,
            )
    except requests.RequestException as error:
        raise NoAnswer(str(_cause(error)) or type(error).__name__) from _cause(error)
    finally:
        session.close()


def proxy_for(url: str) -> str:
    """Return the proxy that the environment sends requests for url to, or nothing."""
    proxies = requests.utils.get_environ_proxies(url, no_proxy=None)
    return str(requests.utils.select_proxy(url, proxies) or "")


def _moment(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text).astimezone(UTC) if text else None
    except (ValueError, TypeError):
        return None


def _cause(error: BaseException) -> BaseException:
    while inner := error.__cause__ or error.__context__:
        error = inner
    return error


@contextmanager
def _no_warning() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InsecureRequestWarning)
        warnings.simplefilter("ignore", SystemTimeWarning)  # we say it ourselves, in our words
        yield
