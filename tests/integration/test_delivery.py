"""From the outbox to the phone: leases, retries, callbacks and crashes, on a real database."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from central_server.db.models import Alert, ChannelHold, Conversation, Notification
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.delivery import Ambiguous, Failed, Form, Message, Outcome, Retry
from central_server.domain.delivery_errors import ErrorClass
from central_server.services import deliver_notifications
from central_server.services.deliver_notifications import deliver_due
from tests.builders import a_recipient, a_site
from tests.delivery_world import (
    NOON,
    PHONE,
    FakeSender,
    SandboxServer,
    a_notification,
    a_sandbox,
    a_webhook_app,
    serving,
    the_attempts,
    the_row,
    until,
)


def deliver(engine: Engine, sender, *, after: timedelta = timedelta(0), channel: str = "whatsapp") -> int:
    return deliver_due(engine, {channel: sender}, now=lambda: NOON + after, chance=lambda: 0.0)


def open_window(engine: Engine, at: datetime = NOON - timedelta(hours=1)) -> None:
    with UnitOfWork(engine) as work:
        work.session.add(Conversation(phone=PHONE, last_inbound_at=at))


def close_alert(engine: Engine) -> None:
    with UnitOfWork(engine) as work:
        for alert in work.session.scalars(select(Alert)):
            alert.state, alert.closed_at, alert.close_reason = "closed", NOON, "returned"


def test_a_due_message_is_sent_once(engine: Engine):
    """A second round finds nothing to do."""
    a_notification(engine)
    sender = FakeSender()

    assert [deliver(engine, sender), deliver(engine, sender, after=timedelta(minutes=1))] == [1, 0]

    assert len(sender.sent) == 1
    assert the_row(engine).state == "accepted"
    assert the_row(engine).provider_message_id == "id-1"
    assert the_attempts(engine) == ["accepted"]


def test_what_is_not_due_yet_waits(engine: Engine):
    """next_attempt_at is kept to the second."""
    a_notification(engine, next_attempt_at=NOON + timedelta(seconds=1))
    sender = FakeSender()

    assert deliver(engine, sender) == 0
    assert deliver(engine, sender, after=timedelta(seconds=1)) == 1


def test_text_in_the_window_and_template_with_buttons_outside(engine: Engine):
    """The choice is made at the moment of sending."""
    a_notification(engine, "ntf_1")
    sender = FakeSender()
    deliver(engine, sender)
    open_window(engine)
    a_notification(engine, "ntf_2")
    deliver(engine, sender, after=timedelta(seconds=10))

    outside, inside = sender.sent
    alert_id = the_row(engine, "ntf_1").alert_id
    assert (outside.form, outside.buttons) == (Form.TEMPLATE, (f"ack:{alert_id}", f"snooze:{alert_id}"))
    assert (inside.form, inside.buttons) == (Form.TEXT, ())


def test_a_passing_fault_is_tried_again_and_leaves_its_trace(engine: Engine):
    """One row an attempt, and the last reason on the message."""
    a_notification(engine)
    sender = FakeSender([Retry("131016", "busy"), Retry("131016", "busy")])

    deliver(engine, sender)
    assert the_row(engine).next_attempt_at == NOON + timedelta(seconds=5)
    deliver(engine, sender, after=timedelta(seconds=6))
    assert the_row(engine).next_attempt_at == NOON + timedelta(seconds=36)
    deliver(engine, sender, after=timedelta(seconds=37))

    assert the_attempts(engine) == ["retry", "retry", "accepted"]
    assert the_row(engine).error_code == ""


def test_too_old_is_dropped_and_shown_never_sent(engine: Engine):
    """An alert that comes a quarter of an hour late would be a lie."""
    a_notification(engine)
    sender = FakeSender()

    assert deliver(engine, sender, after=timedelta(minutes=15)) == 0

    assert the_row(engine).state == "dropped_stale"


def test_a_closed_alert_is_not_sent_any_more(engine: Engine):
    """The person is back: silence is the better message."""
    a_notification(engine)
    close_alert(engine)

    assert deliver(engine, FakeSender()) == 0
    assert the_row(engine).state == "cancelled"


def test_an_alert_that_closes_between_the_look_and_the_lease_is_not_sent(engine: Engine, monkeypatch):
    """The lease itself asks again."""
    a_notification(engine)
    found = deliver_notifications._due

    def then_closes(*asked):
        rows = found(*asked)
        deliver_notifications_session = asked[0]
        for alert in deliver_notifications_session.scalars(select(Alert)):
            alert.state = "closed"
        return rows

    monkeypatch.setattr(deliver_notifications, "_due", then_closes)

    assert deliver(engine, FakeSender()) == 0


def test_a_closed_window_is_answered_with_the_template_once(engine: Engine):
    """131047 also tells us that what we believed of the window was wrong."""
    open_window(engine)
    a_notification(engine)
    sender = FakeSender([Failed(ErrorClass.SWITCH_FORM, "131047", "window closed")])

    deliver(engine, sender)
    deliver(engine, sender, after=timedelta(seconds=7))

    assert [message.form for message in sender.sent] == [Form.TEXT, Form.TEMPLATE]
    assert the_row(engine).state == "accepted"
    with Session(engine) as session:
        assert session.get(Conversation, PHONE) is None


def test_the_form_is_switched_only_once(engine: Engine):
    """A template that is refused for the same reason is the end."""
    open_window(engine)
    a_notification(engine)
    refusal = Failed(ErrorClass.SWITCH_FORM, "131047", "window closed")
    sender = FakeSender([refusal, refusal])

    deliver(engine, sender)
    deliver(engine, sender, after=timedelta(seconds=7))

    assert (len(sender.sent), the_row(engine).state) == (2, "failed")


@pytest.mark.parametrize("error_class", [ErrorClass.RECIPIENT, ErrorClass.TEMPLATE, ErrorClass.BUG])
def test_what_is_permanent_is_given_up_at_once(engine: Engine, error_class: ErrorClass):
    """The class, the code and the provider's words stay with it."""
    a_notification(engine)

    deliver(engine, FakeSender([Failed(error_class, "42", "never")]))

    row = the_row(engine)
    assert (row.state, row.error_class, row.error_code, row.error_text) == (
        "failed",
        error_class,
        "42",
        "never",
    )


def test_a_channel_that_refuses_us_rests_and_it_is_told_by_e_mail(engine: Engine):
    """The messages wait; one of them asks again after five minutes; success ends the rest."""
    with UnitOfWork(engine) as work:
        a_site(work.session)
        a_recipient(work.session, "it", email="it@pabrik.example")
    for number in (1, 2):
        a_notification(engine, f"ntf_{number}", recipient=f"628{number}")
    sender = FakeSender([Failed(ErrorClass.CHANNEL, "190", "token expired")])

    assert deliver(engine, sender) == 1
    assert deliver(engine, sender, after=timedelta(minutes=4)) == 0
    with Session(engine) as session:
        assert session.get_one(ChannelHold, "whatsapp").words == "token expired"
        told = session.scalars(select(Notification).where(Notification.kind == "notice")).one()
        assert (told.channel, told.recipient) == ("email", "it@pabrik.example")

    assert deliver(engine, sender, after=timedelta(minutes=5)) == 2
    with Session(engine) as session:
        assert session.get(ChannelHold, "whatsapp") is None


def test_a_dead_network_costs_one_time_out_a_round(engine: Engine):
    """The other messages of the channel wait for the next round."""
    for number in (1, 2, 3):
        a_notification(engine, f"ntf_{number}", recipient=f"628{number}")
    sender = FakeSender([Retry("network", "unreachable")])

    assert deliver(engine, sender) == 1


def test_the_same_phone_gets_one_message_in_six_seconds(engine: Engine):
    """The others of the same supervisor follow one by one."""
    for number in (1, 2, 3):
        a_notification(engine, f"ntf_{number}")
    sender = FakeSender()

    sent = [deliver(engine, sender, after=timedelta(seconds=second)) for second in range(14)]

    assert sent == [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0]


def test_two_senders_never_send_the_same_message(engine: Engine):
    """The second one finds the lease taken."""
    a_notification(engine)
    second = FakeSender()

    class First(FakeSender):
        def send(self, message: Message) -> Outcome:
            deliver(engine, second)
            return super().send(message)

    first = First()
    deliver(engine, first)

    assert (len(first.sent), len(second.sent)) == (1, 0)


def test_a_message_that_we_cannot_even_write_does_not_stop_the_others(engine: Engine):
    """A mistake of ours ends one message, not the round."""
    a_notification(engine, "ntf_1", recipient="6281")
    a_notification(engine, "ntf_2", recipient="6282")

    class Clumsy(FakeSender):
        def send(self, message: Message) -> Outcome:
            if message.notification_id == "ntf_1":
                raise KeyError("text")
            return super().send(message)

    assert deliver(engine, Clumsy()) == 2
    assert [the_row(engine, each).state for each in ("ntf_1", "ntf_2")] == ["failed", "accepted"]


def test_doubt_is_sent_again_when_no_callback_came(engine: Engine):
    """Better twice than never, but only after a long enough silence."""
    a_notification(engine)
    sender = FakeSender([Ambiguous("no_answer", "timed out")])

    deliver(engine, sender)
    deliver(engine, sender, after=timedelta(seconds=89))
    assert len(sender.sent) == 1
    deliver(engine, sender, after=timedelta(seconds=90))

    assert [message.attempt for message in sender.sent] == [1, 2]
    assert the_row(engine).state == "accepted"


# -- with the sandbox and the webhook, over real sockets ----------------------------------------------------


@dataclass
class World:
    """The outbox, the sandbox and our webhook, joined by real sockets; its clock is ours."""

    engine: Engine
    sandbox: SandboxServer
    moment: datetime

    def deliver(self, sender=None, *, after: timedelta = timedelta(0)) -> int:
        self.moment += after
        senders = {"whatsapp": sender or self.sandbox.sender()}
        return deliver_due(self.engine, senders, now=lambda: self.moment, chance=lambda: 0.0)

    def notify(self, notification_id: str = "ntf_1") -> None:
        times = ("next_attempt_at", "created_at", "updated_at")
        expiry = {"expires_at": self.moment + timedelta(minutes=15)}
        a_notification(self.engine, notification_id, **dict.fromkeys(times, self.moment), **expiry)

    def state(self) -> str:
        return the_row(self.engine).state


@pytest.fixture
def world(engine: Engine, tmp_path: Path) -> Iterator[World]:
    with (
        serving(a_webhook_app(engine)) as webhook,
        a_sandbox(tmp_path / "sandbox", callback=f"{webhook}/webhooks/whatsapp") as sandbox,
    ):
        yield World(engine, sandbox, datetime.now(UTC))


def test_the_ticks_come_back_to_the_outbox(world: World):
    """Accepted, sent, delivered: each with its own row, told by signed callbacks."""
    world.notify()

    world.deliver()

    until(lambda: world.state() == "delivered")
    assert the_attempts(world.engine) == ["accepted", "sent", "delivered"]


def test_a_hello_opens_the_window_and_the_four_lines_come_as_they_are(world: World):
    """What the demo shows: the first alert is the mission's text, byte for byte."""
    world.sandbox.post("open-window", phones=[PHONE])

    def is_open() -> bool:
        with Session(world.engine) as session:
            return session.get(Conversation, PHONE) is not None

    until(is_open)
    world.notify()
    world.deliver(after=timedelta(seconds=1))

    (seen,) = world.sandbox.messages()
    assert seen["text"] == (
        "[ALERT] EMP001 - Budi Santoso\nStatus: OUT OF AREA (last seen 6 min ago)\n"
        "Location: Entrance Zone\nNotified to: Supervisor - Sari Dewi"
    )


def test_a_tap_on_acknowledge_takes_the_alert_and_opens_the_window(world: World):
    """The button comes back with the alert's number; the name is the one we wrote to."""
    world.notify()
    world.deliver()
    (message,) = world.sandbox.messages()

    world.sandbox.post("tap", id=message["id"], button=0)

    def alert() -> Alert:
        with Session(world.engine) as session:
            return session.scalars(select(Alert)).one()

    until(lambda: alert().acknowledged_at is not None)
    assert alert().acknowledged_by == "Sari Dewi"
    with Session(world.engine) as session:
        assert session.get(Conversation, PHONE) is not None


def test_a_window_that_closed_behind_our_back_becomes_a_template(world: World):
    """The refusal comes by callback, after the API had accepted the text."""
    world.sandbox.post("close-window", phones=[PHONE])
    with UnitOfWork(world.engine) as work:
        work.session.add(Conversation(phone=PHONE, last_inbound_at=world.moment - timedelta(hours=1)))
    world.notify()
    world.deliver()
    until(lambda: world.state() == "pending")

    world.deliver(after=timedelta(seconds=7))

    until(lambda: world.state() == "delivered")
    (seen,) = world.sandbox.visible()
    assert seen["template"] == "out_of_area_v1"


def test_a_time_out_after_the_request_is_settled_by_the_callback(world: World):
    """The message is on the phone: nothing is sent a second time."""
    world.sandbox.meet({"silence_s": 0.5})
    world.notify()

    world.deliver(world.sandbox.sender(timeout_s=(1, 0.1)))
    until(lambda: world.state() == "delivered")
    world.deliver(after=timedelta(minutes=5))

    assert len(world.sandbox.visible()) == 1


def test_a_failure_that_comes_by_callback_is_tried_again(world: World):
    """131026 is the end; a passing fault is not."""
    world.sandbox.meet({"later": 131000})
    world.notify()
    world.deliver()
    until(lambda: world.state() == "pending")

    world.deliver(after=timedelta(seconds=10))

    until(lambda: world.state() == "delivered")
    assert the_attempts(world.engine) == ["accepted", "failed", "accepted", "sent", "delivered"]


class Crash(BaseException):
    """The process dies here: nothing after this line happens."""


def _die(*_args, **_more):
    raise Crash


@pytest.mark.parametrize("step", ["before the lease", "after the lease", "after the send", "after settling"])
def test_a_crash_between_any_two_steps_leaves_exactly_one_message(world: World, monkeypatch, step: str):
    """Zero lost, none twice: what we cannot know, the callback tells."""
    world.notify()
    sender = world.sandbox.sender()

    class Dying:
        def send(self, message: Message) -> Outcome:
            if step == "after the send":
                sender.send(message)
            raise Crash

    with monkeypatch.context() as broken:
        if step == "before the lease":
            broken.setattr(deliver_notifications, "take", _die)
        elif step == "after settling":
            broken.setattr(deliver_notifications, "apply", _die)
        with pytest.raises(Crash):
            world.deliver(sender if step in {"before the lease", "after settling"} else Dying())
    if step in {"after the send", "after settling"}:
        until(lambda: world.state() == "delivered")

    for _ in range(4):
        world.deliver(after=timedelta(seconds=60))

    until(lambda: world.state() == "delivered")
    assert len(world.sandbox.visible()) == 1
