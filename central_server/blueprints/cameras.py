"""Pages to come."""

from flask import Blueprint

blueprint = Blueprint("cameras", __name__)
