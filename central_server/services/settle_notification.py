"""What one attempt, or one callback, does to the rows: shared by the sender and by the webhook."""

import logging
from datetime import datetime, timedelta
from uuid import uuid4

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from central_server.db.models import ChannelHold, Conversation, DeliveryAttempt, Notification, ReportRecipient
from central_server.domain.delivery import CHANNEL_HOLD, Settlement, phone_digits

log = logging.getLogger(__name__)

WINDOW_CLOSED = "131047"
NOTICE_EXPIRY = timedelta(hours=12)


def can_switch(session: Session, row: Notification) -> bool:
    """Tell whether there is a template that has not been asked for yet: the form changes once."""
    if "template" not in row.payload:
        return False
    refusals = select(func.count()).where(
        DeliveryAttempt.notification_id == row.notification_id,
        DeliveryAttempt.error_code == WINDOW_CLOSED,
    )
    return session.scalar(refusals) == 0


def failures_of(session: Session, row: Notification) -> int:
    """Return how many attempts at row came to nothing so far."""
    failures = select(func.count()).where(
        DeliveryAttempt.notification_id == row.notification_id,
        DeliveryAttempt.outcome.in_(("retry", "failed")),
    )
    return session.scalar(failures) or 0


def record_attempt(
    session: Session,
    notification_id: str,
    settlement: Settlement,
    now: datetime,
    *,
    took: timedelta | None = None,
) -> None:
    """Append what happened; nothing is ever changed here."""
    outcome = "retry" if settlement.state == "pending" else settlement.state
    session.add(
        DeliveryAttempt(
            notification_id=notification_id,
            at=now,
            outcome=outcome,
            error_code=settlement.error_code,
            provider_words=settlement.words[:400],
            provider_message_id=settlement.provider_message_id,
            duration_ms=None if took is None else int(took.total_seconds() * 1000),
        )
    )


def apply(
    session: Session, row: Notification, settlement: Settlement, now: datetime, *, is_ours: bool
) -> None:
    """Bring row and its channel to settlement. is_ours: row still is in the hands that settle it."""
    if settlement.closes_window:
        _close_window(session, row)
    if settlement.provider_message_id:
        row.provider_message_id = settlement.provider_message_id
    if is_ours:
        row.state = settlement.state
        row.leased_until = None
        row.next_attempt_at = settlement.next_attempt_at or row.next_attempt_at
        row.error_class = settlement.error_class
        row.error_code = settlement.error_code
        row.error_text = settlement.words[:400]
        row.updated_at = now
        if settlement.state == "failed":
            log.error("%s failed for good (%s): %s", row.notification_id, row.error_code, row.error_text)
    if settlement.holds_channel:
        _hold(session, row.channel, settlement, now)
    elif settlement.state == "accepted":
        _release(session, row.channel)


def _close_window(session: Session, row: Notification) -> None:
    """Forget that the window was open, unless the person wrote after we last touched row."""
    conversation = session.get(Conversation, phone_digits(row.recipient))
    if conversation is not None and conversation.last_inbound_at < row.updated_at:
        session.delete(conversation)


def _hold(session: Session, channel: str, settlement: Settlement, now: datetime) -> None:
    hold = session.get(ChannelHold, channel)
    if hold is None:
        hold = ChannelHold(channel=channel, since=now, until=now + CHANNEL_HOLD)
        session.add(hold)
        _tell_it(session, channel, settlement, now)
    hold.until = now + CHANNEL_HOLD
    hold.error_code = settlement.error_code
    hold.words = settlement.words[:400]
    log.error("%s refuses us (%s): %s", channel, settlement.error_code, settlement.words)


def _release(session: Session, channel: str) -> None:
    if hold := session.get(ChannelHold, channel):
        session.delete(hold)
        log.warning("%s works again", channel)


def _tell_it(session: Session, channel: str, settlement: Settlement, now: datetime) -> None:
    """Write to those who look after the system, by e-mail, unless it is e-mail that is down."""
    if channel == "email":
        return
    words = f"{settlement.error_code}: {settlement.words}"
    text = (
        f"Messages by {channel} are not going out: the provider refuses them.\n\n{words}\n\n"
        "They are tried again every few minutes; alerts that grow too old are dropped and shown as such."
    )
    it = select(ReportRecipient.email).where(ReportRecipient.role == "it", ReportRecipient.email != "")
    for address in session.scalars(it.distinct()):
        session.add(
            Notification(
                notification_id=f"ntf_{uuid4().hex}",
                dedupe_key=f"channel:{channel}:{now.isoformat()}:{address}",
                kind="notice",
                channel="email",
                recipient=address,
                payload={"subject": f"[Hadir] {channel} has stopped", "text": text},
                next_attempt_at=now,
                expires_at=now + NOTICE_EXPIRY,
                created_at=now,
                updated_at=now,
            )
        )
