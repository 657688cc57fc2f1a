"""Rotations: a shift or a day off for each day of a pattern, with the coming four weeks drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from central_server.blueprints.extensions import db, hadir
from central_server.blueprints.request_facts import today
from central_server.blueprints.working_time_forms import NewRotationForm, RotationForm, filled
from central_server.blueprints.working_time_rows import removed, saved
from central_server.blueprints.working_time_words import weekday_names
from central_server.db.models import Shift
from central_server.db.queries.working_time import uses_of_rotation, week_of
from central_server.services.exchange import rotations
from central_server.services.exchange.rotations import pattern_days
from central_server.services.exchange.shifts import OFF
from central_server.services.exchange.table import Row
from central_server.services.exchange.values import as_date

blueprint = Blueprint("rotations", __name__, url_prefix="/working-time/rotations")

TONES = ("good", "info", "warn", "bad")
WEEKS, MOST_DAYS = 4, 60


@dataclass(frozen=True, slots=True)
class DayCell:
    day: date
    shift: str  # "": a day off
    tone: str
    is_first: bool  # of the pattern


@dataclass(frozen=True, slots=True)
class RotationLine:
    rotation_id: str
    name: str
    starts_on: date
    days: tuple[tuple[str, str], ...]  # name and tone of each day of the pattern


@blueprint.get("/")
def index() -> str:
    names = _shift_names()
    with hadir().work() as work:
        rows = list(rotations.TABLE.read(work))
    lines = [
        RotationLine(
            rotation_id=row["rotation_id"],
            name=row["name"],
            starts_on=as_date(row["starts_on"]) or today(),
            days=tuple(
                (names.get(each, ""), _tone(each, row["pattern"])) for each in pattern_days(row["pattern"])
            ),
        )
        for row in rows
    ]
    return render_template("rotations.html", lines=lines, has_shifts=bool(names))


@blueprint.route("/add", methods=["GET", "POST"])
def add() -> str | Response:
    form = filled(NewRotationForm, {"starts_on": week_of(today())[0].isoformat()})
    pattern = _typed() if form.is_submitted() else [OFF] * 7
    if _is_saving(form) and saved(form, rotations.TABLE, {**form.row(), "pattern": ",".join(pattern)}):
        return redirect(url_for("rotations.index"))
    return _form(form, _("Add a rotation"), pattern)


@blueprint.route("/<rotation_id>", methods=["GET", "POST"])
def edit(rotation_id: str) -> str | Response:
    before = _row(rotation_id)
    form = filled(RotationForm, before)
    pattern = _typed() if form.is_submitted() else list(pattern_days(before["pattern"]))
    row = {**form.row(), "rotation_id": rotation_id, "pattern": ",".join(pattern)}
    if _is_saving(form) and saved(form, rotations.TABLE, row, before=before):
        return redirect(url_for("rotations.index"))
    return _form(form, before["name"], pattern, rotation_id)


@blueprint.post("/<rotation_id>/remove")
def remove(rotation_id: str) -> Response:
    done = removed(rotations.TABLE, _row(rotation_id))
    return redirect(
        url_for("rotations.index") if done else url_for("rotations.edit", rotation_id=rotation_id)
    )


def _is_saving(form: RotationForm) -> bool:
    return form.validate_on_submit() and request.form.get("do", "save") == "save"


def _typed() -> list[str]:
    """Return the pattern as it was chosen, a day longer or shorter where that was asked for."""
    pattern = [each[:32] for each in request.form.getlist("pattern")][:MOST_DAYS] or [OFF]
    wish = request.form.get("do")
    if wish == "more" and len(pattern) < MOST_DAYS:
        return [*pattern, OFF]
    return pattern[:-1] if wish == "less" and len(pattern) > 1 else pattern


def _row(rotation_id: str) -> Row:
    with hadir().work() as work:
        found = next((row for row in rotations.TABLE.read(work) if row["rotation_id"] == rotation_id), None)
    if found is None:
        abort(404)
    return found


def _shift_names() -> dict[str, str]:
    rows = db.session.scalars(select(Shift).order_by(Shift.starts, Shift.shift_id))
    return {row.shift_id: row.name for row in rows}


def _tone(shift_id: str, pattern: str) -> str:
    """Return the colour of a shift: the same one all through a pattern."""
    worked = [each for each in dict.fromkeys(pattern_days(pattern)) if each != OFF]
    return TONES[worked.index(shift_id) % len(TONES)] if shift_id in worked else ""


def coming_weeks(
    pattern: Sequence[str], starts_on: date | None, names: dict[str, str]
) -> list[list[DayCell]]:
    """Return the four weeks from this Monday, a list of days each; nothing without a beginning."""
    if starts_on is None or not pattern:
        return []
    monday, text = week_of(today())[0], ",".join(pattern)
    cells = []
    for n in range(7 * WEEKS):
        day = monday + timedelta(days=n)
        place = (day - starts_on).days % len(pattern)
        shift_id = pattern[place]
        cells.append(DayCell(day, names.get(shift_id, ""), _tone(shift_id, text), place == 0))
    return [cells[n : n + 7] for n in range(0, len(cells), 7)]


def _form(form: RotationForm, title: str, pattern: list[str], rotation_id: str = "") -> str:
    names = _shift_names()
    try:
        starts_on = as_date(form.starts_on.data or "")
    except ValueError:
        starts_on = None
    return render_template(
        "rotation_form.html",
        form=form,
        title=title,
        pattern=pattern,
        choices=[(OFF, _("Day off")), *names.items()],
        weeks=coming_weeks(pattern, starts_on, names),
        weekdays=weekday_names(),
        starts_on=starts_on,
        today=today(),
        rotation_id=rotation_id,
        used=uses_of_rotation(db.session(), rotation_id) if rotation_id else "",
        off=OFF,
        timedelta=timedelta,
    )
