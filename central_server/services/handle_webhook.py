"""Work on what a provider called back with. Everything here may come twice, late, and in any order."""

import logging
from datetime import datetime

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from central_server.db.models import Alert, Conversation, DeliveryAttempt, Notification, WebhookReceipt
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.delivery import (
    UNSETTLED,
    Failed,
    Settlement,
    alert_of,
    phone_digits,
    progress,
    settle,
)
from central_server.domain.delivery_errors import class_of
from central_server.domain.whatsapp_callbacks import CallbackError, Inbound, StatusUpdate, updates_in
from central_server.services.manage_alerts import acknowledge_alert
from central_server.services.settle_notification import apply, can_switch, failures_of, record_attempt

log = logging.getLogger(__name__)

BATCH = 100
YES = frozenset({"ok", "oke", "okay", "ack", "acknowledge", "siap", "baik"})  # a reply that acknowledges


def store_receipt(engine: Engine, provider: str, body: bytes, now: datetime) -> int:
    """Keep a callback as it came, for good, and return its number. Only then may it be answered with 200."""
    with UnitOfWork(engine) as work:
        receipt = WebhookReceipt(provider=provider, received_at=now, body=body)
        work.session.add(receipt)
        work.session.flush()
        return receipt.id


def handle_receipts(engine: Engine, now: datetime) -> int:
    """Work on every callback that nobody has worked on yet; return how many there were."""
    with engine.connect() as connection:
        waiting = connection.scalars(
            select(WebhookReceipt.id)
            .where(WebhookReceipt.handled_at.is_(None))
            .order_by(WebhookReceipt.id)
            .limit(BATCH)
        ).all()
    for receipt_id in waiting:
        with UnitOfWork(engine) as work:
            handle_receipt(work, receipt_id, now)
    return len(waiting)


def handle_receipt(work: UnitOfWork, receipt_id: int, now: datetime) -> None:
    """Work on one callback; one that makes no sense is logged and put aside, never met again."""
    receipt = work.session.get(WebhookReceipt, receipt_id)
    if receipt is None or receipt.handled_at is not None:
        return
    receipt.handled_at = now
    try:
        updates = updates_in(receipt.body)
    except CallbackError as problem:
        log.warning("callback %s is put aside: %s", receipt_id, problem)
        return
    for update in updates:
        if isinstance(update, StatusUpdate):
            _on_status(work.session, update, now)
        else:
            _on_inbound(work, update, now)


def _on_status(session: Session, update: StatusUpdate, now: datetime) -> None:
    row = _notification(session, update.tracker, update.provider_message_id)
    if row is None or _was_heard(session, row, update.provider_message_id, update.status):
        return
    if update.status == "failed":
        _on_failure(session, row, update, now)
    elif update.status in {"sent", "delivered", "read"}:
        _on_progress(session, row, update, now)


def _on_progress(session: Session, row: Notification, update: StatusUpdate, now: datetime) -> None:
    seen = Settlement(state=update.status, provider_message_id=update.provider_message_id)
    has_failed = _was_heard(session, row, update.provider_message_id, "failed")
    record_attempt(session, row.notification_id, seen, now)
    if update.status == "sent" and has_failed:
        return  # this sending failed after that, and the row may already be on its way again
    row.state = progress(row.state, update.status)
    row.provider_message_id = update.provider_message_id
    row.leased_until = None if row.state == update.status else row.leased_until
    if row.state != "failed":
        row.error_class = row.error_code = row.error_text = ""
    row.updated_at = now


def _on_failure(session: Session, row: Notification, update: StatusUpdate, now: datetime) -> None:
    is_current = row.provider_message_id in {None, update.provider_message_id} or row.state == "leased"
    code = update.error_code if update.error_code is not None else 131000
    settlement = settle(
        Failed(class_of(code), str(code), update.words),
        failures=failures_of(session, row) + 1,
        can_switch=can_switch(session, row),
        now=now,
        chance=0.5,
    )
    is_ours = is_current and row.state in UNSETTLED
    attempt = Settlement(
        state="failed",
        error_code=str(code),
        words=update.words,
        provider_message_id=update.provider_message_id,
    )
    record_attempt(session, row.notification_id, attempt, now)
    apply(session, row, settlement, now, is_ours=is_ours)


def _notification(session: Session, tracker: str, provider_message_id: str) -> Notification | None:
    if tracker and (row := session.get(Notification, tracker)):
        return row
    return session.scalar(
        select(Notification).where(Notification.provider_message_id == provider_message_id).limit(1)
    )


def _was_heard(session: Session, row: Notification, provider_message_id: str, status: str) -> bool:
    """Tell whether this very word about this very sending came before."""
    same = select(DeliveryAttempt.id).where(
        DeliveryAttempt.notification_id == row.notification_id,
        DeliveryAttempt.provider_message_id == provider_message_id,
        DeliveryAttempt.outcome == status,
    )
    return session.scalar(same.limit(1)) is not None


def _on_inbound(work: UnitOfWork, update: Inbound, now: datetime) -> None:
    at = min(update.at, now)
    if update.phone:
        _open_window(work.session, update.phone, at)
    if alert := _alert_meant(work.session, update):
        name = _name_of(work.session, alert, update.phone)
        acknowledge_alert(work, alert.alert_id, by=name, actor=f"whatsapp:{update.phone}", now=at)


def _open_window(session: Session, phone: str, at: datetime) -> None:
    key = phone_digits(phone)[:32]
    conversation = session.get(Conversation, key)
    if conversation is None:
        session.add(Conversation(phone=key, last_inbound_at=at))
        session.flush()
    elif conversation.last_inbound_at < at:
        conversation.last_inbound_at = at


def _alert_meant(session: Session, update: Inbound) -> Alert | None:
    """Return the alert that a tapped button or a quoting "OK" is about; the id of a button must fit too."""
    told = _notification(session, "", update.about) if update.about else None
    if (tapped := alert_of(update.button)) is not None:
        alert = session.get(Alert, tapped[1])
        return alert if alert is not None and _was_told(session, alert, update.phone, told) else None
    if not update.button and update.text.strip().lower().rstrip(".!") not in YES:
        return None
    if told is not None:
        return session.get(Alert, told.alert_id) if told.alert_id is not None else None
    return _newest_open_alert(session, update.phone)


def _was_told(session: Session, alert: Alert, phone: str, told: Notification | None) -> bool:
    if told is not None:
        return told.alert_id == alert.alert_id
    return phone_digits(phone) in {phone_digits(known) for known in _phones_told(session, alert.alert_id)}


def _phones_told(session: Session, alert_id: int) -> list[str]:
    return list(
        session.scalars(
            select(Notification.recipient).where(
                Notification.alert_id == alert_id, Notification.channel == "whatsapp"
            )
        )
    )


def _newest_open_alert(session: Session, phone: str) -> Alert | None:
    if not phone:
        return None
    return session.scalar(
        select(Alert)
        .join(Notification, Notification.alert_id == Alert.alert_id)
        .where(Notification.recipient.in_((phone, f"+{phone}")), Alert.state == "open")
        .order_by(Alert.ts.desc())
        .limit(1)
    )


def _name_of(session: Session, alert: Alert, phone: str) -> str:
    """Return the name under which phone was told about alert, else what we have."""
    told = session.execute(
        select(Notification.recipient, Notification.recipient_name).where(
            Notification.alert_id == alert.alert_id
        )
    )
    for recipient, name in told:
        if phone and phone_digits(recipient) == phone_digits(phone):
            return name or phone
    return alert.supervisor_name or phone or "WhatsApp"
