"""The live board: where everybody is now."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from central_server.db.models import Badge, Employee, FaceTemplate, Presence
from central_server.db.queries.places import Places
from central_server.db.queries.teams import Team

GROUPS = ("in", "out", "unsure", "absent", "away", "blank")  # as they are counted
ORDER = ("out", "unsure", "absent", "in", "away", "blank")  # what needs somebody's attention comes first


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardFilter:
    words: str = ""  # part of a name or code
    group: str = ""  # one of GROUPS
    zone_id: str = ""
    department: str = ""
    site_id: str = ""
    by_name: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BoardRow:
    employee_id: str
    name: str
    department: str
    reason: str  # domain.presence.Reason
    group: str
    where: str
    last_seen: datetime | None  # local
    since: datetime | None  # local; of the present state


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    rows: tuple[BoardRow, ...]  # after every filter, at most the limit asked for
    found: int  # after every filter
    counts: Mapping[str, int]  # by group, before the filter by group
    departments: tuple[str, ...]

    @property
    def total(self) -> int:
        return sum(self.counts.values())


def read_board(
    session: Session,
    places: Places,
    chosen: BoardFilter,
    team: Team,
    groups: Mapping[str, str],
    *,
    limit: int,
) -> Board:
    """Return the board. groups says in which group each reason belongs."""
    everyone = session.execute(_query(team)).all()
    kept = [_row(each, places, groups) for each in everyone if _is_chosen(each, chosen)]
    counts = Counter(each.group for each in kept)
    shown = [each for each in kept if chosen.group in ("", each.group)]
    shown.sort(key=lambda row: (0 if chosen.by_name else ORDER.index(row.group), row.name.casefold()))
    return Board(
        rows=tuple(shown[:limit]),
        found=len(shown),
        counts={group: counts.get(group, 0) for group in GROUPS},
        departments=tuple(sorted({each.department for each in everyone if each.department})),
    )


def _query(team: Team) -> Select[Any]:
    enrolled = Employee.employee_id.in_(select(FaceTemplate.employee_id))
    query = (
        select(
            Employee.employee_id,
            Employee.name,
            Employee.department,
            Employee.site_id,
            Employee.consent_at,
            Employee.consent_withdrawn_at,
            enrolled.label("is_enrolled"),
            Badge.employee_id.is_not(None).label("has_badge"),
            Presence.reason,
            Presence.since,
            Presence.last_seen,
            Presence.zone_id,
            Presence.camera_id,
            Presence.site_id.label("seen_at_site"),
        )
        .outerjoin(Presence, Presence.employee_id == Employee.employee_id)
        .outerjoin(Badge, Badge.employee_id == Employee.employee_id)
        .where(Employee.status == "active")
    )
    return query if team is None else query.where(Employee.employee_id.in_(team))


def _is_chosen(each: Row[Any], chosen: BoardFilter) -> bool:
    words = chosen.words.casefold()
    return (
        (not words or words in each.name.casefold() or words in each.employee_id.casefold())
        and chosen.zone_id in ("", each.zone_id)
        and chosen.department in ("", each.department)
        and chosen.site_id in ("", each.site_id)
    )


def _row(each: Row[Any], places: Places, groups: Mapping[str, str]) -> BoardRow:
    site_id = each.seen_at_site or each.site_id
    is_recognised = each.is_enrolled and each.consent_at and not each.consent_withdrawn_at
    is_followed = is_recognised or each.has_badge
    reason = (each.reason or "not_arrived") if is_followed else "not_enrolled"
    return BoardRow(
        employee_id=each.employee_id,
        name=each.name,
        department=each.department,
        reason=reason,
        group=groups.get(reason, "away"),
        where=places.where(each.zone_id, each.camera_id) if each.last_seen else "",
        last_seen=places.local(each.last_seen, site_id),
        since=places.local(each.since, site_id),
    )
