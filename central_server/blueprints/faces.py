"""Where faces are: what boxes hold, what they are still to forget, and whom each model knows already."""

from flask import Blueprint, render_template

from central_server.blueprints import wording
from central_server.blueprints.extensions import db, utc_now
from central_server.blueprints.request_facts import local_now, places, text
from central_server.db.models import Employee
from central_server.db.queries.embedding import models_in_use
from central_server.db.queries.faces import boxes_to_forget, holders_of, is_known

blueprint = Blueprint("faces", __name__, url_prefix="/faces")

MOST_NAMED = 5  # people of one box; the others are folded up


@blueprint.get("/")
def index() -> str:
    now, code = utc_now(), text("q", 64)
    person = db.session.get(Employee, code) if code else None
    return render_template(
        "faces.html",
        now=local_now(),
        code=code,
        person=person,
        is_known=not code or is_known(db.session(), code),
        holders=holders_of(db.session(), places(), code, now=now) if code else (),
        boxes=boxes_to_forget(db.session(), places(), now=now),
        models=models_in_use(db.session(), places(), now=now),
        most_named=MOST_NAMED,
        hold_words=wording.HOLDS,
    )
