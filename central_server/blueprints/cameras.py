"""Agents and cameras: how they are, what to do about it, and how to connect another one."""

from flask import Blueprint, render_template, url_for

from central_server.blueprints import joining
from central_server.blueprints.config_words import STATES
from central_server.blueprints.extensions import db, utc_now
from central_server.blueprints.request_facts import local_now, places, user
from central_server.db.queries.configuration import config_lines
from central_server.db.queries.devices import agents, count_bad_messages
from central_server.db.queries.shut_out import revoked_agents

blueprint = Blueprint("cameras", __name__, url_prefix="/cameras")


@blueprint.get("/")
def index() -> tuple[str, dict[str, str]]:
    code = joining.code_once()
    page = render_template(
        "cameras.html",
        agents=agents(db.session(), places(), now=utc_now()),
        configured=config_lines(db.session()),
        config_states=STATES,
        unreadable=count_bad_messages(db.session()) if user().may("unreadable.index") else 0,
        revoked=revoked_agents(db.session(), places()) if user().may("revocation.restore") else (),
        now=local_now(),
        back=url_for("cameras.index"),
        **joining.for_the_page(code),
    )
    return page, {"Cache-Control": "no-store"} if code else {}
