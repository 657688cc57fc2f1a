"""Alerts, and the whole story of one: why it was opened, who was told, and how it ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, Alert, DeliveryAttempt, Employee, Event, Notification
from central_server.db.queries.places import Places
from central_server.db.queries.teams import Team


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLine:
    alert_id: int
    kind: str
    about: str  # the person's, camera's or agent's name
    employee_id: str | None
    where: str
    opened: datetime | None  # local
    closed: datetime | None  # local
    close_reason: str
    contradicted_by: datetime | None  # local: seen then, so it was wrong
    acknowledged: datetime | None  # local
    acknowledged_by: str
    told: str  # who was told
    delivery: str  # state of the notification that got furthest, or empty

    @property
    def is_open(self) -> bool:
        return self.closed is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    at: datetime | None  # local
    outcome: str
    words: str
    code: str
    duration_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    channel: str
    recipient: str
    name: str
    state: str
    error: str
    text: str
    created: datetime | None  # local
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertStory:
    line: AlertLine
    log: str
    last_seen: datetime | None  # local
    seen_by: str  # the camera of the sighting that contradicts it
    day: date | None  # the business date it is about
    told: tuple[Told, ...]


PROGRESS = ("cancelled", "dropped_stale", "failed", "pending", "leased", "ambiguous", "accepted", "sent")
PROGRESS += ("delivered", "read")


def alerts_query(state: str, kind: str, team: Team) -> Select[Any]:
    """Return the question for a page of alerts, newest first, for db.paginate."""
    query = select(Alert).order_by(Alert.ts.desc(), Alert.alert_id.desc())
    if state:
        query = query.where(Alert.state == state)
    if kind:
        query = query.where(Alert.kind == kind)
    return query if team is None else query.where(Alert.employee_id.in_(team))


def alert_lines(session: Session, places: Places, rows: Sequence[Alert]) -> tuple[AlertLine, ...]:
    """Return the lines for these alerts, with three questions whatever their number."""
    named = select(Employee.employee_id, Employee.name).where(
        Employee.employee_id.in_({each.employee_id for each in rows if each.employee_id})
    )
    people = dict(session.execute(named).all())
    agents = dict(session.execute(select(Agent.agent_id, Agent.name)).all())
    sent = _notifications(session, [each.alert_id for each in rows])
    return tuple(_line(each, places, people, agents, sent.get(each.alert_id, [])) for each in rows)


def alerts_of(session: Session, places: Places, employee_id: str, limit: int = 10) -> tuple[AlertLine, ...]:
    rows = session.scalars(
        select(Alert).where(Alert.employee_id == employee_id).order_by(Alert.ts.desc()).limit(limit)
    ).all()
    return alert_lines(session, places, rows)


def _notifications(session: Session, alert_ids: Sequence[int]) -> dict[int, list[Notification]]:
    found: dict[int, list[Notification]] = {}
    query = select(Notification).where(Notification.alert_id.in_(alert_ids)).order_by(Notification.created_at)
    for each in session.scalars(query):
        if each.alert_id is not None:
            found.setdefault(each.alert_id, []).append(each)
    return found


def _line(
    row: Alert,
    places: Places,
    people: dict[str, str],
    agents: dict[str, str],
    sent: list[Notification],
) -> AlertLine:
    about = (
        people.get(row.employee_id or "", "")
        or (places.camera_name(row.camera_id) if row.camera_id else "")
        or agents.get(row.agent_id or "", row.agent_id or "")
    )
    best = max(sent, key=lambda each: PROGRESS.index(each.state), default=None)
    names = {each.recipient_name or each.recipient for each in sent}
    return AlertLine(
        alert_id=row.alert_id,
        kind=row.kind,
        about=about or row.employee_id or "",
        employee_id=row.employee_id,
        where=places.where(row.zone_id, row.camera_id),
        opened=places.local(row.ts, row.site_id),
        closed=places.local(row.closed_at, row.site_id),
        close_reason=row.close_reason,
        contradicted_by=places.local(row.contradicted_by, row.site_id),
        acknowledged=places.local(row.acknowledged_at, row.site_id),
        acknowledged_by=row.acknowledged_by,
        told=", ".join(sorted(names)) or row.supervisor_name,
        delivery=best.state if best else "",
    )


def read_alert(session: Session, places: Places, alert_id: int, team: Team) -> AlertStory | None:
    """Return one alert with everything that followed, or None when there is none for this user."""
    row = session.get(Alert, alert_id)
    if row is None or (team is not None and row.employee_id not in team):
        return None
    sent = _notifications(session, [alert_id]).get(alert_id, [])
    attempts: dict[str, list[DeliveryAttempt]] = {}
    query = select(DeliveryAttempt).where(
        DeliveryAttempt.notification_id.in_([each.notification_id for each in sent])
    )
    for each in session.scalars(query.order_by(DeliveryAttempt.id)):
        attempts.setdefault(each.notification_id, []).append(each)
    return AlertStory(
        line=alert_lines(session, places, [row])[0],
        log=row.log,
        last_seen=places.local(row.last_seen, row.site_id),
        seen_by=_seen_by(session, places, row),
        day=_day_of(row),
        told=tuple(_told(each, attempts.get(each.notification_id, []), places, row.site_id) for each in sent),
    )


def _seen_by(session: Session, places: Places, row: Alert) -> str:
    """Return which camera saw the person after all."""
    if row.contradicted_by is None:
        return ""
    query = select(Event.camera_id).where(
        Event.employee_id == row.employee_id, Event.last_seen == row.contradicted_by
    )
    return places.camera_name(session.scalar(query.limit(1)))


def _day_of(row: Alert) -> date | None:
    """Return the business date that the key of an alert about a person tells."""
    try:
        return date.fromisoformat(row.dedupe_key.rsplit(":", 2)[-2]) if row.employee_id else None
    except (ValueError, IndexError):
        return None


def _told(row: Notification, attempts: list[DeliveryAttempt], places: Places, site_id: str) -> Told:
    return Told(
        channel=row.channel,
        recipient=row.recipient,
        name=row.recipient_name,
        state=row.state,
        error=row.error_text,
        text=str(row.payload.get("text", "")),
        created=places.local(row.created_at, site_id),
        attempts=tuple(
            Attempt(
                at=places.local(each.at, site_id),
                outcome=each.outcome,
                words=each.provider_words,
                code=each.error_code,
                duration_ms=each.duration_ms,
            )
            for each in attempts
        ),
    )
