"""What a failure means and what follows from it."""

from datetime import timedelta

import pytest

from central_server.domain.delivery import (
    AMBIGUOUS_WAIT,
    CHANNEL_HOLD,
    Ambiguous,
    Failed,
    Form,
    Retry,
    Sent,
    Settlement,
    alert_of,
    buttons_of,
    earliest_to,
    form_for,
    phone_digits,
    settle,
)
from central_server.domain.delivery_errors import ErrorClass, class_of, wait_s
from tests.delivery_world import NOON, an_alert_payload


def settled(outcome, *, failures: int = 1, can_switch: bool = True, chance: float = 0.0) -> Settlement:
    return settle(outcome, failures=failures, can_switch=can_switch, now=NOON, chance=chance)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (1, "retry"),
        (4, "retry"),
        (80007, "retry"),
        (130429, "retry"),
        (131000, "retry"),
        (131016, "retry"),
        (131053, "retry"),
        (131056, "retry_slow"),
        (131048, "retry_slow"),
        (131047, "switch_form"),
        (131026, "recipient"),
        (131030, "recipient"),
        (131050, "recipient"),
        (132000, "template"),
        (132001, "template"),
        (132015, "template"),
        (132018, "template"),
        (0, "channel"),
        (190, "channel"),
        (200, "channel"),
        (299, "channel"),
        (368, "channel"),
        (131042, "channel"),
        (33, "bug"),
        (100, "bug"),
        (131008, "bug"),
        (131051, "bug"),
    ],
)
def test_a_known_code_has_its_class(code: int, expected: str):
    """The table of the Cloud API's errors is kept as data."""
    assert class_of(code) == expected


@pytest.mark.parametrize(
    ("status", "is_transient", "expected"),
    [
        (500, False, "retry"),
        (429, False, "retry"),
        (400, True, "retry"),
        (401, False, "channel"),
        (403, False, "channel"),
        (400, False, "bug"),
    ],
)
def test_an_unknown_code_is_judged_by_its_http_status(status: int, is_transient: bool, expected: str):
    """A code that Meta makes up tomorrow does not confuse us."""
    assert class_of(999_999, http_status=status, is_transient=is_transient) == expected


def test_a_passing_fault_is_tried_again_after_growing_waits():
    """5 s, 30 s, 2 min, then every 5 min."""
    waits = [wait_s(ErrorClass.RETRY, "131000", failures, chance=0) for failures in range(1, 7)]

    assert waits == [5, 30, 120, 300, 300, 300]


def test_the_pair_limit_waits_four_to_the_power_of_the_failures():
    """131056 gets slower fast; a spam limit waits an hour."""
    assert [wait_s(ErrorClass.RETRY_SLOW, "131056", n, chance=0) for n in (1, 2, 3)] == [4, 16, 64]
    assert wait_s(ErrorClass.RETRY_SLOW, "131048", 1, chance=0) == 3600


def test_the_provider_may_ask_for_a_longer_wait():
    """Retry-After is honoured, and never shortens our own wait."""
    assert wait_s(ErrorClass.RETRY, "429", 1, chance=0, asked_s=60) == 60
    assert wait_s(ErrorClass.RETRY, "429", 3, chance=0, asked_s=1) == 120


def test_taken_is_accepted_and_nothing_more():
    """A 200 is not a delivery."""
    assert settled(Sent("wamid.1")) == Settlement(state="accepted", provider_message_id="wamid.1")


def test_a_retry_stays_pending_until_its_time():
    """The reason is kept for whoever looks."""
    after = settled(Retry("131016", "busy"), failures=2)

    assert (after.state, after.error_class, after.error_code) == ("pending", "retry", "131016")
    assert after.next_attempt_at == NOON + timedelta(seconds=30)


def test_doubt_waits_for_the_callback_before_anything_is_sent_again():
    """A time-out after the request was sent is not a failure."""
    after = settled(Ambiguous("no_answer", "timed out"))

    assert (after.state, after.next_attempt_at) == ("ambiguous", NOON + AMBIGUOUS_WAIT)


def test_a_closed_window_becomes_a_template_at_once_and_once():
    """131047 switches the form; without a template, or a second time, it is the end."""
    refusal = Failed(ErrorClass.SWITCH_FORM, "131047", "window closed")

    first, second = settled(refusal), settled(refusal, can_switch=False)

    assert (first.state, first.next_attempt_at, first.closes_window) == ("pending", NOON, True)
    assert second.state == "failed"


def test_a_refused_channel_keeps_the_message_and_rests():
    """An expired token is nobody's message's fault."""
    after = settled(Failed(ErrorClass.CHANNEL, "190", "token expired"))

    assert (after.state, after.next_attempt_at) == ("pending", NOON + CHANNEL_HOLD)
    assert after.holds_channel


@pytest.mark.parametrize("error_class", [ErrorClass.RECIPIENT, ErrorClass.TEMPLATE, ErrorClass.BUG])
def test_what_can_never_succeed_is_given_up(error_class: ErrorClass):
    """No use in knocking again."""
    assert settled(Failed(error_class, "1", "no")).state == "failed"


def test_text_inside_the_window_and_the_template_outside():
    """The window is 24 hours, less a minute for the clocks."""
    payload = an_alert_payload()

    def form(hours: float | None, *, must_switch: bool = False) -> Form:
        heard = None if hours is None else NOON - timedelta(hours=hours)
        return form_for(payload, heard, must_switch=must_switch, now=NOON)

    assert form(1) is Form.TEXT
    assert form(23.9) is Form.TEXT
    assert form(23.99) is Form.TEMPLATE
    assert form(None) is Form.TEMPLATE
    assert form(1, must_switch=True) is Form.TEMPLATE


def test_without_a_template_there_is_only_text():
    """A message to IT has no approved template; the provider says what it thinks of that."""
    assert form_for({"text": "a"}, None, must_switch=True, now=NOON) is Form.TEXT


def test_one_message_in_six_seconds_to_the_same_phone():
    """The pair limit is kept by us, not found out."""
    assert earliest_to(None, NOON) == NOON
    assert earliest_to(NOON - timedelta(seconds=2), NOON) == NOON + timedelta(seconds=4)
    assert earliest_to(NOON - timedelta(seconds=9), NOON) == NOON


def test_what_a_button_sends_back_leads_to_its_alert():
    """Anything else that a button may carry leads nowhere."""
    assert [alert_of(each) for each in buttons_of("alert", 7)] == [("ack", 7), ("snooze", 7)]
    assert buttons_of("report", None) == ()
    assert [alert_of(each) for each in ("ack:", "ack:x", "drop:7", "", "ack:²")] == [None] * 5


def test_a_phone_is_its_digits():
    """However people write it."""
    assert phone_digits("+62 812-3456 7890") == "6281234567890"
