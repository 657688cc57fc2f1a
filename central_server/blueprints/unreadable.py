"""Messages of agents that could not be read: what came, from whom, and why it was set aside."""

from flask import Blueprint, render_template

from central_server.blueprints.extensions import db
from central_server.blueprints.request_facts import places, text
from central_server.db.queries.devices import bad_line, bad_query

blueprint = Blueprint("unreadable", __name__, url_prefix="/cameras/unreadable")


@blueprint.get("/")
def index() -> str:
    words = text("q")
    page = db.paginate(bad_query(words), per_page=50, max_per_page=50, error_out=False)
    lines = [bad_line(each, places()) for each in page.items]
    return render_template("unreadable.html", lines=lines, pagination=page, words=words)
