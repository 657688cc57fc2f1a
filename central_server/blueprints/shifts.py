"""Shifts: who works from when to when, drawn as a week."""

from dataclasses import dataclass

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from central_server.blueprints.charts import Piece, week_bars
from central_server.blueprints.extensions import db, hadir
from central_server.blueprints.working_time_forms import NewShiftForm, ShiftForm, filled
from central_server.blueprints.working_time_rows import many, removed, saved
from central_server.blueprints.working_time_words import weekday_names, weekdays_words
from central_server.db.models import Shift
from central_server.db.queries.working_time import uses_of_shift
from central_server.domain.shifts import WEEKDAYS
from central_server.services.exchange import shifts
from central_server.services.exchange.shifts import weekdays_in
from central_server.services.exchange.table import Row

blueprint = Blueprint("shifts", __name__, url_prefix="/working-time/shifts")

NEW = {
    "starts": "08:00",
    "ends": "17:00",
    "early_in_min": "120",
    "late_out_min": "240",
    "late_grace_min": "10",
    "early_leave_grace_min": "10",
}


@dataclass(frozen=True, slots=True)
class ShiftLine:
    shift_id: str
    name: str
    hours: str
    days: str
    margins: str
    bars: tuple[Piece, ...]


@blueprint.get("/")
def index() -> str:
    lines = []
    for row in db.session.scalars(select(Shift).order_by(Shift.starts, Shift.shift_id)):
        days = weekdays_in(row.weekdays)
        lines.append(
            ShiftLine(
                shift_id=row.shift_id,
                name=row.name,
                hours=f"{row.starts:%H:%M}–{row.ends:%H:%M}",
                days=weekdays_words(days),
                margins=f"−{row.early_in_min} / +{row.late_out_min}",
                bars=week_bars(row.starts, row.ends, [WEEKDAYS.index(day) for day in days]),
            )
        )
    return render_template("shifts.html", lines=lines, weekdays=weekday_names())


@blueprint.route("/add", methods=["GET", "POST"])
def add() -> str | Response:
    form = filled(NewShiftForm, NEW)
    ticked = many("weekdays") if form.is_submitted() else "mon,tue,wed,thu,fri"
    if form.validate_on_submit() and saved(form, shifts.TABLE, {**form.row(), "weekdays": ticked or "?"}):
        return redirect(url_for("shifts.index"))
    return _form(form, _("Add a shift"), ticked, is_new=True)


@blueprint.route("/<shift_id>", methods=["GET", "POST"])
def edit(shift_id: str) -> str | Response:
    before = _row(shift_id)
    form = filled(ShiftForm, before)
    stored = db.session.get_one(Shift, shift_id).weekdays
    ticked = many("weekdays") if form.is_submitted() else stored
    row = {**form.row(), "shift_id": shift_id, "weekdays": ticked or "?"}
    if form.validate_on_submit() and saved(form, shifts.TABLE, row, before=before):
        return redirect(url_for("shifts.index"))
    return _form(form, before["name"], ticked, shift_id=shift_id)


@blueprint.post("/<shift_id>/remove")
def remove(shift_id: str) -> Response:
    done = removed(shifts.TABLE, _row(shift_id))
    return redirect(url_for("shifts.index") if done else url_for("shifts.edit", shift_id=shift_id))


def _row(shift_id: str) -> Row:
    with hadir().work() as work:
        found = next((row for row in shifts.TABLE.read(work) if row["shift_id"] == shift_id), None)
    if found is None:
        abort(404)
    return found


def _form(
    form: ShiftForm, title: str, ticked: str, *, is_new: bool = False, shift_id: str = ""
) -> str:  # the same page for both
    warning = (
        ""
        if is_new
        else _(
            "A change counts for all days, also for past ones when they are recomputed. For new hours from a "
            "certain day on, make a new shift and assign it from that day."
        )
    )
    hints = {
        "shift_id": _("For tables and rotations, for example day. It cannot be changed later."),
        "ends": _("At or before the start it means the next day: 22:00 to 06:00 is a night."),
        "early_in_min": _("Who is seen this long before the start has come for this shift."),
        "late_out_min": _("Who is seen this long after the end was still at work."),
        "weekdays": _("In a rotation these days do not count."),
    }
    return render_template(
        "row_form.html",
        back_words=_("Shifts"),
        wide=("name",) if shift_id else (),
        form=form,
        title=title,
        order=("name", "shift_id", "starts", "ends", "weekdays", *shifts.MINUTES),
        hints=hints,
        warning=warning,
        ticked=ticked.split(","),
        weekdays=weekday_names(),
        back=url_for("shifts.index"),
        removes=url_for("shifts.remove", shift_id=shift_id) if shift_id else "",
        used=uses_of_shift(db.session(), shift_id) if shift_id else "",
        is_wrong=request.method == "POST",
    )
