"""What somebody punches with, on their page: HR gives a PIN or a badge, shown once, and takes it away."""

from collections.abc import Callable

from flask import Blueprint, flash, redirect, render_template, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from central_server.blueprints import wording
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.request_facts import keep_no_copy, places, user
from central_server.db.models import Employee
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import SealBroken
from central_server.services import give_badge
from central_server.services.manage_people import PersonRefused
from central_server.services.manage_users import hash_password

blueprint = Blueprint("badges", __name__, url_prefix="/people/<employee_id>/badge")

_KEPT, _PURPOSE = "badge_once", "a PIN or a badge, shown once"


@blueprint.post("/pin")
def pin(employee_id: str) -> Response:
    made = give_badge.new_pin()
    pin_hash = hash_password(made)  # outside the transaction: it takes its time

    def give(work: UnitOfWork) -> None:
        give_badge.give_pin(work, employee_id, pin_hash, now=utc_now(), by=user().username)

    return _give(employee_id, give, f"pin:{made}", url_for("people.detail", employee_id=employee_id))


@blueprint.post("/code")
def code(employee_id: str) -> Response:
    made = give_badge.new_code()

    def give(work: UnitOfWork) -> None:
        give_badge.give_code(work, employee_id, made, now=utc_now(), by=user().username)

    return _give(employee_id, give, f"code:{made}", url_for("badges.card", employee_id=employee_id))


@blueprint.get("/")
def card(employee_id: str) -> str | Response:
    """The badge to print, right after it was made, and never again."""
    made = shown_once(employee_id, "code")
    row = db.session().get(Employee, employee_id)
    if not made or row is None:
        flash(_("A badge is shown only once. Make a new one if it was not printed."), "bad")
        return redirect(url_for("people.detail", employee_id=employee_id, _anchor="badge"))
    site = places().sites.get(row.site_id)
    return render_template(
        "badge.html", name=row.name, employee_id=employee_id, code=made, site=site.name if site else ""
    )


@blueprint.post("/remove")
def remove(employee_id: str) -> Response:
    with hadir().work() as work:
        is_done = give_badge.remove_badge(work, employee_id, now=utc_now(), by=user().username)
    if is_done:
        flash(_("PIN and badge are worthless now."), "good")
    return redirect(url_for("people.detail", employee_id=employee_id, _anchor="badge"))


def _give(employee_id: str, give: Callable[[UnitOfWork], None], kept: str, target: str) -> Response:
    try:
        with hadir().work() as work:
            give(work)
    except PersonRefused as refused:
        flash(str(wording.PROBLEMS.get(refused.problem, refused.problem)), "bad")
        return redirect(url_for("people.index"))
    sealed = hadir().seal(_PURPOSE).close(f"{employee_id}\n{kept}".encode())
    session[_KEPT] = sealed.decode()
    return redirect(f"{target}#badge")


def shown_once(employee_id: str, kind: str) -> str:
    """Return the person's pin or code that was made a moment ago, and forget it."""
    sealed = session.get(_KEPT, "")
    try:
        kept = hadir().seal(_PURPOSE).open(sealed.encode()).decode() if sealed else ""
    except SealBroken:
        kept = ""
    whose, _sep, made = kept.partition("\n")
    if not made.startswith(f"{kind}:") or whose != employee_id:
        return ""
    session.pop(_KEPT, None)
    keep_no_copy()
    return made.partition(":")[2]
