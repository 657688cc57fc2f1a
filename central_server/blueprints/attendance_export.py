"""Attendance of many days as one file, for payroll."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from sqlalchemy import Engine

from central_server.blueprints.export import table_response
from central_server.blueprints.extensions import hadir, utc_now
from central_server.blueprints.request_facts import places, text, user
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.export_attendance import HEADING, Span, attendance_rows, note_export

blueprint = Blueprint("attendance_export", __name__, url_prefix="/attendance")

MOST_DAYS = 366  # in one file from a page


@blueprint.get("/days.<any(xlsx, csv):ending>")
def days_csv(ending: str) -> ResponseReturnValue:
    """Every recorded person-day from one date to another."""
    site_id = text("site")
    if site_id and site_id not in places().sites:
        abort(404)
    first, last = _date("from"), _date("to")
    if first is None or last is None or not first <= last < first + timedelta(days=MOST_DAYS):
        flash(_("Choose two days, the second not before the first, at most a year apart."), "bad")
        return redirect(url_for("attendance.index"))
    span = Span(first=first, last=last, site_id=site_id, department=text("department"))
    with hadir().work() as work:
        note_export(work, span, now=utc_now(), actor=user().actor)
    rows = _rows(hadir().engine, span)
    return table_response(f"attendance-{first}-{last}", ending, HEADING, rows, is_long=True)


def _rows(engine: Engine, span: Span) -> Iterator[list[Any]]:
    with UnitOfWork(engine, writes=False) as work:
        yield from attendance_rows(work, span)


def _date(name: str) -> date | None:
    try:
        return date.fromisoformat(request.args.get(name, ""))
    except ValueError:
        return None
