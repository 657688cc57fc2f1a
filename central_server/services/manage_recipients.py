"""Who gets the daily report."""

from datetime import datetime

from sqlalchemy import select

from central_server.db.models import ReportRecipient
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note
from central_server.services.manage_people import PersonRefused, normal_email, normal_phone


def add_recipient(
    work: UnitOfWork,
    *,
    site_id: str,
    name: str,
    role: str,
    phone: str,
    email: str,
    language: str,
    now: datetime,
    actor: str,
) -> ReportRecipient:
    """Add somebody to the report's list. Raises PersonRefused."""
    if not name.strip():
        raise PersonRefused("name", "name_empty")
    if role not in ("hr", "manager", "it"):
        raise PersonRefused("role", "unknown_role")
    try:
        digits = normal_phone(phone)
    except ValueError as error:
        raise PersonRefused("phone", "phone_wrong") from error
    try:
        address = normal_email(email)
    except ValueError as error:
        raise PersonRefused("email", "email_wrong") from error
    if not digits and not address:
        raise PersonRefused("phone", "no_address")
    for field, value in (("phone", digits), ("email", address)):
        same = (ReportRecipient.site_id == site_id, getattr(ReportRecipient, field) == value)
        if value and work.session.scalar(select(ReportRecipient.id).where(*same)):
            raise PersonRefused(field, "already_listed")
    recipient = ReportRecipient(
        site_id=site_id,
        name=" ".join(name.split()),
        role=role,
        phone=digits,
        email=address,
        language=language,
    )
    work.session.add(recipient)
    note(work, actor, "recipient.add", recipient.name, now=now, role=role)
    return recipient


def remove_recipient(work: UnitOfWork, recipient_id: int, *, now: datetime, actor: str) -> None:
    recipient = work.session.get(ReportRecipient, recipient_id)
    if recipient is not None:
        work.session.delete(recipient)
        note(work, actor, "recipient.remove", recipient.name, now=now)
