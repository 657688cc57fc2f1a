"""Pages to come."""

from flask import Blueprint

blueprint = Blueprint("dashboard", __name__)


@blueprint.get("/")
def board() -> str:
    return ""
