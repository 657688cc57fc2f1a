"""The page that shows the chats, and the JSON behind it (tests and the demo read it too)."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, abort, current_app, jsonify, render_template, request, send_file

from central_server.sandbox.network import Network

blueprint = Blueprint("page", __name__)


def _network() -> Network:
    return current_app.extensions["sandbox"].network


@blueprint.before_request
def only_our_own_page() -> None:
    """Another site's page must not press our buttons."""
    origin = request.headers.get("Origin")
    if request.method == "POST" and origin and urlsplit(origin).netloc != request.host:
        abort(403)


@blueprint.get("/")
def chats() -> str:
    return render_template("sandbox.html", title="WhatsApp sandbox")


@blueprint.get("/sandbox/messages")
def messages() -> Response:
    """What changed after ?since=, with the number to ask with next time."""
    since = request.args.get("since", 0, type=int)
    found = _network().store.messages(since)
    callbacks = current_app.extensions["sandbox"].callbacks
    return jsonify(
        version=max([since, *(each["changed"] for each in found)]),
        messages=[_shown(each) for each in found],
        contacts=[
            {"phone": each["phone"], "name": each["name"], "window_until": _iso(each["last_inbound"] + 86400)}
            for each in _network().store.contacts().values()
        ],
        callback={
            "url": callbacks.settings.callback,
            "is_verified": callbacks.is_verified,
            "trouble": callbacks.trouble,
        },
    )


def _shown(message: dict[str, Any]) -> dict[str, Any]:
    media_id = message["media_id"]
    return {
        "id": message["wamid"],
        "phone": message["phone"],
        "direction": message["direction"],
        "type": message["kind"],
        "text": message["text"],
        "template": message["template"] or "",
        "buttons": [text for text, _payload in message["buttons"]],
        "document": {"name": message["filename"], "url": f"/sandbox/media/{media_id}"} if media_id else None,
        "tracker": message["tracker"] or "",
        "about": message["about"] or "",
        "status": message["status"],
        "error": message["error"] or "",
        "at": _iso(message["at"]),
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, tz=UTC).isoformat(timespec="milliseconds")


@blueprint.get("/sandbox/media/<media_id>")
def media(media_id: str) -> Response:
    found = _network().store.media(media_id)
    if found is None:
        abort(404)
    return send_file(
        BytesIO(found["content"]),
        mimetype=found["mime"],
        download_name=found["filename"],
        as_attachment=found["mime"] != "application/pdf",
    )


@blueprint.post("/sandbox/reply")
def reply() -> Response:
    """Write to us as phone: {"phone", "text", "about"?}."""
    wanted = _wanted()
    phone, text = _digits(wanted.get("phone")), str(wanted.get("text", "")).strip()
    if not phone or not text:
        abort(400)
    return jsonify(id=_network().say(phone, text=text[:4096], about=str(wanted.get("about", ""))))


@blueprint.post("/sandbox/tap")
def tap() -> Response:
    """Tap a button: {"id": the message, "button": its index}."""
    wanted = _wanted()
    found, index = _network().store.message(str(wanted.get("id", ""))), wanted.get("button", 0)
    if found is None or not isinstance(index, int) or not 0 <= index < len(found["buttons"]):
        abort(404)
    text, payload = found["buttons"][index]
    return jsonify(id=_network().say(found["phone"], button=(text, payload), about=found["wamid"]))


@blueprint.post("/sandbox/open-window")
def open_window() -> Response:
    """Let each phone of {"phones": […]} say hello, which opens its 24 hours."""
    phones = [_digits(phone) for phone in _wanted().get("phones", [])]
    for phone in filter(None, phones):
        _network().open_window(phone, again=True)
    return jsonify(opened=phones)


@blueprint.post("/sandbox/close-window")
def close_window() -> Response:
    """End the 24 hours of each phone of {"phones": […]}, without telling anyone: as time does."""
    phones = [_digits(phone) for phone in _wanted().get("phones", [])]
    for phone in phones:
        _network().store.close_window(phone)
    return jsonify(closed=phones)


@blueprint.post("/sandbox/faults")
def faults() -> Response:
    """Order what the next messages meet, one each: {"faults": […]}.

    {"code": 131026} is refused; {"http": 503} is a proxy's page; {"later": 131026} fails after it was taken;
    {"silence_s": 3} is taken and answered too late; {} meets nothing.
    """
    waiting = _wanted().get("faults", [])
    current_app.extensions["sandbox"].faults.waiting = list(waiting)
    return jsonify(waiting=waiting)


def _wanted() -> dict[str, Any]:
    """Return the JSON object of the request; a form of another site cannot send one."""
    wanted = request.get_json(silent=True)
    if not isinstance(wanted, dict):
        abort(400)
    return wanted


def _digits(phone: object) -> str:
    return "".join(each for each in str(phone or "") if each in "0123456789")[:20]
