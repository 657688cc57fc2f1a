"""Somebody takes care of an alert."""

from datetime import datetime

from central_server.db.models import Alert
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note


def acknowledge_alert(work: UnitOfWork, alert_id: int, *, by: str, actor: str, now: datetime) -> bool:
    """Note who takes care of it; the first one counts. Tells whether it was ours."""
    alert = work.session.get(Alert, alert_id)
    if alert is None or alert.acknowledged_at is not None:
        return False
    alert.acknowledged_at, alert.acknowledged_by = now, by[:120]
    note(work, actor, "alert.acknowledge", str(alert_id), now=now)
    return True
