"""Alerts: the list, and the whole story of one."""

from flask import Blueprint, abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from werkzeug.wrappers import Response

from central_server.blueprints import wording
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.request_facts import places, team, text, user
from central_server.db.queries.alerts import alert_lines, alerts_query, read_alert
from central_server.services.manage_alerts import acknowledge_alert

blueprint = Blueprint("alerts", __name__, url_prefix="/alerts")

STATE_WORDS = {
    "open_word": wording.Word(lazy("Open"), "bad", "triangle"),
    "closed_word": wording.Word(lazy("Closed"), "idle", "check"),
}


@blueprint.get("/")
def index() -> str:
    state = text("state") if text("state") in ("open", "closed") else ""
    kind = text("kind") if text("kind") in wording.ALERTS else ""
    page = db.paginate(alerts_query(state, kind, team()), per_page=30, max_per_page=30, error_out=False)
    return render_template(
        "alerts.html",
        lines=alert_lines(db.session(), places(), page.items),
        pagination=page,
        state=state,
        kind=kind,
        kinds=[("", _("All")), *((each, it.label) for each, it in wording.ALERTS.items())],
        **STATE_WORDS,
    )


@blueprint.get("/<int:alert_id>")
def detail(alert_id: int) -> str:
    story = read_alert(db.session(), places(), alert_id, team())
    if story is None:
        abort(404)
    return render_template("alert.html", story=story, **STATE_WORDS)


@blueprint.post("/<int:alert_id>/acknowledge")
def acknowledge(alert_id: int) -> Response:
    if read_alert(db.session(), places(), alert_id, team()) is None:
        abort(404)
    with hadir().work() as work:
        ours = acknowledge_alert(work, alert_id, by=user().name, actor=user().actor, now=utc_now())
    flash(_("Noted: you take care of it.") if ours else _("Somebody takes care of it already."), "good")
    return redirect(url_for("alerts.detail", alert_id=alert_id))
