"""Ramadan made easy: other hours and another break for a site, from day to day, in one form."""

from zlib import crc32

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from central_server.blueprints.assignments import chosen_site, site_choices
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.request_facts import today, user
from central_server.blueprints.row_forms import clean, put_problems
from central_server.blueprints.working_time_forms import RamadanForm, filled
from central_server.blueprints.working_time_words import recompute_words
from central_server.db.models import BreakWindow
from central_server.db.stores import shifts as shifts_store
from central_server.domain.shifts import WEEKDAYS
from central_server.services.change_working_time import Ramadan, RowRefused, set_ramadan

blueprint = Blueprint("ramadan", __name__, url_prefix="/working-time/ramadan")


@blueprint.route("/", methods=["GET", "POST"])
def plan() -> str | Response:
    form = filled(RamadanForm, _proposed())
    form.site_id.choices = site_choices()
    form.pause.choices = _pauses()
    if form.validate_on_submit() and _saved(form):
        return redirect(url_for("assignments.index", site=form.site_id.data, date=form.valid_from.data))
    return render_template(
        "row_form.html",
        form=form,
        title=_("Ramadan hours"),
        order=(
            "site_id",
            "valid_from",
            "valid_to",
            "starts",
            "ends",
            "pause",
            "pause_starts",
            "pause_ends",
        ),
        hints={
            "valid_from": _("As announced. You can change it later under Who works when."),
            "valid_to": _("From the next day on the usual hours count again by themselves."),
            "ends": _("On the same weekdays as now."),
            "pause": _("On these dates it counts instead of every break of that name, also on Fridays."),
        },
        warning=_(
            "This makes a shift for these dates, gives it to the site as its default and replaces one break. "
            "People with working hours of their own keep them: change theirs one by one, or by a table. "
            "A Friday prayer under a name of its own stays as it is."
        ),
        back=url_for("breaks.index"),
        removes="",
    )


def _proposed() -> dict[str, str]:
    return {
        "site_id": chosen_site(),
        "starts": "07:30",
        "ends": "15:00",
        "pause_starts": "12:00",
        "pause_ends": "12:30",
        "pause": next((value for value, _words in _pauses() if value), ""),
    }


def _pauses() -> list[tuple[str, str]]:
    names = db.session.scalars(select(BreakWindow.name).distinct().order_by(BreakWindow.name))
    return [*((name, name) for name in names), ("", _("None: the breaks stay as they are"))]


def _saved(form: RamadanForm) -> bool:
    row = clean(form.row())
    hours = {
        "shift_id": _shift_id(row["valid_from"][:4], row["site_id"]),
        "name": _("Ramadan %(year)s", year=row["valid_from"][:4]),
        "starts": row["starts"],
        "ends": row["ends"],
        "weekdays": _weekdays_now(row["site_id"]),
    }
    pause = None
    if row["pause"]:
        pause = {"name": row["pause"], "starts": row["pause_starts"], "ends": row["pause_ends"]}
    plan = Ramadan(
        site_id=row["site_id"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        hours=hours,
        pause=pause,
    )
    try:
        with hadir().work() as work:
            set_ramadan(work, plan, now=utc_now(), actor=user().actor)
    except RowRefused as refused:
        put_problems(form, refused.problems)
        return False
    flash(f"{_('The Ramadan hours are planned.')} {recompute_words()}", "good")
    return True


def _shift_id(year: str, site_id: str) -> str:
    """Return a short name of at most 32 that no other site and no other year has."""
    whole = f"ramadan-{year}-{site_id}"
    return whole if len(whole) <= 32 else f"ramadan-{year}-{site_id[:10]}-{crc32(site_id.encode()):08x}"


def _weekdays_now(site_id: str) -> str:
    """Return the weekdays that the site's default works now; Monday to Friday where it has none."""
    schedule = shifts_store.of_site(db.session(), site_id, hadir().config.rules.day_cutoff)
    found = schedule.assignment_on(today()) if schedule else None
    if schedule is None or found is None or found.shift is None:
        return "mon-fri"
    same_start = [
        each.shift for each in schedule.assignments if each.shift and each.valid_from == found.valid_from
    ]
    worked = {day for shift in same_start for day in shift.weekdays}
    return ",".join(day for day in WEEKDAYS if day in worked)
