"""Whom a user may see: everybody, or for a supervisor the people below them."""

from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import OrgHierarchy
from central_server.domain.people import Link

Team = frozenset[str] | None  # None: everybody


def team_of(session: Session, role: str, employee_id: str | None, on: date) -> Team:
    """Return the employees a user may see; a supervisor sees those below, at every level."""
    if role != "supervisor":
        return None
    if employee_id is None:
        return frozenset()
    below: dict[str, set[str]] = {}
    for row in session.scalars(select(OrgHierarchy)):
        link = Link(
            employee_id=row.employee_id,
            supervisor_id=row.supervisor_id,
            level=row.level,
            valid_from=row.valid_from,
            valid_to=row.valid_to,
        )
        if link.is_valid_on(on):
            below.setdefault(link.supervisor_id, set()).add(link.employee_id)
    found: set[str] = set()
    waiting = [employee_id]
    while waiting:
        for each in below.get(waiting.pop(), set()) - found:
            found.add(each)
            waiting.append(each)
    return frozenset(found - {employee_id})
