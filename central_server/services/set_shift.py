"""Give a site its working hours: the shift of everybody there who has none of their own."""

import re
from dataclasses import dataclass
from datetime import time

from sqlalchemy import select

from central_server.db.models import Shift, ShiftAssignment
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.shifts import WEEKDAYS

_SPAN = re.compile(r"([a-z]{3})-([a-z]{3})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Working time, local to the site; ending at or before its start means the next day."""

    name: str
    starts: time
    ends: time
    weekdays: tuple[str, ...]
    grace_min: int  # late, or gone early, by no more than this counts as in time


def weekdays_of(text: str) -> tuple[str, ...]:
    """Return the days of `mon-fri`, `mon,wed,fri` or `sat-thu`, in the week's order. Raises ValueError."""
    days: set[str] = set()
    for part in text.lower().replace(" ", "").split(","):
        span = _SPAN.fullmatch(part)
        first, last = span.groups() if span else (part, part)
        if first not in WEEKDAYS or last not in WEEKDAYS:
            raise ValueError(f"{part!r} is no weekday or span of them: write mon-fri, or mon,wed,fri")
        start, count = WEEKDAYS.index(first), (WEEKDAYS.index(last) - WEEKDAYS.index(first)) % 7 + 1
        days |= {WEEKDAYS[(start + n) % 7] for n in range(count)}
    return tuple(day for day in WEEKDAYS if day in days)


def set_site_shift(work: UnitOfWork, site_id: str, shift_id: str, hours: Hours) -> bool:
    """Make or change the shift, and make it the site's; return whether it is new.

    Days that are over keep their numbers until they are recomputed.
    """
    session = work.session
    shift = session.get(Shift, shift_id)
    is_new = shift is None
    if shift is None:
        shift = Shift(shift_id=shift_id)
        session.add(shift)
    shift.name, shift.starts, shift.ends = hours.name, hours.starts, hours.ends
    shift.weekdays = ",".join(hours.weekdays)
    shift.late_grace_min = shift.early_leave_grace_min = hours.grace_min
    session.flush()
    default = (ShiftAssignment.site_id == site_id, ShiftAssignment.employee_id.is_(None))
    if (
        session.scalar(select(ShiftAssignment.id).where(*default, ShiftAssignment.shift_id == shift_id))
        is None
    ):
        session.add(ShiftAssignment(site_id=site_id, shift_id=shift_id))
    return is_new
