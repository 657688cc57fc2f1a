"""How an administrator lets another box in: by a one-time code, or by answering one that knocks."""

from typing import Any

from flask import Blueprint, flash, redirect, session, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from central_server.blueprints.agent_joining import own_ca
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.forms import AdmitForm, JoinCodeForm, options
from central_server.blueprints.request_facts import places, user
from central_server.db.queries.devices import open_join_codes
from central_server.db.queries.knocks import KnockLine, open_knocks
from central_server.ports import SealBroken
from central_server.services import answer_knock
from central_server.services.join_agent import make_join_code, withdraw_join_code
from central_server.services.manage_people import first_site
from common.join_link import JoinLink
from common.pairing import ca_hash

blueprint = Blueprint("joining", __name__, url_prefix="/cameras")

_KEPT, _PURPOSE = "join_code", "a join code, shown once"


@blueprint.post("/join-code")
def join_code() -> Response:
    """Make a code; the page that follows shows it, this once, so that a reload makes no other."""
    form = _code_form()
    if form.validate_on_submit():
        with hadir().work() as work:
            code = make_join_code(
                work,
                _site(form.site_id.data, work),
                agent_name=(form.agent_name.data or "").strip()[:60],
                by=user().username,
                secret_key=hadir().config.secret_key,
                now=utc_now(),
            )
        session[_KEPT] = hadir().seal(_PURPOSE).close(code.encode()).decode()
    return redirect(url_for("cameras.index", _anchor="join-code"))


@blueprint.post("/join-code/<int:code_id>/withdraw")
def withdraw(code_id: int) -> Response:
    with hadir().work() as work:
        is_done = withdraw_join_code(work, code_id, by=user().username, now=utc_now())
    if is_done:
        flash(_("The code is withdrawn: nobody can join with it any more."), "good")
    else:
        flash(_("That code has been used, or its time was over."), "bad")
    return redirect(url_for("cameras.index"))


@blueprint.post("/knocks/<request_id>/approve")
def approve(request_id: str) -> Response:
    """Let a box in, after a person has said that both codes are the same."""
    form = _admit_form()
    if not form.validate_on_submit():
        flash(_("Compare the codes and tick the box first."), "bad")
        return redirect(url_for("cameras.index", _anchor="knocks"))
    try:
        with hadir().work() as work:
            row = answer_knock.approve(
                work,
                request_id,
                _site(form.site_id.data, work),
                named=(form.agent_name.data or "").strip()[:60],
                by=user().username,
                now=utc_now(),
            )
            name = row.name
        flash(
            _(
                "%(name)s is let in. If it does not come online within a minute, start it on the box: "
                "sudo systemctl start hadir-agent, or hadir agent run.",
                name=name,
            ),
            "good",
        )
    except answer_knock.KnockGone:
        _say_gone()
    return redirect(url_for("cameras.index"))


@blueprint.post("/knocks/<request_id>/refuse")
def refuse(request_id: str) -> Response:
    try:
        with hadir().work() as work:
            name = answer_knock.refuse(work, request_id, by=user().username, now=utc_now()).name
        flash(_("%(name)s was sent away.", name=name), "good")
    except answer_knock.KnockGone:
        _say_gone()
    return redirect(url_for("cameras.index"))


def _say_gone() -> None:
    flash(_("This box does not wait any more. Let it knock again."), "bad")


def code_once() -> str:
    """Return the code that was made a moment ago, and forget it."""
    sealed = session.pop(_KEPT, "")
    try:
        return hadir().seal(_PURPOSE).open(sealed.encode()).decode() if sealed else ""
    except SealBroken:
        return ""


def for_the_page(code: str) -> dict[str, Any]:
    """Return what the Cameras page shows of joining: to administrators alone."""
    if not user().may("joining.join_code"):
        return {"knocks": (), "open_codes": (), "link": None}
    now, der = utc_now(), own_ca()
    server = JoinLink(hadir().config.base_url, "", ca_hash(der) if der else "")
    knocks = open_knocks(db.session(), places(), now=now)
    return {
        "form": _code_form(),
        "knocks": [(each, _admit_form(each)) for each in knocks],
        "open_codes": open_join_codes(db.session(), places(), now=now),
        "code": code,
        "link": JoinLink(server.server_url, code, server.ca_hash) if code else None,
        "server_link": server,
    }


def _code_form() -> JoinCodeForm:
    form = JoinCodeForm()
    form.site_id.choices = _sites()
    return form


def _admit_form(knock: KnockLine | None = None) -> AdmitForm:
    """Return the form about one box; several stand on the page, so each has ids of its own."""
    form = AdmitForm(data={"agent_name": knock.name} if knock else None)
    form.site_id.choices = _sites()
    if knock:
        for each in form:
            each.id = f"{each.name}-{knock.request_id[:8]}"
            each.label.field_id = each.id
    return form


def _sites() -> list[Any]:
    return options([(each.place_id, each.name) for each in places().sites.values()] or [("", _("Main site"))])


def _site(wanted: str, work: Any) -> str:
    """Return the site that was chosen; the only or first one when it makes no sense."""
    first = first_site(work, timezone=hadir().config.timezone, name=_("Main site"))
    return wanted if wanted in places().sites else first
