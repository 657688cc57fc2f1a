"""The days that need somebody: what cannot be told, is not certain, is disputed, or waits for approval."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta

from sqlalchemy import and_, exists, func, or_, select
from sqlalchemy.orm import Session

from central_server.db.models import Attendance, AttendanceCorrection, Dispute, Employee
from central_server.db.queries.teams import Team
from central_server.db.stores import people, shifts
from central_server.domain.attendance import OvertimeRule, Status
from central_server.domain.overtime import (
    MOST_A_DAY_MIN,
    MOST_A_WEEK_MIN,
    OvertimeDay,
    overtime_warnings,
    week_of,
)

NEEDS = ("dispute", "incomplete", "unverified", "overtime", "cap")  # as they are listed
LOOK_BACK = timedelta(days=31)
MOST = 1000
WORTH_APPROVING_MIN = 30  # who stays a little longer is not a case for HR

PersonDay = tuple[str, date]


@dataclass(frozen=True, slots=True, kw_only=True)
class DayInNeed:
    employee_id: str
    name: str
    day: date
    needs: tuple[str, ...]  # some of NEEDS, in that order
    overtime_min: int  # worked, as far as it waits; or over the cap


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    days: tuple[DayInNeed, ...]  # newest first
    counts: Mapping[str, int]  # by need
    is_all: bool  # False: there are more, and older, days than these


def days_in_need(
    session: Session, until: date, team: Team, *, rule: OvertimeRule, day_cutoff: time
) -> Attention:
    """Return the days of the last month that need somebody, and every one with an open dispute."""
    needs: dict[PersonDay, set[str]] = {}
    minutes: dict[PersonDay, int] = {}
    rows = _rows(session, until, team, rule)
    for row, is_corrected, is_decided in rows:
        key = row.employee_id, row.business_date
        for need in _needs(row, is_corrected, is_decided, rule):
            needs.setdefault(key, set()).add(need)
            minutes[key] = row.overtime_min
    for key, paid in _over_the_caps(session, until, team, day_cutoff).items():
        needs.setdefault(key, set()).add("cap")
        minutes.setdefault(key, paid)
    for key in _disputed(session, team):
        needs.setdefault(key, set()).add("dispute")
    names = _names(session, {employee_id for employee_id, _ in needs})
    days = [
        DayInNeed(
            employee_id=employee_id,
            name=names.get(employee_id, employee_id),
            day=day,
            needs=tuple(each for each in NEEDS if each in found),
            overtime_min=minutes.get((employee_id, day), 0),
        )
        for (employee_id, day), found in needs.items()
    ]
    days.sort(key=lambda each: (-each.day.toordinal(), each.name.casefold(), each.employee_id))
    counts = Counter(need for each in days for need in each.needs)
    return Attention(days=tuple(days), counts={each: counts[each] for each in NEEDS}, is_all=len(rows) < MOST)


def _rows(
    session: Session, until: date, team: Team, rule: OvertimeRule
) -> list[tuple[Attendance, bool, bool]]:
    """Return the closed days that may need somebody: whether HR has corrected it, and decided on overtime."""
    times = _said(AttendanceCorrection.field != "overtime_min")
    overtime = _said(AttendanceCorrection.field == "overtime_min")
    waits = and_(Attendance.overtime_min >= WORTH_APPROVING_MIN, ~overtime)
    wanted = or_(
        Attendance.status == Status.INCOMPLETE.value,
        and_(Attendance.is_verified.is_(False), ~times),
        *([waits] if rule is OvertimeRule.APPROVED else []),
    )
    query = (
        select(Attendance, times.label("is_corrected"), overtime.label("is_decided"))
        .where(
            Attendance.business_date > until - LOOK_BACK,
            Attendance.business_date <= until,
            Attendance.is_provisional.is_(False),
            wanted,
        )
        .order_by(Attendance.business_date.desc(), Attendance.employee_id)
        .limit(MOST)
    )
    if team is not None:
        query = query.where(Attendance.employee_id.in_(team))
    return [(row, bool(one), bool(other)) for row, one, other in session.execute(query)]


def _said(condition: object) -> object:
    """Return whether HR has said something of that kind about the day."""
    return exists().where(
        AttendanceCorrection.employee_id == Attendance.employee_id,
        AttendanceCorrection.business_date == Attendance.business_date,
        condition,  # type: ignore[arg-type]
    )


def _needs(row: Attendance, is_corrected: bool, is_decided: bool, rule: OvertimeRule) -> Iterator[str]:
    if row.status == Status.INCOMPLETE.value:
        yield "incomplete"
    elif not row.is_verified and not is_corrected:
        yield "unverified"
    if rule is OvertimeRule.APPROVED and row.overtime_min >= WORTH_APPROVING_MIN and not is_decided:
        yield "overtime"


def _over_the_caps(session: Session, until: date, team: Team, day_cutoff: time) -> dict[PersonDay, int]:
    """Return the days of the last weeks on which more overtime counts than the law allows."""
    first, _ = week_of(until - LOOK_BACK)
    query = select(Attendance.employee_id).where(
        Attendance.business_date >= first,
        Attendance.business_date <= until,
        Attendance.overtime_paid_min > 0,
    )
    if team is not None:
        query = query.where(Attendance.employee_id.in_(team))
    much = query.group_by(Attendance.employee_id).having(
        or_(
            func.max(Attendance.overtime_paid_min) > MOST_A_DAY_MIN,
            func.sum(Attendance.overtime_paid_min) > MOST_A_WEEK_MIN,
        )
    )
    known = people.by_id(session, set(session.scalars(much)))
    schedules = shifts.schedules(session, known, day_cutoff=day_cutoff) if known else {}
    found: dict[PersonDay, int] = {}
    for employee_id, schedule in schedules.items():
        counted = session.execute(
            select(Attendance.business_date, Attendance.overtime_paid_min)
            .where(
                Attendance.employee_id == employee_id,
                Attendance.business_date.between(first, until),
                Attendance.overtime_paid_min > 0,
            )
            .order_by(Attendance.business_date)
        ).all()
        days = [
            OvertimeDay(day, paid, schedule.shift_on(day) is not None and not schedule.is_holiday(day))
            for day, paid in counted
        ]
        for warning in overtime_warnings(days):
            last = max(each.day for each in days if week_of(each.day) == week_of(warning.day))
            found[employee_id, warning.day if warning.per == "day" else last] = warning.minutes
    return found


def _names(session: Session, employee_ids: set[str]) -> dict[str, str]:
    wanted = select(Employee.employee_id, Employee.name).where(Employee.employee_id.in_(employee_ids))
    return dict(session.execute(wanted).all()) if employee_ids else {}


def _disputed(session: Session, team: Team) -> list[PersonDay]:
    query = select(Dispute.employee_id, Dispute.business_date).where(Dispute.settled_at.is_(None))
    if team is not None:
        query = query.where(Dispute.employee_id.in_(team))
    return [tuple(row) for row in session.execute(query.distinct())]
