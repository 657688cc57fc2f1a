"""Help: HR's guide in the user's language, and what it leads to, as pages of the dashboard."""

from flask import Blueprint, abort, render_template, url_for
from flask_babel import get_locale

from central_server.blueprints.extensions import hadir
from central_server.blueprints.request_facts import text

blueprint = Blueprint("help", __name__, url_prefix="/help")


@blueprint.get("/<topic>")
def show(topic: str) -> str:
    locale = get_locale()
    language = text("in") or (locale.language if locale else "")
    guide = hadir().read_guide(topic, language, address=address)
    if guide is None:
        abort(404)
    return render_template("help.html", guide=guide, topic=topic)


def address(topic: str) -> str:
    return url_for("help.show", topic=topic)
