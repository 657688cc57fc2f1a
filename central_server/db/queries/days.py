"""Recorded person-days of many days at once, one after the other: a month of a large company is no list."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from central_server.db.models import Attendance, AttendanceCorrection, Employee

AT_ONCE = 2000  # rows fetched together


def recorded_days(
    session: Session, first: date, last: date, *, site_id: str = "", department: str = ""
) -> Iterator[Row[Any]]:
    """Yield the attendance of business dates first to last, both included, by person and day.

    Each row has the columns of Attendance, and name, department and home_site_id of the person. site_id: only
    of people who belong to it.
    """
    query = (
        select(
            *(each for each in Attendance.__table__.columns if each.name not in ("id", "changes")),
            Employee.name,
            Employee.department,
            Employee.site_id.label("home_site_id"),
        )
        .join(Employee, Employee.employee_id == Attendance.employee_id)
        .where(Attendance.business_date >= first, Attendance.business_date <= last)
        .order_by(Attendance.employee_id, Attendance.business_date)
        .execution_options(yield_per=AT_ONCE)
    )
    if site_id:
        query = query.where(Employee.site_id == site_id)
    if department:
        query = query.where(Employee.department == department)
    yield from session.execute(query)


def corrected_days(session: Session, first: date, last: date) -> frozenset[tuple[str, date]]:
    """Return the person-days on which HR has said something."""
    query = select(AttendanceCorrection.employee_id, AttendanceCorrection.business_date).where(
        AttendanceCorrection.business_date >= first, AttendanceCorrection.business_date <= last
    )
    return frozenset((employee_id, day) for employee_id, day in session.execute(query))
