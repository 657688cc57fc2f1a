"""Getting a message to a person: what a failure means, when to try again, and what a later word changes.

A Sender answers with an Outcome; `settle` turns it into what becomes of the Notification. The states are
    pending -> leased -> accepted -> sent -> delivered -> read
with failed, ambiguous (it may have arrived), dropped_stale (too late to be true) and cancelled beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from central_server.domain.delivery_errors import ErrorClass, wait_s

WINDOW = timedelta(hours=24)  # free text may be sent for so long after the recipient last wrote
WINDOW_MARGIN = timedelta(minutes=1)  # the provider's clock and ours may differ
PAIR_INTERVAL = timedelta(seconds=6)  # WhatsApp: one message in 6 s to the same phone
LEASE = timedelta(seconds=120)  # longer than the slowest send, so a running one is never done twice
AMBIGUOUS_WAIT = timedelta(seconds=90)  # a status callback that settles the doubt comes well before
CHANNEL_HOLD = timedelta(minutes=5)  # a channel that refuses us is tried again with one message after that

STATUS_RANK = {"accepted": 1, "sent": 2, "failed": 3, "delivered": 4, "read": 5}
UNSETTLED = frozenset({"leased", "ambiguous", "accepted", "sent"})  # a later failure still counts for these


class Form(StrEnum):
    """How a WhatsApp message is dressed: free text inside the window, a template outside it."""

    TEXT = "text"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, ready to go. payload: see domain/messages.py; buttons: what a tap on each sends back."""

    notification_id: str
    recipient: str
    payload: Mapping[str, Any] = field(repr=False)
    form: Form = Form.TEXT
    buttons: tuple[str, ...] = ()
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider took the message; it is not delivered yet."""

    provider_message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """It surely did not go out, and may later. after_s: what the provider asked us to wait, if it did."""

    code: str
    words: str
    error_class: ErrorClass = ErrorClass.RETRY
    after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """It will not go out like this; error_class says what is to blame."""

    error_class: ErrorClass
    code: str
    words: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The provider may have taken it: the request was sent, no answer came."""

    code: str
    words: str


Outcome = Sent | Retry | Failed | Ambiguous


class Sender(Protocol):
    """One channel. Its fake and the real ones keep the same promise (tests/contract/test_senders.py)."""

    def send(self, message: Message) -> Outcome:
        """Send message once and say what came of it. Never raises for what the provider does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What becomes of a notification, and of its channel, after one attempt."""

    state: str
    next_attempt_at: datetime | None = None
    error_class: str = ""
    error_code: str = ""
    words: str = ""
    provider_message_id: str | None = None
    holds_channel: bool = False
    closes_window: bool = False  # the provider says that the recipient's 24 hours are over


def settle(outcome: Outcome, *, failures: int, can_switch: bool, now: datetime, chance: float) -> Settlement:
    """Decide what follows from outcome.

    failures: how many attempts, this one included, did not succeed. can_switch: there is a template that has
    not been tried. chance, uniform in 0..1, spreads the retries.
    """
    match outcome:
        case Sent(provider_message_id):
            return Settlement(state="accepted", provider_message_id=provider_message_id)
        case Ambiguous(code, words):
            return Settlement(
                state="ambiguous", next_attempt_at=now + AMBIGUOUS_WAIT, error_code=code, words=words
            )
        case Retry(code, words, error_class, after_s):
            wait = wait_s(error_class, code, failures, chance=chance, asked_s=after_s)
            return _again(now + timedelta(seconds=wait), error_class, code, words)
        case Failed(ErrorClass.RETRY | ErrorClass.RETRY_SLOW as error_class, code, words):
            wait = wait_s(error_class, code, failures, chance=chance)
            return _again(now + timedelta(seconds=wait), error_class, code, words)
        case Failed(ErrorClass.CHANNEL, code, words):
            return _again(now + CHANNEL_HOLD, ErrorClass.CHANNEL, code, words, holds_channel=True)
        case Failed(ErrorClass.SWITCH_FORM, code, words) if can_switch:
            return _again(now, ErrorClass.SWITCH_FORM, code, words, closes_window=True)
        case Failed(error_class, code, words):
            return Settlement(state="failed", error_class=error_class, error_code=code, words=words)


def _again(at: datetime, error_class: ErrorClass, code: str, words: str, **what_else: bool) -> Settlement:
    return Settlement(
        state="pending",
        next_attempt_at=at,
        error_class=error_class,
        error_code=code,
        words=words,
        **what_else,
    )


def progress(state: str, status: str) -> str:
    """Return the state after a status callback: forward only, whatever the order and however often.

    failed counts only while nothing says delivered; delivered and read are proof, whatever was said before.
    """
    before, after = STATUS_RANK.get(state, 0), STATUS_RANK.get(status, 0)
    return status if after > before else state


def is_window_open(last_inbound_at: datetime | None, now: datetime) -> bool:
    """Tell whether free text may still be sent to someone who last wrote to us at last_inbound_at."""
    return last_inbound_at is not None and now < last_inbound_at + WINDOW - WINDOW_MARGIN


def form_for(
    payload: Mapping[str, Any], last_inbound_at: datetime | None, *, must_switch: bool, now: datetime
) -> Form:
    """Choose text where the recipient's window is open or there is no template, else the template."""
    if "template" not in payload:
        return Form.TEXT
    if must_switch or not is_window_open(last_inbound_at, now):
        return Form.TEMPLATE
    return Form.TEXT


def earliest_to(last_attempt_at: datetime | None, now: datetime) -> datetime:
    """Return when the next message to the same phone may go."""
    return now if last_attempt_at is None else max(now, last_attempt_at + PAIR_INTERVAL)


def buttons_of(kind: str, alert_id: int | None) -> tuple[str, ...]:
    """Return what the buttons of an alert's template send back: acknowledge, snooze."""
    return (f"ack:{alert_id}", f"snooze:{alert_id}") if kind == "alert" and alert_id is not None else ()


def alert_of(button: str) -> tuple[str, int] | None:
    """Return (ack | snooze, alert id) from what a button sent back, or None when it is none of ours."""
    verb, _, number = button.partition(":")
    return (
        (verb, int(number)) if verb in {"ack", "snooze"} and number.isascii() and number.isdigit() else None
    )


def phone_digits(phone: str) -> str:
    """Return phone as WhatsApp writes it: digits with the country code, nothing else."""
    return "".join(character for character in phone if character in "0123456789")
