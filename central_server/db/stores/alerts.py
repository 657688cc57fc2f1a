"""Alerts and the messages about them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from central_server.db.models import Alert, Employee, Notification
from central_server.domain.alerts import Kind, OpenAlert, OpenOne, PastAlert


def open_ones(session: Session, site_id: str) -> list[OpenOne]:
    """Return the alerts of a site that are open."""
    return _open(session, Alert.site_id == site_id)


def open_about(session: Session, employee_id: str) -> list[OpenOne]:
    """Return the alerts about a person that are open, at any site."""
    return _open(session, Alert.employee_id == employee_id)


def add(
    session: Session,
    alert: OpenAlert,
    *,
    log: str,
    supervisor_id: str | None = None,
    supervisor_name: str = "",
) -> int | None:
    """Store the alert and return its id; None when it was opened before."""
    row = {
        "dedupe_key": alert.dedupe_key,
        "kind": alert.kind.value,
        "level": alert.level,
        "ts": alert.opened_at,
        "employee_id": alert.employee_id,
        "site_id": alert.site_id,
        "zone_id": alert.zone_id,
        "camera_id": alert.camera_id,
        "agent_id": alert.agent_id,
        "episode": alert.episode,
        "last_seen": alert.last_seen,
        "log": log[:1024],
        "supervisor_id": supervisor_id,
        "supervisor_name": supervisor_name,
    }
    return session.scalar(
        _insert(session, Alert).values(**row).on_conflict_do_nothing().returning(Alert.alert_id)
    )


def close(session: Session, alert_id: int, reason: str, now: datetime) -> None:
    """Close the alert, and take back its messages that nobody has begun to send."""
    session.execute(
        update(Alert)
        .where(Alert.alert_id == alert_id, Alert.state == "open")
        .values(state="closed", closed_at=now, close_reason=reason)
    )
    session.execute(
        update(Notification)
        .where(Notification.alert_id == alert_id, Notification.state == "pending")
        .values(state="cancelled", updated_at=now)
    )


def out_of_area_since(session: Session, employee_ids: Collection[str], since: datetime) -> list[PastAlert]:
    """Return the alerts about those people, open or closed, that were opened at since or later."""
    wanted = (
        select(Alert, Employee.role)
        .join(Employee)
        .where(
            Alert.employee_id.in_(employee_ids),
            Alert.kind == Kind.OUT_OF_AREA.value,
            Alert.ts >= since,
            Alert.last_seen.is_not(None),
        )
    )
    return [
        PastAlert(
            alert_id=row.alert_id,
            employee_id=row.employee_id or "",
            opened_at=row.ts,
            last_seen=row.last_seen or row.ts,
            zone_id=row.zone_id,
            role=role or "",
            contradicted_by=row.contradicted_by,
        )
        for row, role in session.execute(wanted)
    ]


def note_contradiction(session: Session, alert_id: int, seen_at: datetime, now: datetime) -> bool:
    """Write down which sighting shows that the alert was wrong, and close it; say whether it was open."""
    is_open = session.scalar(select(Alert.state).where(Alert.alert_id == alert_id)) == "open"
    session.execute(update(Alert).where(Alert.alert_id == alert_id).values(contradicted_by=seen_at))
    close(session, alert_id, "contradicted", now)
    return is_open


def enqueue(session: Session, message: Mapping[str, Any], *, now: datetime, expires_at: datetime) -> bool:
    """Put a message into the outbox; False when it is there already."""
    row = {
        "notification_id": f"ntf_{uuid4().hex}",
        "next_attempt_at": now,
        "expires_at": expires_at,
        "created_at": now,
        "updated_at": now,
    } | dict(message)
    new = _insert(session, Notification).values(**row).on_conflict_do_nothing()
    return session.scalar(new.returning(Notification.notification_id)) is not None


def _open(session: Session, condition: object) -> list[OpenOne]:
    rows = session.execute(
        select(Alert.alert_id, Alert.kind, Alert.employee_id, Alert.camera_id, Alert.agent_id).where(
            Alert.state == "open",
            condition,  # type: ignore[arg-type]
        )
    ).mappings()
    return [OpenOne(**row) for row in rows]


def _insert(session: Session, table: type) -> Any:
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    return sqlite.insert(table) if is_sqlite else postgresql.insert(table)
