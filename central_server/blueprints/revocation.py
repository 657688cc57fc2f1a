"""Shut an agent out, after a page that says what comes of it; and let it in again."""

from flask import Blueprint, abort, current_app, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.forms import RevokeForm
from central_server.blueprints.request_facts import places, user
from central_server.db.queries.devices import agents
from central_server.services.revoke_agent import (
    NotRevoked,
    UnknownAgent,
    restore_agent,
    revoke_agent,
    shut_out,
)

blueprint = Blueprint("revocation", __name__, url_prefix="/cameras")


@blueprint.route("/agents/<agent_id>/revoke", methods=["GET", "POST"])
def revoke(agent_id: str) -> str | Response:
    now, form = utc_now(), RevokeForm()
    known = {each.agent_id: each for each in agents(db.session(), places(), now=now)}
    if (agent := known.get(agent_id)) is None:  # there is none, or it is revoked already
        abort(404)
    if not form.validate_on_submit():
        return render_template("revoke.html", agent=agent, form=form)
    try:
        with hadir().work() as work:
            revoke_agent(work, agent_id, now=now, actor=user().actor)
    except UnknownAgent:
        abort(404)
    if problem := shut_out(hadir().accounts, agent_id):
        current_app.logger.error("agent %s is revoked, but %s", agent_id, problem)
        flash(
            _(
                "%(name)s is revoked. The broker could not be told yet; the server goes on trying.",
                name=agent.name,
            ),
            "bad",
        )
    else:
        flash(_("%(name)s is revoked and disconnected.", name=agent.name), "good")
    return redirect(url_for("cameras.index"))


@blueprint.post("/agents/<agent_id>/restore")
def restore(agent_id: str) -> Response:
    try:
        with hadir().work() as work:
            name = restore_agent(work, agent_id, now=utc_now(), actor=user().actor).name
    except UnknownAgent:
        abort(404)
    except NotRevoked:
        flash(_("That agent is not revoked."), "bad")
    else:
        flash(_("%(name)s is let in again. It comes back by itself within ten minutes.", name=name), "good")
    return redirect(url_for("cameras.index"))
