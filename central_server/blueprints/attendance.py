"""The attendance of a day: the table, its exports, and HR's corrections."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy

from central_server.adapters.pdf import render_pdf
from central_server.blueprints import wording
from central_server.blueprints.charts import column
from central_server.blueprints.export import csv_response
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.formats import clock
from central_server.blueprints.formats import day as day_words
from central_server.blueprints.forms import CorrectionForm, options, put_problem
from central_server.blueprints.request_facts import day_asked, places, team, text, today, user
from central_server.db.queries.attendance import (
    Day,
    DayCount,
    DayLine,
    corrections_of,
    last_days,
    read_day,
    read_line,
)
from central_server.db.queries.people import departments
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.reports import DailyReport, totals
from central_server.services.await_agents import awaited_for_day
from central_server.services.build_report import daily_report
from central_server.services.close_day import compute_in_portions
from central_server.services.correct_attendance import DayValues, correct_day, schedule_of
from central_server.services.manage_people import PersonRefused
from central_server.services.recompute_attendance import recompute_days

blueprint = Blueprint("attendance", __name__, url_prefix="/attendance")

FIELD_WORDS = {
    "first_in_ts": lazy("First in"),
    "last_out_ts": lazy("Last out"),
    "status": lazy("Status"),
}


@blueprint.get("/")
def index() -> str:
    found = _day()
    until = max(found.day, min(today(), found.day + timedelta(days=6)))
    days = last_days(db.session(), until, team())
    most = max((each.total for each in days), default=0)
    return render_template(
        "attendance.html",
        found=found,
        waits_for=_waits_for(found),
        today=today(),
        previous=found.day - timedelta(days=1),
        following=found.day + timedelta(days=1),
        department=text("department"),
        department_choices=[("", _("All")), *((each, each) for each in departments(db.session()))],
        columns=[_column(each, most) for each in days],
        links=user().may("people.detail"),
        can_correct=user().may("attendance.correct"),
    )


def _day() -> Day:
    return read_day(db.session(), places(), day_asked(), team(), department=text("department"))


def _waits_for(found: Day) -> str:
    """Return the names of the boxes without which the day cannot be final; empty when none is waited for."""
    if not found.is_provisional or found.day >= today():
        return ""
    with UnitOfWork(hadir().engine, writes=False) as work:
        boxes = awaited_for_day(work, places().sites, found.day, hadir().config.rules, now=utc_now())
    return ", ".join(each.name for each in boxes)


def _column(each: DayCount, most: int) -> dict[str, Any]:
    words = _(
        "%(day)s: %(present)s present, %(late)s late, %(absent)s absent",
        day=day_words(each.day),
        present=each.present,
        late=each.late,
        absent=each.absent,
    )
    parts = [("good", each.present), ("warn", each.late), ("bad", each.absent)]
    return {"day": each.day, "words": words, "pieces": column(parts, most)}


@blueprint.get("/day.csv")
def csv_file() -> Response:
    """The table of the day as it is on the page."""
    found = _day()
    head = [_("Day"), _("Code"), _("Name"), _("Department"), _("Status"), _("First in"), _("Last out")]
    head += [_("Minutes worked"), _("Minutes late"), _("Left early (minutes)"), _("Corrected")]
    return csv_response(f"attendance-{found.day}.csv", head, _csv_rows(found))


def _csv_rows(found: Day) -> Iterator[list[Any]]:
    for each in found.lines:
        status = wording.word(wording.ATTENDANCE, each.status).label if each.status != "none" else ""
        minutes = "" if each.work_seconds is None else each.work_seconds // 60
        yield [
            found.day.isoformat(),
            each.employee_id,
            each.name,
            each.department,
            str(status),
            clock(each.first_in) if each.first_in else "",
            clock(each.last_out) if each.last_out else "",
            minutes,
            each.late_min,
            each.early_leave_min,
            _("Yes") if each.is_corrected else "",
        ]


@blueprint.get("/day.pdf")
def pdf_file() -> Response:
    """The report of the day as it stands now; a supervisor's has only their team."""
    site_id = next(iter(places().sites), None)
    if site_id is None:
        abort(404)
    day, rules, now = day_asked(), hadir().config.rules, utc_now()
    compute_in_portions(hadir().engine, site_id, day, rules, now=now)
    with UnitOfWork(hadir().engine, writes=False) as work:
        report = daily_report(work, site_id, day, rules, now=now, is_fresh=True)
    content = render_pdf(_of_team(report), user().language)
    headers = {"Content-Disposition": f'attachment; filename="attendance-{day}.pdf"'}
    return Response(content, mimetype="application/pdf", headers=headers | {"Cache-Control": "no-store"})


def _of_team(report: DailyReport) -> DailyReport:
    mine = team()
    if mine is None:
        return report
    rows = tuple(each for each in report.rows if each.employee_id in mine)
    left_out = tuple(each for each in report.excluded if each.employee_id in mine)
    return replace(report, rows=rows, excluded=left_out, totals=totals(rows, left_out))


@blueprint.route("/<day>/<employee_id>", methods=["GET", "POST"])
def correct(day: str, employee_id: str) -> ResponseReturnValue:
    when = _date(day)
    line = read_line(db.session(), places(), employee_id, when)
    if line is None:
        abort(404)
    history = corrections_of(db.session(), places(), employee_id, when)
    said = next((each.after for each in history if each.field == "status"), "")  # newest first
    form = CorrectionForm(data=_values(line, said)) if request.method == "GET" else CorrectionForm()
    statuses = ("present", "late", "absent", "incomplete", "leave")
    form.status.choices = options(
        [("", _("From the times")), *((each, wording.ATTENDANCE[each].label) for each in statuses)]
    )
    if form.validate_on_submit():
        try:
            _save(form, line, when, said)
        except PersonRefused as refused:
            put_problem(form, refused.field, refused.problem)
        else:
            flash(_("Corrected, and computed again."), "good")
            return redirect(url_for("attendance.index", date=when))
    return render_template(
        "correct.html", line=line, day=when, form=form, history=history, field_words=FIELD_WORDS
    )


def _date(day: str) -> date:
    try:
        return date.fromisoformat(day)
    except ValueError:
        abort(404)


def _values(line: DayLine, status: str) -> dict[str, Any]:
    first, last = line.first_in, line.last_out
    times = {"first_in": first.time() if first else None, "last_out": last.time() if last else None}
    return times | {"status": status}


def _save(form: CorrectionForm, line: DayLine, day: date, status: str) -> None:
    """Write the correction and compute the day again, in one transaction. Raises PersonRefused."""

    def instant(at: time | None, before: datetime | None) -> datetime | None:
        if at and before and (before.hour, before.minute) == (at.hour, at.minute):
            return before  # left as it was, to the second
        return schedule.instant_on(day, at).astimezone(zone) if at else None

    with hadir().work() as work:
        schedule = schedule_of(work, line.employee_id, hadir().config.rules)
        zone = schedule.timezone
        before = DayValues(first_in=line.first_in, last_out=line.last_out, status=status)
        after = DayValues(
            first_in=instant(form.first_in.data, line.first_in),
            last_out=instant(form.last_out.data, line.last_out),
            status=form.status.data or "",
        )
        correct_day(
            work,
            line.employee_id,
            day,
            before=before,
            after=after,
            reason=form.reason.data or "",
            by=user().username,
            now=utc_now(),
        )
        recompute_days(work, [(line.employee_id, day)], hadir().config.rules, now=utc_now())
