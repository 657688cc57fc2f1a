"""What the Cloud API's answers, and its silence, mean: every failure is translated here, once."""

import json
from collections.abc import Mapping
from typing import Any

import requests
from urllib3.exceptions import MaxRetryError, NewConnectionError

from central_server.domain.delivery import Ambiguous, Failed, Outcome, Retry, Sent
from central_server.domain.delivery_errors import ErrorClass, class_of

WORDS_LIMIT = 400


def outcome_of(status: int, body: bytes, headers: Mapping[str, str], *, hide: str) -> Outcome:
    """Return what an HTTP answer means. hide: a secret that must not come back in anybody's words."""
    document = _document(body)
    if 200 <= status < 300:
        return _accepted(document)
    error = document.get("error")
    if isinstance(error, dict) and isinstance(error.get("code"), int):
        return _refused(status, error, headers, hide)
    words = f"HTTP {status} without an explanation"
    if status == 504:  # a gateway gave up waiting; what it waited for may have been done
        return Ambiguous("504", words)
    if status in {408, 429} or status >= 500:
        return Retry(str(status), words, after_s=_asked_s(headers))
    if status in {401, 403} or status < 400:  # a redirect is a wrong address: we do not follow it
        return Failed(ErrorClass.CHANNEL, str(status), words)
    return Failed(ErrorClass.BUG, str(status), words)


def outcome_of_failure(error: requests.RequestException, *, hide: str) -> Outcome:
    """Return what it means that no answer came: surely not sent, or perhaps sent."""
    words = _safe(f"{type(error).__name__}: {error}", hide)
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.MissingSchema):
        return Failed(ErrorClass.CHANNEL, "bad_url", words)
    if isinstance(error, requests.ConnectTimeout | requests.exceptions.SSLError) or _never_connected(error):
        return Retry("network", words)
    return Ambiguous("no_answer", words)


def _never_connected(error: requests.RequestException) -> bool:
    cause = error.args[0] if error.args else None
    return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except ValueError:  # proxies answer in HTML
        return {}
    return document if isinstance(document, dict) else {}


def _accepted(document: Mapping[str, Any]) -> Outcome:
    messages = document.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else document  # an upload: {"id": …}
    found = first.get("id") if isinstance(first, dict) else None
    if not found:
        return Ambiguous("no_id", "accepted, but the answer has no message id")
    return Sent(str(found))


def _refused(status: int, error: Mapping[str, Any], headers: Mapping[str, str], hide: str) -> Outcome:
    details = error.get("error_data")
    more = details.get("details", "") if isinstance(details, dict) else str(details or "")
    words = _safe(" — ".join(part for part in (str(error.get("message", "")), more) if part), hide)
    code = error["code"]
    error_class = class_of(code, http_status=status, is_transient=bool(error.get("is_transient")))
    if error_class in {ErrorClass.RETRY, ErrorClass.RETRY_SLOW}:
        return Retry(str(code), words, error_class, _asked_s(headers))
    return Failed(error_class, str(code), words)


def _asked_s(headers: Mapping[str, str]) -> float | None:
    asked = headers.get("Retry-After", "")
    return min(float(asked), 3600.0) if asked.isascii() and asked.isdigit() else None


def _safe(words: str, hide: str) -> str:
    return (words.replace(hide, "***") if hide else words)[:WORDS_LIMIT]
