"""One person's superiors, and their leave and business trips."""

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from central_server.blueprints.extensions import db
from central_server.blueprints.forms import options
from central_server.blueprints.leave_words import LEAVE_KINDS
from central_server.blueprints.request_facts import places, team, today
from central_server.blueprints.row_forms import LeaveForm, SuperiorForm, keeps, removes
from central_server.db.queries.organisation import leaves_of, superiors_of
from central_server.db.queries.people import Person, choices_of_supervisors, read_person
from central_server.services.exchange import hierarchy
from central_server.services.exchange import leaves as leave_table

blueprint = Blueprint("standing", __name__, url_prefix="/people/<employee_id>")


def _person(employee_id: str) -> Person:
    return read_person(db.session(), places(), employee_id, team(), today()) or abort(404)


@blueprint.route("/superiors", methods=["GET", "POST"])
def superiors(employee_id: str) -> ResponseReturnValue:
    person, form = _person(employee_id), SuperiorForm()
    others = [each for each in choices_of_supervisors(db.session()) if each[0] != employee_id]
    form.supervisor_id.choices = options([("", "–"), *others])
    if form.validate_on_submit() and keeps(form, hierarchy.TABLE, is_new=True, employee_id=employee_id):
        flash(_("Saved."), "good")
        return redirect(url_for("standing.superiors", employee_id=employee_id))
    lines = superiors_of(db.session(), employee_id)
    return render_template("superiors.html", person=person, lines=lines, form=form, today=today())


@blueprint.post("/superiors/end")
def end_superior(employee_id: str) -> Response:
    """Let one be the superior until a day, or take it away as if it had never been."""
    _person(employee_id)
    names = ("supervisor_id", "level", "valid_from")
    key = {name: request.form.get(name, "") for name in names} | {"employee_id": employee_id}
    if request.form.get("how") == "remove":
        removes(hierarchy.TABLE, **key)
        flash(_("Removed."), "good")
    else:
        flash(*_ended(key, request.form.get("valid_to", "")))
    return redirect(url_for("standing.superiors", employee_id=employee_id))


def _ended(key: dict[str, str], last: str) -> tuple[str, str]:
    """End it; return what to say and in which tone."""
    form = SuperiorForm(formdata=None)
    known = any(
        (each.supervisor_id, str(each.level)) == (key["supervisor_id"], key["level"])
        for each in superiors_of(db.session(), key["employee_id"])
    )
    if not known or not last:
        return _("Say until which day."), "bad"
    if keeps(form, hierarchy.TABLE, **key, valid_to=last):
        return _("Saved."), "good"
    return " ".join(str(words) for field in form for words in field.errors), "bad"


@blueprint.route("/leaves", methods=["GET", "POST"])
def leaves(employee_id: str) -> ResponseReturnValue:
    person, form = _person(employee_id), LeaveForm()
    if form.validate_on_submit() and keeps(form, leave_table.TABLE, is_new=True, employee_id=employee_id):
        flash(_("Saved."), "good")
        return redirect(url_for("standing.leaves", employee_id=employee_id))
    lines = leaves_of(db.session(), employee_id)
    return render_template(
        "leaves.html", person=person, lines=lines, form=form, kinds=LEAVE_KINDS, today=today()
    )


@blueprint.post("/leaves/remove")
def remove_leave(employee_id: str) -> Response:
    _person(employee_id)
    removes(leave_table.TABLE, employee_id=employee_id, first_on=request.form.get("first_on", ""))
    flash(_("Removed."), "good")
    return redirect(url_for("standing.leaves", employee_id=employee_id))
