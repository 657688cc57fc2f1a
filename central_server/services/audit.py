"""The audit log: what was changed, or read of biometric data, and by whom."""

from datetime import datetime
from typing import Any

from central_server.db.models import AuditLog
from central_server.db.unit_of_work import UnitOfWork


def note(
    work: UnitOfWork, actor: str, action: str, subject: str = "", *, now: datetime, **detail: Any
) -> None:
    """Append one line; it stands or falls with the transaction it belongs to."""
    work.session.add(AuditLog(at=now, actor=actor, action=action, subject=subject, detail=detail))
