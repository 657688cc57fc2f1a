"""The attendance of a day: the table and its exports. One person's day is in person_day.py."""

from calendar import monthrange
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from flask import Blueprint, Response, abort, render_template
from flask_babel import gettext as _

from central_server.adapters.pdf import render_pdfs
from central_server.blueprints import day_words as words_of_days
from central_server.blueprints import wording
from central_server.blueprints.charts import column
from central_server.blueprints.day_words import Speaker
from central_server.blueprints.export import table_response
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.formats import clock
from central_server.blueprints.formats import day as day_words
from central_server.blueprints.request_facts import (
    day_asked,
    places,
    sees_leave_kinds,
    team,
    text,
    today,
    user,
)
from central_server.db.queries.attendance import (
    Day,
    DayCount,
    last_days,
    read_day,
)
from central_server.db.queries.attention import days_in_need
from central_server.db.queries.people import departments
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.leave_privacy import told_to_all
from central_server.domain.reports import DailyReport, totals
from central_server.domain.unrecorded import Unrecorded
from central_server.services.audit import note
from central_server.services.await_agents import awaited_for_day
from central_server.services.build_report import daily_report
from central_server.services.close_day import compute_in_portions
from central_server.services.explain_day import doubts_about
from central_server.services.read_calendar import unrecorded_days

blueprint = Blueprint("attendance", __name__, url_prefix="/attendance")

MOST_DOUBTS = 30  # of a day's table are told in words


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
        day_links=user().may("person_day.show"),
        doubts=_doubts(found) if user().may("person_day.show") else {},
        needs=_needs() if user().may("person_day.attention") else 0,
        leave_kind=_leave_kind,
        site=text("site"),
        sites=list(places().sites.values()),
        site_choices=[("", _("All")), *((each.place_id, each.name) for each in places().sites.values())],
        month_first=found.day.replace(day=1),
        month_last=_last_of_month(found.day),
    )


def _last_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def _doubts(found: Day) -> dict[str, str]:
    """Return of the uncertain lines, as many as somebody reads, when nobody watched."""
    asked = [(each, found.day) for each in found.uncertain[:MOST_DOUBTS]]
    if not asked:
        return {}
    with hadir().reading() as work:
        steps = doubts_about(work, asked, hadir().config.rules, now=utc_now())
    said = {}
    zones = {each.employee_id: each.timezone for each in found.lines}
    for (employee_id, when), found_steps in steps.items():
        say = Speaker(when, zones[employee_id] or places().default_timezone)
        said[employee_id] = " ".join(say.step(each) for each in found_steps)
    return said


def _needs() -> int:
    """Return how many days need somebody."""
    rules = hadir().config.rules
    found = days_in_need(db.session(), today(), team(), rule=rules.overtime, day_cutoff=rules.day_cutoff)
    return len(found.days)


def _day() -> Day:
    day = day_asked()

    def calendar(employee_ids: Collection[str]) -> Mapping[str, Unrecorded]:
        with hadir().reading() as work:
            return unrecorded_days(work, employee_ids, day, hadir().config.rules, now=utc_now())

    return read_day(
        db.session(),
        places(),
        day,
        team(),
        department=text("department"),
        site_id=text("site"),
        calendar=calendar,
    )


def _waits_for(found: Day) -> str:
    """Return the names of the boxes without which the day cannot be final; empty when none is waited for."""
    if not found.is_provisional or found.day >= today():
        return ""
    with UnitOfWork(hadir().engine, writes=False) as work:
        boxes = awaited_for_day(work, places().sites, found.day, hadir().config.rules, now=utc_now())
    return ", ".join(each.name for each in boxes)


def _leave_kind(code: str) -> str:
    return words_of_days.leave_kind(code if sees_leave_kinds() else told_to_all(code))


def _column(each: DayCount, most: int) -> dict[str, Any]:
    words = _(
        "%(day)s: %(present)s present, %(late)s late, %(absent)s absent, %(incomplete)s incomplete",
        day=day_words(each.day),
        present=each.present,
        late=each.late,
        absent=each.absent,
        incomplete=each.incomplete,
    )
    parts = [("good", each.present), ("warn", each.late), ("bad", each.absent), ("idle", each.incomplete)]
    return {"day": each.day, "words": words, "pieces": column(parts, most)}


@blueprint.get("/day.<any(xlsx, csv):ending>")
def csv_file(ending: str) -> Response:
    """The table of the day as it is on the page."""
    found = _day()
    _note_export(ending, found.day)
    head = [_("Day"), _("Code"), _("Name"), _("Department"), _("Status"), _("First in"), _("Last out")]
    head += [_("Minutes worked"), _("Minutes late"), _("Left early (minutes)"), _("Corrected")]
    head += [_("Minutes in the area"), _("Minutes from first to last"), _("Unpaid breaks (minutes)")]
    head += [_("Overtime (minutes)"), _("Overtime that counts (minutes)")]
    head += [_("Leave"), _("Certain"), _("Provisional")]
    return table_response(f"attendance-{found.day}", ending, head, _csv_rows(found))


def _note_export(form: str, day: date) -> None:
    """Write down who took a day's attendance out of here, and whose: their team's, or everybody's."""
    with hadir().work() as work:
        whose = "team" if team() is not None else "all"
        note(work, user().actor, "attendance.export", day.isoformat(), now=utc_now(), form=form, whose=whose)


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
            each.seconds // 60,
            each.span_seconds // 60,
            each.break_seconds // 60,
            each.overtime_min,
            each.overtime_paid_min,
            _leave_kind(each.leave_kind) if each.leave_kind else "",
            _("Yes") if each.is_verified else _("No"),
            _("Yes") if each.is_provisional else _("No"),
        ]


@blueprint.get("/day.pdf")
def pdf_file() -> Response:
    """The report of the day as it stands now, of one site or of each; a supervisor's has only their team."""
    chosen = [text("site")] if text("site") else list(places().sites)
    if not chosen or not places().sites.keys() >= set(chosen):
        abort(404)
    day, rules, now = day_asked(), hadir().config.rules, utc_now()
    if day > today():
        abort(404)  # it would be worked out, and everybody called absent on it
    _note_export("pdf", day)
    reports = []
    for site_id in chosen:
        compute_in_portions(hadir().engine, site_id, day, rules, now=now)
        with UnitOfWork(hadir().engine, writes=False) as work:
            reports.append(_of_team(daily_report(work, site_id, day, rules, now=now, is_fresh=True)))
    content = render_pdfs(reports, user().language)
    name = f"attendance-{chosen[0]}-{day}.pdf" if len(chosen) == 1 else f"attendance-{day}.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, mimetype="application/pdf", headers=headers | {"Cache-Control": "no-store"})


def _of_team(report: DailyReport) -> DailyReport:
    mine = team()
    if mine is None:
        return report
    rows = tuple(each for each in report.rows if each.employee_id in mine)
    left_out = tuple(each for each in report.excluded if each.employee_id in mine)
    return replace(report, rows=rows, excluded=left_out, totals=totals(rows, left_out))
