"""Attendance of many days as one table, e.g. a month for payroll: a row for each recorded person-day."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from central_server.db.models import Site
from central_server.db.queries.days import corrected_days, recorded_days
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note
from central_server.services.exchange.values import as_text

_zone = lru_cache(maxsize=64)(ZoneInfo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which person-days: both dates included; empty is every site, every department."""

    first: date
    last: date
    site_id: str = ""
    department: str = ""


def _minutes(seconds: int | None) -> int | str:
    """Return whole minutes; nothing where nothing can be told."""
    return "" if seconds is None else seconds // 60


# What each column says of a row of recorded_days, and the zone in which the day was judged.
COLUMNS: Mapping[str, Callable[[Any, str], int | str]] = {
    "business_date": lambda row, zone: as_text(row.business_date),
    "employee_id": lambda row, zone: row.employee_id,
    "name": lambda row, zone: row.name,
    "department": lambda row, zone: row.department,
    "site_id": lambda row, zone: row.home_site_id,
    "shift_id": lambda row, zone: row.shift_id or "",
    "status": lambda row, zone: row.status,
    "leave_kind": lambda row, zone: row.leave_kind,
    "first_in": lambda row, zone: _local(row.first_in_ts, zone),
    "last_out": lambda row, zone: _local(row.last_out_ts, zone),
    "timezone": lambda row, zone: zone,
    "work_min": lambda row, zone: _minutes(row.work_seconds),
    "late_min": lambda row, zone: row.late_min,
    "early_leave_min": lambda row, zone: row.early_leave_min,
    "overtime_min": lambda row, zone: row.overtime_min,
    "overtime_paid_min": lambda row, zone: row.overtime_paid_min,
    "break_min": lambda row, zone: _minutes(row.break_seconds),
    "span_min": lambda row, zone: _minutes(row.span_seconds),
    "in_area_min": lambda row, zone: _minutes(row.seconds),
    "is_verified": lambda row, zone: as_text(row.is_verified),
    "is_provisional": lambda row, zone: as_text(row.is_provisional),
    "revision": lambda row, zone: row.revision,
}
HEADING = (*COLUMNS, "is_corrected")


def note_export(work: UnitOfWork, span: Span, *, now: datetime, actor: str) -> None:
    """Write down who takes which days along."""
    which = {"site": span.site_id, "department": span.department}
    note(work, actor, "attendance.export", f"{span.first} {span.last}", now=now, **which)


def attendance_rows(work: UnitOfWork, span: Span) -> Iterator[list[int | str]]:
    """Yield the lines below HEADING, by person and day, as they are fetched."""
    corrected = corrected_days(work.session, span.first, span.last)
    sites = work.session.execute(select(Site.site_id, Site.timezone))
    zones = {each.site_id: each.timezone for each in sites}
    found = recorded_days(
        work.session, span.first, span.last, site_id=span.site_id, department=span.department
    )
    for row in found:
        zone = row.timezone or zones[row.home_site_id]  # days from before it was recorded: the site's
        yield [
            *(say(row, zone) for say in COLUMNS.values()),
            as_text((row.employee_id, row.business_date) in corrected),
        ]


def _local(moment: datetime | None, timezone: str) -> str:
    """Return the wall clock as in 2026-11-20 07:52:10."""
    return moment.astimezone(_zone(timezone)).isoformat(" ", "seconds")[:19] if moment else ""
