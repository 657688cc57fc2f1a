"""Pages to come."""

from flask import Blueprint

blueprint = Blueprint("alerts", __name__)
