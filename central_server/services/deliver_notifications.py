"""Send what is due: lease a row, send it outside of any transaction, settle what came of it.

A row is leased by one conditional UPDATE, so two workers never send the same one at the same time. A worker
that dies after the lease leaves a row whose lease runs out; by then the provider's status callback has come
if the message had gone out, and only a row that nobody has heard of is sent again.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Engine, and_, not_, or_, select, update
from sqlalchemy.orm import Session

from central_server.db.models import Alert, ChannelHold, Conversation, DeliveryAttempt, Notification
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.delivery import (
    LEASE,
    Failed,
    Form,
    Message,
    Outcome,
    Retry,
    Sender,
    Settlement,
    buttons_of,
    earliest_to,
    form_for,
    phone_digits,
    settle,
)
from central_server.domain.delivery_errors import ErrorClass
from central_server.services.settle_notification import apply, can_switch, failures_of, record_attempt

log = logging.getLogger(__name__)

ROUND = timedelta(seconds=20)  # a round of sending ends after so long: the caller has other work
BATCH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A row that is ours to send. attempt is the fence: whoever holds a later one has taken over."""

    channel: str
    message: Message
    attempt: int


def deliver_due(
    engine: Engine,
    senders: Mapping[str, Sender],
    *,
    now: Callable[[], datetime],
    chance: Callable[[], float],
) -> int:
    """Send what is due on the channels of senders; return how many messages were tried."""
    began = now()
    with UnitOfWork(engine) as work:
        drop_the_overdue(work.session, began)
        held = channels_held(work.session, began)
        due = _due(work.session, began, [name for name in senders if name not in held])
    tried, silent = 0, set()
    for notification_id, channel in due:
        if now() - began > ROUND:
            break
        if channel in silent:
            continue
        with UnitOfWork(engine) as work:
            lease = take(work, notification_id, now())
        if lease is None:
            continue
        tried += 1
        outcome, settlement = _send_and_settle(engine, senders[channel], lease, now, chance)
        if settlement.holds_channel or (isinstance(outcome, Retry) and outcome.code == "network"):
            silent.add(channel)  # the next one would only wait for the same time-out
    return tried


def _send_and_settle(
    engine: Engine,
    sender: Sender,
    lease: Lease,
    now: Callable[[], datetime],
    chance: Callable[[], float],
) -> tuple[Outcome, Settlement]:
    started = now()
    try:
        outcome = sender.send(lease.message)
    except Exception as error:  # our own mistake in one message must not keep the others from going
        log.exception("%s could not be sent at all", lease.message.notification_id)
        outcome = Failed(ErrorClass.BUG, "bug", type(error).__name__)
    finished = now()
    with UnitOfWork(engine) as work:
        settlement = settle_lease(
            work, lease, outcome, now=finished, took=finished - started, chance=chance()
        )
    return outcome, settlement


def drop_the_overdue(session: Session, now: datetime) -> None:
    """Give up what is too old to be true, and what is about an alert that is closed; never an open send."""
    free = or_(
        Notification.state.in_(("pending", "ambiguous")),
        and_(Notification.state == "leased", Notification.leased_until < now),
    )
    for state, which in (
        ("cancelled", _is_about_closed()),
        ("dropped_stale", Notification.expires_at <= now),
    ):
        found = session.scalars(
            update(Notification)
            .where(free, which)
            .values(state=state, leased_until=None, updated_at=now)
            .returning(Notification.notification_id)
        ).all()
        for notification_id in found:
            log.warning("%s is %s: not sent", notification_id, state)


def _is_about_closed() -> ColumnElement[bool]:
    closed = select(Alert.alert_id).where(Alert.state == "closed")
    return and_(Notification.alert_id.is_not(None), Notification.alert_id.in_(closed))


def channels_held(session: Session, now: datetime) -> list[str]:
    """Return the channels that refused us and are not to be tried yet."""
    return list(session.scalars(select(ChannelHold.channel).where(ChannelHold.until > now)))


def _is_due(now: datetime) -> ColumnElement[bool]:
    return or_(
        and_(Notification.state.in_(("pending", "ambiguous")), Notification.next_attempt_at <= now),
        and_(Notification.state == "leased", Notification.leased_until < now),
    )


def _due(session: Session, now: datetime, channels: list[str]) -> list[tuple[str, str]]:
    rows = session.execute(
        select(Notification.notification_id, Notification.channel)
        .where(_is_due(now), Notification.channel.in_(channels))
        .order_by(Notification.next_attempt_at, Notification.created_at)
        .limit(BATCH)
    )
    return [(row.notification_id, row.channel) for row in rows]


def take(work: UnitOfWork, notification_id: str, now: datetime) -> Lease | None:
    """Reserve a due row for this sender; None when another has it or the phone got a message just now."""
    session = work.session
    row = session.get(Notification, notification_id)
    if row is None:
        return None
    if row.channel == "whatsapp":
        earliest = earliest_to(_last_attempt_to(session, row), now)
        if earliest > now:
            return None
    mine = session.scalar(
        update(Notification)
        .where(Notification.notification_id == notification_id, _is_due(now))
        .where(Notification.expires_at > now, not_(_is_about_closed()))
        .values(state="leased", leased_until=now + LEASE, attempts=Notification.attempts + 1, updated_at=now)
        .returning(Notification.attempts)
    )
    if mine is None:
        return None
    return Lease(channel=row.channel, message=_message(session, row, mine, now), attempt=mine)


def _message(session: Session, row: Notification, attempt: int, now: datetime) -> Message:
    conversation = session.get(Conversation, phone_digits(row.recipient))
    last_inbound_at = conversation.last_inbound_at if conversation else None
    must_switch = not can_switch(session, row)
    form = form_for(row.payload, last_inbound_at, must_switch=must_switch, now=now)
    return Message(
        notification_id=row.notification_id,
        recipient=row.recipient,
        payload=row.payload,
        form=form,
        buttons=buttons_of(row.kind, row.alert_id) if form is Form.TEMPLATE else (),
        attempt=attempt,
    )


def _last_attempt_to(session: Session, row: Notification) -> datetime | None:
    return session.scalar(
        select(DeliveryAttempt.at)
        .join(Notification)
        .where(
            Notification.recipient == row.recipient,
            Notification.channel == row.channel,
            DeliveryAttempt.duration_ms.is_not(None),  # a send of ours, not a callback about one
        )
        .order_by(DeliveryAttempt.at.desc())
        .limit(1)
    )


def settle_lease(
    work: UnitOfWork, lease: Lease, outcome: Outcome, *, now: datetime, took: timedelta, chance: float
) -> Settlement:
    """Write down what came of a send. A callback that was faster, or a later lease, is not overruled."""
    session = work.session
    row = session.get_one(Notification, lease.message.notification_id)
    settlement = settle(
        outcome,
        failures=failures_of(session, row) + 1,
        can_switch=can_switch(session, row) and lease.message.form is Form.TEXT,
        now=now,
        chance=chance,
    )
    record_attempt(session, row.notification_id, settlement, now, took=took)
    apply(session, row, settlement, now, is_ours=row.state == "leased" and row.attempts == lease.attempt)
    return settlement
