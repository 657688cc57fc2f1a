"""Small builders of rows and facts: every argument has a default that makes a working whole."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from central_server.config import RulesConfig
from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import OvertimeRule
from common.events import Envelope, EventKind, RecognitionEvent

MONDAY = date(2026, 11, 23)
FOR_GOOD = datetime(2100, 1, 1, tzinfo=UTC)
EIGHT_IN_JAKARTA = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)  # Monday, 08:00 WIB


def the_rules(**changes: Any) -> RulesConfig:
    return RulesConfig(
        **{
            "unseen_after": timedelta(minutes=5),
            "late_news": timedelta(minutes=10),
            "alert_expiry": timedelta(minutes=15),
            "day_cutoff": time(4),
            "overtime": OvertimeRule.APPROVED,
            "snapshot_days": 30,
        }
        | changes
    )


def a_site(
    session: Session, site_id: str = "plant", timezone: str = "Asia/Jakarta", **more: Any
) -> models.Site:
    """A site with a zone `<site>-gate`, an agent `<site>-agent` and a camera `<site>-cam`, all healthy."""
    site = models.Site(site_id=site_id, **{"name": "Plant One", "timezone": timezone} | more)
    session.add(site)
    session.flush()
    a_zone(session, f"{site_id}-gate", site_id)
    an_agent(session, f"{site_id}-agent", site_id)
    a_camera(session, f"{site_id}-cam", f"{site_id}-agent", site_id, f"{site_id}-gate")
    return site


def a_zone(session: Session, zone_id: str, site_id: str = "plant", **more: Any) -> models.Zone:
    zone = models.Zone(zone_id=zone_id, site_id=site_id, **{"name": "Entrance Zone"} | more)
    session.add(zone)
    session.flush()
    return zone


def an_agent(session: Session, agent_id: str, site_id: str = "plant", **more: Any) -> models.Agent:
    values = {"name": agent_id, "token_hash": agent_id, "manifest_key": "00", "joined_at": EIGHT_IN_JAKARTA}
    agent = models.Agent(agent_id=agent_id, site_id=site_id, **values | more)
    session.add(agent)
    session.flush()
    return agent


def a_camera(
    session: Session, camera_id: str, agent_id: str, site_id: str, zone_id: str | None, **more: Any
) -> models.Camera:
    """A camera that has watched, and always will as far as nothing else is said; see unproven()."""
    values = {"name": camera_id, "proven_to": FOR_GOOD} | more
    camera = models.Camera(camera_id=camera_id, agent_id=agent_id, site_id=site_id, zone_id=zone_id, **values)
    session.add(camera)
    session.flush()
    return camera


def an_employee(
    session: Session,
    employee_id: str = "EMP001",
    site_id: str = "plant",
    *,
    is_enrolled: bool = True,
    **more: Any,
) -> models.Employee:
    """Somebody with consent and a template, who is watched."""
    known_at = EIGHT_IN_JAKARTA - timedelta(hours=8)  # that day, and before every shift of it
    values = {"name": f"Person {employee_id}", "consent_at": known_at, "created_at": known_at}
    employee = models.Employee(employee_id=employee_id, site_id=site_id, **values | more)
    session.add(employee)
    session.flush()
    if is_enrolled:
        a_template(session, employee_id, created_at=employee.consent_at or employee.created_at)
    return employee


def a_template(
    session: Session, employee_id: str, model_id: str = "test:0", **more: Any
) -> models.FaceTemplate:
    enrolled_at = EIGHT_IN_JAKARTA - timedelta(hours=8)  # as in an_employee()
    values = {"embedding": b"\0" * 16, "dimension": 4, "created_at": enrolled_at}
    template = models.FaceTemplate(employee_id=employee_id, model_id=model_id, **values | more)
    session.add(template)
    session.flush()
    return template


def a_shift(session: Session, shift_id: str = "day", site_id: str = "plant", **more: Any) -> models.Shift:
    """A shift 08:00 to 17:00, Monday to Friday, which is the default of the site."""
    shift = models.Shift(shift_id=shift_id, **{"name": shift_id, "starts": time(8), "ends": time(17)} | more)
    session.add(shift)
    session.flush()
    session.add(models.ShiftAssignment(site_id=site_id, shift_id=shift_id))
    session.flush()
    return shift


def a_supervisor(session: Session, employee_id: str, of: str, level: int = 1, **more: Any) -> models.Employee:
    """Somebody with a phone who is told about `of`."""
    values = {"name": "Sari Dewi", "phone": "6281200000001"}
    supervisor = an_employee(session, employee_id, is_enrolled=False, **values | more)
    session.add(models.OrgHierarchy(employee_id=of, supervisor_id=employee_id, level=level))
    session.flush()
    return supervisor


def a_recipient(
    session: Session, role: str = "hr", site_id: str = "plant", **more: Any
) -> models.ReportRecipient:
    recipient = models.ReportRecipient(
        site_id=site_id, role=role, **{"name": "Human Resources", "phone": "6281200000009"} | more
    )
    session.add(recipient)
    session.flush()
    return recipient


def an_event(
    seq: int = 1,
    employee_id: str | None = "EMP001",
    at: datetime = EIGHT_IN_JAKARTA,
    *,
    agent_id: str = "plant-agent",
    camera_id: str = "plant-cam",
    epoch: str = "e1",
    **more: Any,
) -> RecognitionEvent:
    ms = round(at.timestamp() * 1000)
    values: dict[str, Any] = {
        "event_id": f"{agent_id}-{epoch}-{seq}",
        "seq": seq,
        "camera_id": camera_id,
        "track_id": "b1-1",
        "kind": EventKind.SEEN if employee_id else EventKind.UNKNOWN,
        "ts": ms,
        "last_seen": ms,
        "employee_id": employee_id,
        "sim_score": 0.6,
    }
    return RecognitionEvent(**values | more)


def an_envelope(*events: RecognitionEvent, epoch: str = "e1", first: int = 1) -> Envelope:
    return Envelope(epoch=epoch, first=first, events=tuple(events))


def unproven(engine: Engine) -> Engine:
    """No camera has ever watched, as far as is known: their history begins with what they will say."""
    with UnitOfWork(engine) as work:
        for camera in work.session.query(models.Camera):
            camera.proven_to = None
    return engine


def all_healthy(engine: Engine, at: datetime, *, since: datetime | None = None) -> None:
    """Every agent has just reported everything up to `at`, with all its cameras covered since `since`."""
    since = since or at - timedelta(days=2)
    with UnitOfWork(engine) as work:
        for agent in work.session.query(models.Agent):
            agent.state, agent.heartbeat_at, agent.reported_to, agent.skew_ms = "online", at, at, 0
        for camera in work.session.query(models.Camera):
            camera.state, camera.reason, camera.covered_since, camera.state_at = "online", "", since, since
            camera.proven_to = max(at, camera.proven_to or at)


def now() -> datetime:
    return datetime.now(UTC)
