"""Reading what WhatsApp calls back with: who signed it, and every update in it (they come in batches)."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


class CallbackError(ValueError):
    """The body is not a callback of the shape that the provider documents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUpdate:
    """A word about a message that we sent."""

    provider_message_id: str
    status: str  # sent | delivered | read | failed
    at: datetime  # UTC, by the provider's clock
    tracker: str  # the notification id that we sent along; empty: none
    error_code: int | None = None
    words: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """Something that a person wrote, or a button they tapped."""

    phone: str  # digits; empty where WhatsApp hides it
    at: datetime
    text: str = ""
    button: str = ""  # what the tapped button sends back
    about: str = ""  # the provider's id of the message it answers


def is_signed(secret: str, body: bytes, signature: str) -> bool:
    """Tell whether the header X-Hub-Signature-256 fits the raw body. Without a secret nothing is signed."""
    if not secret:
        return False
    expected = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode("utf-8", "replace"))


def updates_in(body: bytes) -> list[StatusUpdate | Inbound]:
    """Return every update of every entry; ones of a kind we do not know are left out.

    Raises CallbackError when the body is not JSON of the documented shape.
    """
    try:
        return [update for value in _values(json.loads(body)) for update in _updates(value)]
    except (ValueError, TypeError, AttributeError, KeyError, OverflowError, OSError) as error:
        raise CallbackError(f"not a WhatsApp callback: {error}") from error


def _values(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for entry in document.get("entry", []):
        for change in entry.get("changes", []):
            if change.get("field", "messages") == "messages":
                yield change.get("value", {})


def _updates(value: dict[str, Any]) -> Iterator[StatusUpdate | Inbound]:
    for status in value.get("statuses", []):
        yield _status(status)
    for message in value.get("messages", []):
        yield _inbound(message, value.get("contacts", []))


def _status(status: dict[str, Any]) -> StatusUpdate:
    errors = status.get("errors") or [{}]
    details = (errors[0].get("error_data") or {}).get("details", "")
    return StatusUpdate(
        provider_message_id=str(status["id"]),
        status=str(status["status"]),
        at=_instant(status["timestamp"]),
        tracker=str(status.get("biz_opaque_callback_data") or ""),
        error_code=int(errors[0]["code"]) if "code" in errors[0] else None,
        words=str(details or errors[0].get("title") or errors[0].get("message") or ""),
    )


def _inbound(message: dict[str, Any], contacts: list[dict[str, Any]]) -> Inbound:
    kind = message.get("type")
    button = ""
    if kind == "button":
        button = message["button"].get("payload") or message["button"].get("text", "")
    elif kind == "interactive":
        reply = message["interactive"].get("button_reply") or message["interactive"].get("list_reply") or {}
        button = reply.get("id", "")
    known = [contact["wa_id"] for contact in contacts if contact.get("wa_id")]
    return Inbound(
        phone=str(message.get("from") or (known[0] if len(known) == 1 else "")),
        at=_instant(message["timestamp"]),
        text=str(message.get("text", {}).get("body", "")) if kind == "text" else "",
        button=str(button),
        about=str((message.get("context") or {}).get("id") or ""),
    )


def _instant(seconds: str | int) -> datetime:
    return datetime.fromtimestamp(int(seconds), tz=UTC)
