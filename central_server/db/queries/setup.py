"""The first-run checklist: what is still missing before the board can tell anything."""

from dataclasses import dataclass

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from central_server.db.models import (
    Agent,
    Badge,
    Camera,
    Employee,
    FaceTemplate,
    OrgHierarchy,
    ReportRecipient,
    ShiftAssignment,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    has_agent: bool
    has_camera: bool
    has_employee: bool
    has_template: bool
    has_badge: bool  # somebody has a PIN or a badge to punch with
    has_supervisor: bool
    has_shift: bool
    has_recipient: bool

    @property
    def is_done(self) -> bool:
        """Without these the board is empty; the rest can follow."""
        return self.has_agent and self.has_employee and (self.has_template or self.has_badge)


def read_setup(session: Session) -> Setup:
    asked = {
        "has_agent": Agent,
        "has_camera": Camera,
        "has_employee": Employee,
        "has_template": FaceTemplate,
        "has_badge": Badge,
        "has_supervisor": OrgHierarchy,
        "has_shift": ShiftAssignment,
        "has_recipient": ReportRecipient,
    }
    query = select(*(exists(select(1).select_from(table)).label(name) for name, table in asked.items()))
    row = session.execute(query).one()
    return Setup(**{name: bool(getattr(row, name)) for name in asked})


def count_open_alerts(session: Session, team: frozenset[str] | None) -> int:
    """Return how many open alerts nobody has acknowledged; the number beside Alerts in the menu."""
    from central_server.db.models import Alert

    query = select(func.count()).where(Alert.state == "open", Alert.acknowledged_at.is_(None))
    if team is not None:
        query = query.where(Alert.employee_id.in_(team))
    return session.scalar(query) or 0
