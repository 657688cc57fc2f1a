"""Holidays: the list of a year, Indonesia's as data, and days of the company's own."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from sqlalchemy import extract, func, select
from werkzeug.wrappers import Response

from central_server.blueprints.assignments import site_choices
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.request_facts import places, text, today, user
from central_server.blueprints.working_time_forms import KIND_CHOICES, HolidayForm, filled
from central_server.blueprints.working_time_rows import removed, saved
from central_server.blueprints.working_time_words import HOLIDAY_KINDS, recompute_words
from central_server.db.models import Holiday
from central_server.services.exchange import holidays
from central_server.services.exchange.table import Row
from central_server.services.take_holidays import has_doubts, take_indonesias, years

blueprint = Blueprint("holidays", __name__, url_prefix="/working-time/holidays")


@blueprint.get("/")
def index() -> str:
    year = _year()
    query = select(Holiday).where(extract("year", Holiday.day) == year)
    rows = list(db.session.scalars(query.order_by(Holiday.day, Holiday.site_id)))
    return render_template(
        "holidays.html",
        year=year,
        rows=rows,
        uncertain=sum(not row.is_certain for row in rows),
        collective=sum(row.kind == "collective" for row in rows),
        kinds=HOLIDAY_KINDS,
        listed=years(),
        has_doubts=year in years() and has_doubts(year),
        places=places(),
        sites=[("", _("Every site")), *site_choices()],
        today=today(),
        newest=db.session.scalar(select(func.max(Holiday.day))),
    )


@blueprint.route("/add", methods=["GET", "POST"])
def add() -> str | Response:
    form = filled(HolidayForm, {"kind": "company", "is_certain": "yes"})
    if form.validate_on_submit() and saved(form, holidays.TABLE, form.row()):
        return redirect(url_for("holidays.index", year=(form.day.data or "")[:4]))
    return _form(form, _("Add a holiday"))


@blueprint.route("/<int:holiday_id>", methods=["GET", "POST"])
def edit(holiday_id: int) -> str | Response:
    before = _row(holiday_id)
    form = filled(HolidayForm, before)
    if form.validate_on_submit() and saved(form, holidays.TABLE, form.row(), before=before):
        return redirect(url_for("holidays.index", year=(form.day.data or "")[:4]))
    return _form(form, before["name"], holiday_id)


@blueprint.post("/<int:holiday_id>/remove")
def remove(holiday_id: int) -> Response:
    row = _row(holiday_id)
    removed(holidays.TABLE, row)
    return redirect(url_for("holidays.index", year=row["day"][:4]))


@blueprint.post("/indonesia")
def indonesia() -> Response:
    asked, site_id = request.form.get("year", ""), request.form.get("site_id", "")
    if not asked.isascii() or not asked.isdigit() or int(asked) not in years():
        abort(404)
    if site_id and site_id not in places().sites:
        abort(404)
    year, with_collective = int(asked), request.form.get("collective") == "yes"
    with hadir().work() as work:
        done = take_indonesias(
            work, year, site_id=site_id, with_collective=with_collective, now=utc_now(), actor=user().actor
        )
    words = ngettext(
        "%(num)d day was taken over.", "%(num)d days were taken over.", done.added + done.changed
    )
    doubts = sum(each.after["is_certain"] == "no" for each in done.differences)
    if doubts:
        words += " " + ngettext(
            "%(num)d of them is foreseen: check it against the decree.",
            "%(num)d of them are foreseen: check them against the decree.",
            doubts,
        )
    flash(f"{words} {recompute_words(f'{year}-01-01')}".strip(), "good")
    return redirect(url_for("holidays.index", year=year))


def _year() -> int:
    asked = text("year")
    return int(asked) if asked.isascii() and asked.isdigit() and 2000 <= int(asked) <= 2100 else today().year


def _row(holiday_id: int) -> Row:
    found = db.session.get(Holiday, holiday_id)
    if found is None:
        abort(404)
    return holidays.row_of(found)


def _form(form: HolidayForm, title: str, holiday_id: int | None = None) -> str:
    form.kind.choices = KIND_CHOICES
    form.site_id.choices = [("", _("Every site")), *site_choices()]
    return render_template(
        "row_form.html",
        back_words=_("Holidays"),
        form=form,
        title=title,
        order=("day", "name", "kind", "site_id", "is_certain"),
        hints={
            "kind": _("Collective leave is deducted from annual leave, and optional for private companies."),
            "is_certain": _("Without this the day counts, but stays marked until somebody has checked it."),
        },
        back=url_for("holidays.index", year=(form.day.data or "")[:4]),
        removes=url_for("holidays.remove", holiday_id=holiday_id) if holiday_id else "",
    )
