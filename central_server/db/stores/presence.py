"""The presence of each employee: one row."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from central_server.db.models import Presence as Row
from central_server.db.stores.person_days import MOST_IN_A_QUESTION
from central_server.db.stores.plain_rows import plain_rows
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
    "zones",
    "is_punched_in",
)
_ALL = select(Row.employee_id, Row.check_at, *(getattr(Row, name) for name in _FIELDS))
_OF_PEOPLE = _ALL.where(Row.employee_id.in_(bindparam("people", expanding=True)))
_PLACES = select(Row.employee_id, Row.camera_id, Row.business_date, Row.zones).where(
    Row.site_id == bindparam("site"),
    or_(Row.state != State.AVAILABLE.value, Row.camera_id.in_(bindparam("cameras", expanding=True))),
)
_STATES = {each.value: each for each in State}
_REASONS = {each.value: each for each in Reason}


def by_id(session: Session, employee_ids: Collection[str]) -> dict[str, Presence]:
    """Return the presence of those people, as far as there is one."""
    wanted = sorted(employee_ids)
    parts = (wanted[n : n + MOST_IN_A_QUESTION] for n in range(0, len(wanted), MOST_IN_A_QUESTION))
    return {
        key: each
        for part in parts
        for key, each in _presences(plain_rows(session, _OF_PEOPLE, {"people": part}))[0].items()
    }


def of_site(session: Session, site_id: str) -> dict[str, Presence]:
    """Return the presence of everybody who is, or was last seen, at a site."""
    return _read(session, Row.site_id == site_id)[0]


def of_site_with_checks(
    session: Session, site_id: str, *, due_at: datetime | None = None, also: Collection[str] = ()
) -> tuple[dict[str, Presence], dict[str, datetime | None]]:
    """Return the presence of everybody at a site, and when each is to be looked at again.

    due_at: only of those who are to be looked at by then, or at once (None), and of those in also.
    """
    if due_at is None:
        return _read(session, Row.site_id == site_id)
    is_due = or_(Row.check_at.is_(None), Row.check_at <= due_at, Row.employee_id.in_(also))
    return _read(session, (Row.site_id == site_id) & is_due)


def not_plainly_there(session: Session, site_id: str, cameras: Collection[str]) -> Sequence[Any]:
    """Return who at a site is missing or unknown, or was seen last by one of some cameras.

    Each a row: employee_id, camera_id, business_date, and the places where they were seen lately.
    """
    return plain_rows(session, _PLACES, {"site": site_id, "cameras": list(cameras)})


def put(
    session: Session,
    *presences: Presence,
    check_at: Mapping[str, datetime] | None = None,
    in_time: Collection[str] = (),
) -> None:
    """Store each presence; the version counts the changes.

    check_at: by person, before when time alone changes nothing; who is not in it is looked at at once, but
    for those in in_time, whose next look stays as it was.
    """
    session.flush()  # a person who was added a moment ago must be there
    for stays in (False, True):
        rows = [
            _values(each) | {"check_at": (check_at or {}).get(each.employee_id)}
            for each in presences
            if (each.employee_id in in_time) is stays
        ]
        if rows:
            session.connection().execute(_upsert(session, [*_FIELDS, *([] if stays else ["check_at"])]), rows)


def _values(presence: Presence) -> dict[str, Any]:
    return (
        {"employee_id": presence.employee_id, "version": 1, "is_punched_in": False}
        | {name: getattr(presence, name) for name in _FIELDS}
        | {"state": presence.state.value, "reason": presence.reason.value, "zones": dict(presence.zones)}
    )


def _upsert(session: Session, names: Collection[str]) -> Any:
    table: Any = Row.__table__
    new = (sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert)(table)
    changed = {name: new.excluded[name] for name in names} | {"version": table.c.version + 1}
    return new.on_conflict_do_update(index_elements=["employee_id"], set_=changed)


def look_again(session: Session, check_at: Mapping[str, datetime]) -> None:
    """Note when people are to be looked at again, of whom nothing else has changed."""
    if not check_at:
        return
    wanted = update(Row.__table__).where(Row.__table__.c.employee_id == bindparam("who"))
    rows = [{"who": employee_id, "at": moment} for employee_id, moment in check_at.items()]
    session.connection().execute(wanted.values(check_at=bindparam("at", type_=Row.check_at.type)), rows)


def remove(session: Session, employee_id: str) -> None:
    session.execute(delete(Row).where(Row.employee_id == employee_id))


def _read(session: Session, condition: Any) -> tuple[dict[str, Presence], dict[str, datetime | None]]:
    return _presences(plain_rows(session, _ALL.where(condition), {}))


def _presences(rows: Iterable[Any]) -> tuple[dict[str, Presence], dict[str, datetime | None]]:
    found: dict[str, Presence] = {}
    checks: dict[str, datetime | None] = {}
    for employee_id, check_at, site_id, state, reason, *rest in rows:
        values = dict(zip(_FIELDS[3:], rest, strict=True))
        found[employee_id] = Presence(
            employee_id=employee_id,
            site_id=site_id,
            state=_STATES[state],
            reason=_REASONS[reason],
            **values,
        )
        checks[employee_id] = check_at
    return found, checks
