"""Pages to come."""

from flask import Blueprint

blueprint = Blueprint("attendance", __name__)
