"""What WhatsApp calls back with: signatures, batches, disorder and nonsense, over a real socket."""

import hashlib
import hmac
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from central_server.blueprints import webhooks
from central_server.db.models import Alert, Conversation, WebhookReceipt
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.handle_webhook import handle_receipts, store_receipt
from tests.delivery_world import (
    NOON,
    PHONE,
    a_notification,
    a_webhook_app,
    serving,
    the_attempts,
    the_row,
    whatsapp_config,
)

SECRET = whatsapp_config("").app_secret


@pytest.fixture
def webhook(engine: Engine) -> Iterator[str]:
    with serving(a_webhook_app(engine)) as url:
        yield f"{url}/webhooks/whatsapp"


def a_status(status: str, tracker: str = "ntf_1", wamid: str = "wamid.1", code: int | None = None) -> dict:
    value = {"id": wamid, "status": status, "timestamp": str(int(NOON.timestamp())), "recipient_id": PHONE}
    if tracker:
        value["biz_opaque_callback_data"] = tracker
    if code is not None:
        value["errors"] = [{"code": code, "title": "no", "error_data": {"details": "not today"}}]
    return value


def a_text(text: str, about: str = "", at: datetime = NOON) -> dict:
    value = {"from": PHONE, "id": "wamid.in", "timestamp": str(int(at.timestamp())), "type": "text"}
    value["text"] = {"body": text}
    return value | ({"context": {"id": about}} if about else {})


def a_tap(payload: str, about: str = "") -> dict:
    value = a_text("", about) | {"type": "button", "button": {"payload": payload, "text": "Acknowledge"}}
    del value["text"]
    return value


def a_callback(*entries: list[dict], kind: str = "statuses") -> bytes:
    """A callback of several entries, each with several values of one kind."""
    changes = [
        [{"field": "messages", "value": {"messaging_product": "whatsapp", kind: [each]}} for each in entry]
        for entry in entries
    ]
    document = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": each} for each in changes],
    }
    return json.dumps(document).encode()


def post(url: str, body: bytes, *, secret: str = SECRET, signature: str | None = None) -> int:
    if signature is None:
        signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return requests.post(url, data=body, headers={"X-Hub-Signature-256": signature}, timeout=10).status_code


def an_accepted_message(engine: Engine, notification_id: str = "ntf_1", wamid: str = "wamid.1") -> None:
    a_notification(engine, notification_id, state="accepted", provider_message_id=wamid)


def test_the_handshake_gives_the_challenge_back(webhook: str):
    """Meta asks once whether the address is ours."""
    known = {"hub.mode": "subscribe", "hub.challenge": "1158201444"}
    right = requests.get(webhook, params={**known, "hub.verify_token": "test-verify-token"}, timeout=10)
    wrong = requests.get(webhook, params={**known, "hub.verify_token": "guess"}, timeout=10)

    assert (right.status_code, right.text) == (200, "1158201444")
    assert wrong.status_code == 403


def test_without_a_verify_token_nobody_is_let_in(engine: Engine):
    """An empty setting is not a password that everybody knows."""
    app = a_webhook_app(engine, whatsapp_config("", verify_token="", app_secret=""))
    with serving(app) as url:
        question = {"hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": ""}
        assert requests.get(f"{url}/webhooks/whatsapp", params=question, timeout=10).status_code == 403
        assert post(f"{url}/webhooks/whatsapp", a_callback([a_status("sent")]), secret="") == 403


@pytest.mark.parametrize("signature", ["", "sha256=", "sha256=" + "0" * 64, "sha1=abc", "ünsigned"])
def test_a_wrong_signature_is_refused_and_leaves_nothing(webhook: str, engine: Engine, signature: str):
    """Nobody can acknowledge an alert with a forged callback."""
    body = a_callback([a_status("sent")])
    headers = {"X-Hub-Signature-256": signature.encode("latin-1")}

    assert requests.post(webhook, data=body, headers=headers, timeout=10).status_code == 403

    with Session(engine) as session:
        assert session.scalar(select(func.count(WebhookReceipt.id))) == 0


def test_the_signature_is_over_the_raw_bytes(webhook: str):
    """The same JSON with one more space is another body."""
    body = a_callback([a_status("sent")])
    signature = "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()

    assert post(webhook, body.replace(b": ", b":  ", 1), signature=signature) == 403
    assert post(webhook, body, signature=signature) == 200


def test_every_status_of_every_entry_counts(webhook: str, engine: Engine):
    """Three statuses in two entries: none is dropped."""
    for number in (1, 2, 3):
        an_accepted_message(engine, f"ntf_{number}", f"wamid.{number}")
    first = [a_status("sent", "ntf_1", "wamid.1"), a_status("delivered", "ntf_2", "wamid.2")]

    assert post(webhook, a_callback(first, [a_status("read", "ntf_3", "wamid.3")])) == 200

    states = [the_row(engine, f"ntf_{number}").state for number in (1, 2, 3)]
    assert states == ["sent", "delivered", "read"]


@pytest.mark.parametrize("seed", range(6))
def test_disorder_and_repetition_end_in_the_same_state(webhook: str, engine: Engine, seed: int):
    """Callbacks come at least once, in any order."""
    an_accepted_message(engine)
    heard = [a_status(each) for each in ("sent", "delivered", "read")] * 2
    random.Random(seed).shuffle(heard)

    for status in heard:
        assert post(webhook, a_callback([status])) == 200

    assert the_row(engine).state == "read"
    assert sorted(the_attempts(engine)) == ["delivered", "read", "sent"]


def test_a_status_without_our_tracker_is_found_by_its_id(webhook: str, engine: Engine):
    """Old messages carry no tracker; unknown ones change nothing."""
    an_accepted_message(engine)

    post(webhook, a_callback([a_status("delivered", ""), a_status("read", "ntf_gone", "wamid.gone")]))

    assert the_row(engine).state == "delivered"


def test_a_callback_may_be_faster_than_the_answer(webhook: str, engine: Engine):
    """A leased row whose answer is still on its way is sent already."""
    a_notification(engine, state="leased", attempts=1, leased_until=NOON + timedelta(minutes=2))

    post(webhook, a_callback([a_status("sent")]))

    assert (the_row(engine).state, the_row(engine).provider_message_id) == ("sent", "wamid.1")


def test_a_failure_is_told_with_its_code_and_never_undoes_a_delivery(webhook: str, engine: Engine):
    """failed counts only while nothing says delivered."""
    an_accepted_message(engine, "ntf_1", "wamid.1")
    an_accepted_message(engine, "ntf_2", "wamid.2")

    post(webhook, a_callback([a_status("failed", code=131026)]))
    post(webhook, a_callback([a_status("delivered", "ntf_2", "wamid.2")]))
    post(webhook, a_callback([a_status("failed", "ntf_2", "wamid.2", code=131026)]))

    failed, delivered = the_row(engine, "ntf_1"), the_row(engine, "ntf_2")
    assert (failed.state, failed.error_class, failed.error_code) == ("failed", "recipient", "131026")
    assert failed.error_text == "not today"
    assert delivered.state == "delivered"


def test_an_old_failure_does_not_touch_the_sending_after_it(webhook: str, engine: Engine):
    """A callback repeated days later is about a sending that we have replaced."""
    an_accepted_message(engine)
    failure = a_callback([a_status("failed", code=131047)])
    post(webhook, failure)
    assert the_row(engine).state == "pending"
    with UnitOfWork(engine) as work:
        row = work.session.merge(the_row(engine))
        row.state, row.provider_message_id = "accepted", "wamid.2"

    post(webhook, failure)
    post(webhook, a_callback([a_status("sent", wamid="wamid.1")]))

    assert (the_row(engine).state, the_row(engine).provider_message_id) == ("accepted", "wamid.2")


def test_an_inbound_text_opens_the_window_and_only_moves_it_forward(webhook: str, engine: Engine):
    """Messages come late and twice; the window is counted from the newest."""
    earlier = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)

    for at in (earlier, earlier + timedelta(hours=1), earlier):
        post(webhook, a_callback([a_text("halo", at=at)], kind="messages"))

    with Session(engine) as session:
        conversation = session.scalars(select(Conversation)).one()
        assert (conversation.phone, conversation.last_inbound_at) == (PHONE, earlier + timedelta(hours=1))


def acknowledged(engine: Engine) -> dict[str, str]:
    with Session(engine) as session:
        return {each.dedupe_key: each.acknowledged_by for each in session.scalars(select(Alert))}


def test_a_button_acknowledges_its_alert_once(webhook: str, engine: Engine):
    """The first tap counts; a second one changes nothing."""
    an_accepted_message(engine)
    alert_id = the_row(engine).alert_id

    post(webhook, a_callback([a_tap(f"ack:{alert_id}", "wamid.1")], kind="messages"))
    with Session(engine) as session:
        first = session.get_one(Alert, alert_id).acknowledged_at
    post(webhook, a_callback([a_tap(f"ack:{alert_id}", "wamid.1")], kind="messages"))

    assert acknowledged(engine) == {"ntf_1": "Sari Dewi"}
    with Session(engine) as session:
        assert session.get_one(Alert, alert_id).acknowledged_at == first


def test_a_button_cannot_acknowledge_what_its_owner_was_not_told(webhook: str, engine: Engine):
    """A payload that names somebody else's alert is refused."""
    an_accepted_message(engine, "ntf_1", "wamid.1")
    a_notification(engine, "ntf_2", recipient="6289999999999")
    other = the_row(engine, "ntf_2").alert_id

    post(webhook, a_callback([a_tap(f"ack:{other}", "wamid.1")], kind="messages"))
    post(webhook, a_callback([a_tap(f"ack:{other}")], kind="messages"))

    assert acknowledged(engine) == {"ntf_1": "", "ntf_2": ""}


@pytest.mark.parametrize(
    ("words", "about", "expected"), [("OK", "", True), ("Oke.", "wamid.1", True), ("who?", "wamid.1", False)]
)
def test_an_ok_acknowledges_too(webhook: str, engine: Engine, words: str, about: str, expected: bool):
    """Free text has no buttons: a short yes to the message, or to the newest open alert, is enough."""
    an_accepted_message(engine)

    post(webhook, a_callback([a_text(words, about)], kind="messages"))

    assert bool(acknowledged(engine)["ntf_1"]) is expected


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"entry": 7}',
        b'{"entry": [{"changes": [{"value": {"statuses": [{}]}}]}]}',
        b"\xff",
    ],
)
def test_nonsense_is_kept_answered_and_never_met_again(webhook: str, engine: Engine, body: bytes):
    """A signed callback that we do not understand must not be sent to us for seven days."""
    assert post(webhook, body) == 200

    assert handle_receipts(engine, NOON) == 0


def test_what_the_request_could_not_do_the_worker_does(webhook: str, engine: Engine, monkeypatch):
    """The callback is stored first: an error while handling it loses nothing."""
    an_accepted_message(engine)

    def broken(*_args: object) -> None:
        raise RuntimeError("no luck")

    with monkeypatch.context() as patched:
        patched.setattr(webhooks, "handle_receipt", broken)
        assert post(webhook, a_callback([a_status("delivered")])) == 200
    assert the_row(engine).state == "accepted"

    assert handle_receipts(engine, NOON) == 1
    assert the_row(engine).state == "delivered"


def test_the_worker_handles_what_the_web_only_stored(engine: Engine):
    """Both ways lead to the same end."""
    an_accepted_message(engine)
    store_receipt(engine, "whatsapp", a_callback([a_status("read")]), NOON)

    assert [handle_receipts(engine, NOON), handle_receipts(engine, NOON)] == [1, 0]
    assert the_row(engine).state == "read"
