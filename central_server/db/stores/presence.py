"""The presence of each employee: one row."""

from collections.abc import Collection

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from central_server.db.models import Presence as Row
from central_server.db.stores.person_days import MOST_IN_A_QUESTION
from central_server.domain.presence import Presence, Reason, State

_FIELDS = (
    "site_id",
    "state",
    "reason",
    "since",
    "last_seen",
    "zone_id",
    "camera_id",
    "business_date",
    "episode",
)


def by_id(session: Session, employee_ids: Collection[str]) -> dict[str, Presence]:
    """Return the presence of those people, as far as there is one."""
    found: dict[str, Presence] = {}
    wanted = list(employee_ids)
    for first in range(0, len(wanted), MOST_IN_A_QUESTION):
        found |= _read(session, Row.employee_id.in_(wanted[first : first + MOST_IN_A_QUESTION]))
    return found


def of_site(session: Session, site_id: str) -> dict[str, Presence]:
    """Return the presence of everybody who is, or was last seen, at a site."""
    return _read(session, Row.site_id == site_id)


def elsewhere(session: Session, site_id: str) -> set[str]:
    """Return who is, or was last seen, at another site."""
    return set(session.scalars(select(Row.employee_id).where(Row.site_id != site_id)))


def put(session: Session, *presences: Presence) -> None:
    """Store each presence; the version counts the changes."""
    wanted = Row.employee_id.in_([each.employee_id for each in presences])
    rows = {row.employee_id: row for row in session.scalars(select(Row).where(wanted))} if presences else {}
    for presence in presences:
        row = rows.get(presence.employee_id)
        if row is None:
            row = Row(employee_id=presence.employee_id, version=0)
            session.add(row)
        for name in _FIELDS:
            setattr(row, name, getattr(presence, name))
        row.state, row.reason = presence.state.value, presence.reason.value
        row.version += 1


def remove(session: Session, employee_id: str) -> None:
    session.execute(delete(Row).where(Row.employee_id == employee_id))


def _read(session: Session, condition: object) -> dict[str, Presence]:
    columns = [getattr(Row, name) for name in _FIELDS]
    found = {}
    for employee_id, site_id, state, reason, *rest in session.execute(
        select(Row.employee_id, *columns).where(condition)  # type: ignore[arg-type]
    ):
        values = dict(zip(_FIELDS[3:], rest, strict=True))
        found[employee_id] = Presence(
            employee_id=employee_id, site_id=site_id, state=State(state), reason=Reason(reason), **values
        )
    return found
