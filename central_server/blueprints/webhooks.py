"""Where WhatsApp calls back. Signed, so it needs no CSRF token: the web root exempts this blueprint."""

import hmac
import logging
from datetime import UTC, datetime

from flask import Blueprint, Response, abort, current_app, request

from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.whatsapp_callbacks import is_signed
from central_server.services.handle_webhook import handle_receipt, store_receipt

log = logging.getLogger(__name__)

CSRF_EXEMPT = True
LIMIT = 3 * 1024 * 1024  # bytes; Meta's own limit for a batch

blueprint = Blueprint("webhooks", __name__, url_prefix="/webhooks")


@blueprint.get("/whatsapp")
def verify() -> Response:
    """Answer Meta's handshake: the challenge back, if the caller knows our verify token."""
    expected = current_app.extensions["hadir"].config.whatsapp.verify_token
    given = request.args.get("hub.verify_token", "")
    is_ours = bool(expected) and hmac.compare_digest(expected.encode(), given.encode())
    if request.args.get("hub.mode") != "subscribe" or not is_ours:
        abort(403)
    return Response(request.args.get("hub.challenge", ""), mimetype="text/plain")


@blueprint.post("/whatsapp")
def receive() -> Response:
    """Keep a signed callback and answer 200; then work on it. What fails now, the worker does later."""
    hadir = current_app.extensions["hadir"]
    if (request.content_length or 0) > LIMIT:
        abort(413)
    body = request.get_data(cache=False)  # the signature is over the raw bytes, before any parsing
    if not is_signed(hadir.config.whatsapp.app_secret, body, request.headers.get("X-Hub-Signature-256", "")):
        abort(403)
    now = datetime.now(UTC)
    receipt_id = store_receipt(hadir.engine, "whatsapp", body, now)
    try:
        with UnitOfWork(hadir.engine) as work:
            handle_receipt(work, receipt_id, now)
    except Exception:  # it is stored: an error here must not make Meta send it again for seven days
        log.exception("callback %s is left to the worker", receipt_id)
    return Response(status=200)
