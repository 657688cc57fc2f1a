"""The Graph API's endpoints that a sender uses: messages, media, templates."""

import hashlib
import hmac
import time
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from uuid import uuid4

from flask import Blueprint, Response, current_app, jsonify, request, send_file

from central_server.sandbox.catalogue import new_template
from central_server.sandbox.errors import GraphError
from central_server.sandbox.network import Network
from central_server.sandbox.rules import Shelf, bubble_of, recipient_of

MEDIA_LIMIT = 100 * 1024 * 1024
OFFICE = "application/vnd.openxmlformats-officedocument."
MIMES = (
    "application/pdf",
    "text/plain",
    "image/jpeg",
    "image/png",
    "image/webp",
    "audio/mpeg",
    "audio/ogg",
    "video/mp4",
    "application/msword",
    "application/vnd.ms-excel",
    OFFICE + "wordprocessingml.document",
    OFFICE + "spreadsheetml.sheet",
    OFFICE + "presentationml.presentation",
)

blueprint = Blueprint("graph", __name__)


@dataclass
class Faults:
    """Misfortunes ordered by a test: the next messages meet them, one each."""

    waiting: list[dict[str, Any]] = field(default_factory=list)

    def next(self) -> dict[str, Any]:
        return self.waiting.pop(0) if self.waiting else {}


def _network() -> Network:
    return current_app.extensions["sandbox"].network


@blueprint.errorhandler(GraphError)
def refused(error: GraphError) -> tuple[Response, int]:
    return jsonify(error.document()), error.status


@blueprint.before_request
def check_token() -> None:
    """Refuse whoever does not know the access token, as Meta does."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    expected = _network().settings.token
    if scheme.lower() != "bearer" or not hmac.compare_digest(token.encode(), expected.encode()):
        raise GraphError(190, "The access token is missing or wrong.")


def _check_number(number_id: str) -> None:
    if number_id != _network().settings.phone_number_id:
        raise GraphError(
            33, f"Object with ID '{number_id}' does not exist or cannot be used with this token."
        )


@blueprint.post("/<version>/<number_id>/messages")
def send(version: str, number_id: str) -> Response | tuple[Response, int]:
    """Take a message, or refuse it."""
    _check_number(number_id)
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise GraphError(100, "The body is not a JSON object.")
    if body.get("status") == "read":
        return jsonify(success=True)
    network, sandbox = _network(), current_app.extensions["sandbox"]
    fault = sandbox.faults.next()
    if "http" in fault:
        page = f"<html><body><h1>{fault['http']}</h1>upstream trouble</body></html>"
        return Response(page, mimetype="text/html"), int(fault["http"])
    if "code" in fault:
        raise GraphError(int(fault["code"]), "ordered by the test")
    settings = network.settings
    phone = recipient_of(body, own_number=settings.own_number, allowed=settings.allowed)
    shelf = Shelf(
        template=network.store.template, has_media=lambda media_id: network.store.media(media_id) is not None
    )
    wamid = network.accept(phone, bubble_of(body, shelf), body, fault.get("later"))
    time.sleep(float(fault.get("silence_s", 0)))  # taken, but the answer does not come in time
    return jsonify(
        messaging_product="whatsapp",
        contacts=[{"input": str(body["to"]), "wa_id": phone}],
        messages=[{"id": wamid, "message_status": "accepted"}],
    )


@blueprint.post("/<version>/<number_id>/media")
def upload(version: str, number_id: str) -> Response:
    """Keep a file for 30 days (here: until the folder is deleted)."""
    _check_number(number_id)
    file = request.files.get("file")
    if request.form.get("messaging_product") != "whatsapp" or file is None:
        raise GraphError(100, "messaging_product and file are required.")
    mime = (file.mimetype or request.form.get("type", "")).lower()
    if mime not in MIMES:
        raise GraphError(
            100, f"Param file must be a file with one of the following types: {', '.join(MIMES)}"
        )
    content = file.read(MEDIA_LIMIT + 1)
    if not content or len(content) > MEDIA_LIMIT:
        raise GraphError(131053, "The file is empty or larger than 100 MB.")
    media_id = str(uuid4().int)[:16]
    digest = hashlib.sha256(content).hexdigest()
    _network().store.add_media(media_id, file.filename or "file", mime, digest, content)
    return jsonify(id=media_id)


@blueprint.get("/<version>/<object_id>")
def show(version: str, object_id: str) -> Response:
    """Describe a media file or our phone number."""
    settings = _network().settings
    if object_id == settings.phone_number_id:
        return jsonify(
            id=object_id,
            display_phone_number=settings.own_number,
            verified_name="Hadir",
            quality_rating="GREEN",
        )
    media = _network().store.media(object_id)
    if media is None:
        raise GraphError(33, f"Object with ID '{object_id}' does not exist.")
    return jsonify(
        messaging_product="whatsapp",
        id=object_id,
        url=f"{request.host_url}{version}/{object_id}/content",
        mime_type=media["mime"],
        sha256=media["sha256"],
        file_size=len(media["content"]),
    )


@blueprint.get("/<version>/<media_id>/content")
def download(version: str, media_id: str) -> Response:
    """The file itself."""
    media = _network().store.media(media_id)
    if media is None:
        raise GraphError(33, f"Object with ID '{media_id}' does not exist.")
    return send_file(BytesIO(media["content"]), mimetype=media["mime"], download_name=media["filename"])


@blueprint.delete("/<version>/<media_id>")
def delete(version: str, media_id: str) -> Response:
    _network().store.delete_media(media_id)
    return jsonify(success=True)


@blueprint.get("/<version>/<business_id>/message_templates")
def templates(version: str, business_id: str) -> Response:
    """Every template that may be sent."""
    wanted = request.args.get("name")
    known = [each.document() for each in _network().store.templates() if wanted in {None, each.name}]
    count = len(known)
    summary = {"total_count": count, "message_template_count": count, "message_template_limit": 6000}
    summary["are_translations_complete"] = True
    return jsonify(data=known, paging={}, summary=summary)


@blueprint.post("/<version>/<business_id>/message_templates")
def create_template(version: str, business_id: str) -> Response:
    """Review a template at once."""
    template = new_template(request.get_json(silent=True) or {})
    _network().store.add_template(template)
    document = template.document()
    return jsonify(id=document["id"], status="APPROVED", category=document["category"])
