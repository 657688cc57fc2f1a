"""The accounts, and the audit log."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from central_server.db.models import AuditLog, Employee, User
from central_server.db.queries.places import Places


@dataclass(frozen=True, slots=True, kw_only=True)
class UserLine:
    user_id: int
    username: str
    name: str
    role: str
    employee: str
    is_disabled: bool
    last_login: datetime | None  # local


def read_users(session: Session, places: Places) -> tuple[UserLine, ...]:
    query = select(User, Employee.name).outerjoin(Employee, Employee.employee_id == User.employee_id)
    return tuple(
        UserLine(
            user_id=user.user_id,
            username=user.username,
            name=user.name,
            role=user.role,
            employee=employee or "",
            is_disabled=user.disabled_at is not None,
            last_login=places.local(user.last_login_at),
        )
        for user, employee in session.execute(query.order_by(User.username))
    )


def audit_query(words: str) -> Select[Any]:
    """Return the question for a page of the audit log, newest first, for db.paginate."""
    query = select(AuditLog).order_by(AuditLog.id.desc())
    if not words:
        return query
    return query.where(
        AuditLog.actor.icontains(words, autoescape=True)
        | AuditLog.action.icontains(words, autoescape=True)
        | AuditLog.subject.icontains(words, autoescape=True)
    )
