"""Breaks: when nobody has to be seen, by weekday and dates."""

from flask import Blueprint, abort, redirect, render_template, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from central_server.blueprints.assignments import chosen_site, site_choices
from central_server.blueprints.extensions import db
from central_server.blueprints.request_facts import today
from central_server.blueprints.working_time_forms import BreakForm, filled
from central_server.blueprints.working_time_rows import many, removed, saved
from central_server.blueprints.working_time_words import weekday_names, weekdays_words
from central_server.db.models import BreakWindow, Shift
from central_server.services.exchange import breaks
from central_server.services.exchange.shifts import weekdays_in

blueprint = Blueprint("breaks", __name__, url_prefix="/working-time/breaks")

EVERY_DAY = "mon,tue,wed,thu,fri,sat,sun"


@blueprint.get("/")
def index() -> str:
    site_id = chosen_site()
    query = (
        select(BreakWindow, Shift.name)
        .outerjoin(Shift, Shift.shift_id == BreakWindow.shift_id)
        .where(BreakWindow.site_id == site_id)
        .order_by(BreakWindow.starts, BreakWindow.name, BreakWindow.valid_from, BreakWindow.id)
    )
    lines = [
        {
            "row": row,
            "shift": shift,
            "days": weekdays_words(weekdays_in(row.weekdays)),
            "is_over": row.valid_to is not None and row.valid_to < today(),
        }
        for row, shift in db.session.execute(query)
    ]
    return render_template("breaks.html", lines=lines, site_id=site_id, sites=site_choices())


@blueprint.route("/add", methods=["GET", "POST"])
def add() -> str | Response:
    form = filled(BreakForm, {"site_id": chosen_site(), "starts": "12:00", "ends": "13:00"})
    ticked = many("weekdays") if form.is_submitted() else EVERY_DAY
    row = {**form.row(), "weekdays": ticked or "?"}
    if form.validate_on_submit() and saved(form, breaks.TABLE, row, site_id=row["site_id"]):
        return redirect(url_for("breaks.index", site=row["site_id"]))
    return _form(form, _("Add a break"), ticked)


@blueprint.route("/<int:break_id>", methods=["GET", "POST"])
def edit(break_id: int) -> str | Response:
    found = _break(break_id)
    before, stored = breaks.row_of(found), found.weekdays
    form = filled(BreakForm, before)
    ticked = many("weekdays") if form.is_submitted() else stored
    row = {**form.row(), "weekdays": ticked or "?"}
    if form.validate_on_submit() and saved(form, breaks.TABLE, row, before=before, site_id=row["site_id"]):
        return redirect(url_for("breaks.index", site=row["site_id"]))
    return _form(form, before["name"], ticked, break_id)


@blueprint.post("/<int:break_id>/remove")
def remove(break_id: int) -> Response:
    row = breaks.row_of(_break(break_id))
    removed(breaks.TABLE, row)
    return redirect(url_for("breaks.index", site=row["site_id"]))


def _break(break_id: int) -> BreakWindow:
    found = db.session.get(BreakWindow, break_id)
    if found is None:
        abort(404)
    return found


def _form(form: BreakForm, title: str, ticked: str, break_id: int | None = None) -> str:
    shifts = db.session.scalars(select(Shift).order_by(Shift.starts, Shift.shift_id))
    form.site_id.choices = site_choices()
    form.shift_id.choices = [("", _("Every shift")), *((row.shift_id, row.name) for row in shifts)]
    return render_template(
        "row_form.html",
        back_words=_("Breaks"),
        wide=("shift_id",),
        form=form,
        title=title,
        order=(
            "name",
            "site_id",
            "starts",
            "ends",
            "weekdays",
            "shift_id",
            "valid_from",
            "valid_to",
            "is_paid",
        ),
        hints={
            "name": _(
                "A break with dates replaces the one of the same name on those dates, for example Lunch."
            ),
            "shift_id": _("A break of one shift replaces the one of the same name for every shift."),
            "valid_from": _("Empty: always."),
            "valid_to": _("Empty: until a newer one of this name begins."),
            "is_paid": _("For example a short prayer. Without this it is taken off the working hours."),
        },
        ticked=ticked.split(","),
        weekdays=weekday_names(),
        back=url_for("breaks.index", site=form.site_id.data or ""),
        removes=url_for("breaks.remove", break_id=break_id) if break_id else "",
    )
