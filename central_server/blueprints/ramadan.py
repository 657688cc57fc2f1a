"""Ramadan made easy: other hours and another break for a site, from day to day, in one form."""

from collections.abc import Iterator
from zlib import crc32

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from central_server.blueprints.assignments import chosen_site, site_choices
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.request_facts import today, user
from central_server.blueprints.working_time_forms import RamadanForm, filled
from central_server.blueprints.working_time_rows import clean, many, put_problems
from central_server.blueprints.working_time_words import recompute_words, weekday_names
from central_server.db.models import BreakWindow
from central_server.db.stores import shifts as shifts_store
from central_server.domain.shifts import WEEKDAYS, Shift
from central_server.services.change_working_time import Ramadan, RowRefused, set_ramadan
from central_server.services.exchange.table import Row

blueprint = Blueprint("ramadan", __name__, url_prefix="/working-time/ramadan")


FRIDAY, OTHER_DAYS = "fri", "mon-thu,sat,sun"
TIMES = ("pause_starts", "pause_ends", "friday_starts", "friday_ends")


@blueprint.route("/", methods=["GET", "POST"])
def plan() -> str | Response:
    site_id = request.form.get("site_id") or chosen_site()
    form = filled(RamadanForm, _proposed(site_id))
    form.site_id.choices = site_choices()
    form.pause.choices = _pauses()
    ticked = many("weekdays") if form.is_submitted() else ",".join(_weekdays_now(site_id))
    if form.validate_on_submit() and _saved(form, ticked):
        return redirect(url_for("assignments.index", site=form.site_id.data, date=form.valid_from.data))
    return render_template(
        "row_form.html",
        back_words=_("Breaks"),
        form=form,
        title=_("Ramadan hours"),
        order=("site_id", "valid_from", "valid_to", "starts", "ends", "weekdays", "pause", *TIMES),
        hints={
            "valid_from": _("As announced. Entered again with other dates, it replaces what was planned."),
            "valid_to": _("From the next day on the usual hours count again by themselves."),
            "weekdays": _("A shift of the site on other days, like a short Saturday, goes on as it is."),
            "pause": _("On these dates it counts instead of every break of that name."),
            "friday_starts": _("Long enough for the Friday prayer. Empty: as on other days."),
        },
        wide=("site_id", "pause"),
        ticked=ticked.split(","),
        weekdays=weekday_names(),
        warning=_(
            "This makes a shift for these dates, gives it to the site as its default and replaces one break. "
            "People with working time of their own keep it: change theirs one by one, or by a table."
        ),
        back=url_for("breaks.index"),
        removes="",
    )


def _proposed(site_id: str) -> dict[str, str]:
    unpaid = select(BreakWindow.name).where(BreakWindow.site_id == site_id, BreakWindow.is_paid.is_(False))
    return {
        "site_id": site_id,
        "starts": "07:30",
        "ends": "15:00",
        "pause_starts": "12:00",
        "pause_ends": "12:30",
        "friday_starts": "11:30",
        "friday_ends": "12:30",
        "pause": db.session.scalar(unpaid.order_by(BreakWindow.starts).limit(1)) or "",
    }


def _pauses() -> list[tuple[str, str]]:
    names = db.session.scalars(select(BreakWindow.name).distinct().order_by(BreakWindow.name))
    return [*((name, name) for name in names), ("", _("None: the breaks stay as they are"))]


def _saved(form: RamadanForm, ticked: str) -> bool:
    row, year = clean(form.row()), (form.valid_from.data or "")[:4]
    ramadan = Ramadan(
        site_id=row["site_id"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        hours={
            "shift_id": _shift_id(year, row["site_id"]),
            "name": _("Ramadan %(year)s", year=year),
            "starts": row["starts"],
            "ends": row["ends"],
            "weekdays": ticked or "?",
        },
        kept=_beside(row["site_id"], frozenset(ticked.split(","))),
        pauses=tuple(_replaced(row)) if row["pause"] else (),
    )
    try:
        with hadir().work() as work:
            replaced = set_ramadan(work, ramadan, now=utc_now(), actor=user().actor)
    except RowRefused as refused:
        put_problems(form, refused.problems)
        return False
    words = [_("The Ramadan hours are planned.")]
    for first, last in replaced:
        words.append(
            _("They replace those planned before, from %(first)s to %(last)s.", first=first, last=last)
        )
    starts = [row["valid_from"], *(first for first, _last in replaced)]
    flash(" ".join(filter(None, [*words, recompute_words(*starts)])), "good")
    return True


def _replaced(row: Row) -> Iterator[Row]:
    """Yield the breaks of these dates: one for every day, or one for Fridays and one for the others."""
    usual = {"name": row["pause"], "starts": row["pause_starts"], "ends": row["pause_ends"]}
    if not row["friday_starts"] and not row["friday_ends"]:
        yield {**usual, "weekdays": "mon-sun"}
        return
    yield {**usual, "weekdays": OTHER_DAYS}
    yield {**usual, "starts": row["friday_starts"], "ends": row["friday_ends"], "weekdays": FRIDAY}


def _shift_id(year: str, site_id: str) -> str:
    """Return a short name of at most 32 that no other site and no other year has."""
    whole = f"ramadan-{year}-{site_id}"
    return whole if len(whole) <= 32 else f"ramadan-{year}-{site_id[:10]}-{crc32(site_id.encode()):08x}"


def _defaults_now(site_id: str) -> list[Shift]:
    """Return the shifts of the site's default of today, the one of most weekdays first."""
    schedule = shifts_store.of_site(db.session(), site_id, hadir().config.rules.day_cutoff)
    found = schedule.assignment_on(today()) if schedule else None
    if schedule is None or found is None:
        return []
    same = [each.shift for each in schedule.assignments if each.shift and each.valid_from == found.valid_from]
    return sorted(same, key=lambda each: -len(each.weekdays))


def _weekdays_now(site_id: str) -> tuple[str, ...]:
    """Return the weekdays of the site's longest default; Monday to Friday where it has no shift."""
    worked = [each.weekdays for each in _defaults_now(site_id)] or [frozenset(WEEKDAYS[:5])]
    return tuple(day for day in WEEKDAYS if day in worked[0])


def _beside(site_id: str, weekdays: frozenset[str]) -> tuple[str, ...]:
    """Return the site's default shifts that share no weekday with the new one: they go on."""
    return tuple(each.shift_id for each in _defaults_now(site_id) if not each.weekdays & weekdays)
