"""Photos for enrolment: personal data, so each look at one is written down."""

import hashlib
from pathlib import Path
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response

from central_server.blueprints import wording
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.request_facts import is_background, places, team, today, user
from central_server.db.models import Employee, EnrolmentPhoto
from central_server.db.queries.people import photos_of, read_person
from central_server.services.audit import note
from central_server.services.enrol_person import PhotoRefused, upload_photo

blueprint = Blueprint("photos", __name__, url_prefix="/people")


@blueprint.post("/<employee_id>/photos")
def upload(employee_id: str) -> ResponseReturnValue:
    """Take one or several photos; each gets its own answer."""
    if read_person(db.session(), places(), employee_id, team(), today()) is None:
        abort(404)
    files = [each for each in request.files.getlist("photos") if each.filename]
    results = [_take(employee_id, each) for each in files]
    if is_background():
        return {"results": results}
    for each in results:
        flash(f"{each['name']}: {each['words']}", "good" if each["ok"] else "bad")
    return redirect(url_for("people.detail", employee_id=employee_id, _anchor="photos"))


def _take(employee_id: str, file: FileStorage) -> dict[str, Any]:
    name = file.filename or ""
    try:
        with hadir().work() as work:
            employee = work.session.get_one(Employee, employee_id)
            photo = upload_photo(
                work, hadir().config.home, employee, name, file.read(), user().username, utc_now()
            )
            state, photo_id = photo.state, photo.photo_id
    except PhotoRefused as refused:
        known = wording.PHOTO_REASONS.get(refused.reason)
        return {"name": name, "ok": False, "words": str(known or refused)}
    words = _("accepted already") if state == "accepted" else _("uploaded, will be checked now")
    waiting = "" if state == "accepted" else photo_id  # the line of the upload ends with its verdict
    return {"name": name, "ok": True, "words": words, "waiting": waiting}


@blueprint.get("/<employee_id>/photos")
def fragment(employee_id: str) -> Response:
    """The part of the page that changes while photos are being checked."""
    if read_person(db.session(), places(), employee_id, team(), today()) is None:
        abort(404)
    lines = photos_of(db.session(), places(), employee_id)
    tag = f'"{hashlib.sha256(repr(lines).encode()).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "no-store"}
    if request.headers.get("If-None-Match") == tag:
        return Response(status=304, headers=headers)
    return Response(render_template("_photos.html", photos=lines), headers=headers, mimetype="text/html")


@blueprint.get("/photo/<photo_id>")
def show(photo_id: str) -> Response:
    """Show a photo, and write down who looked at it."""
    found = db.session.get(EnrolmentPhoto, photo_id)
    if found is None:
        abort(404)
    path = (hadir().config.home / found.path).resolve()
    if not path.is_relative_to(hadir().config.home.resolve()) or not path.is_file():
        abort(404)
    with hadir().work() as work:
        note(work, user().actor, "photo.view", found.employee_id, now=utc_now(), photo_id=photo_id)
    return private_image(path)


def private_image(path: Path) -> Response:
    """Return an image that no cache may keep and no page of another site may show."""
    mimetype = "image/png" if path.suffix == ".png" else "image/jpeg"
    reply = send_file(path, mimetype=mimetype, max_age=0, etag=False, conditional=False)
    reply.headers["Cache-Control"] = "no-store"
    reply.headers["Content-Disposition"] = "inline"
    reply.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return reply
