"""The tablet at the door: a link makes it a kiosk, and people punch at it. No user is signed in here."""

import re
import time
from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, current_app, make_response, render_template, request
from flask.typing import ResponseReturnValue

from central_server.blueprints.extensions import db, hadir, limiter, talisman, utc_now
from central_server.blueprints.kiosk_words import kiosk_words
from central_server.blueprints.request_facts import places
from central_server.blueprints.throttle import Throttle
from central_server.db.models import Kiosk
from central_server.services import identify_holder
from central_server.services.manage_kiosks import LinkGone, find_kiosk, is_use_news, note_use, open_kiosk
from central_server.services.record_punch import Punched, PunchRefused, record_punch

blueprint = Blueprint("kiosk", __name__, url_prefix="/kiosk")

COOKIE = "hadir_kiosk"
COOKIE_LIFE_S = 400 * 24 * 3600  # as long as browsers keep one; every visit of the page begins it anew
MOST_WRONG, WINDOW_S = 30, 300.0  # tries at one kiosk with PINs, and as many with badges
_PUNCH_ID = re.compile(r"[A-Za-z0-9]{8,64}")
WITH_CAMERA = {"camera": "(self)", "microphone": "()", "geolocation": "()", "browsing-topics": "()"}


@blueprint.after_request
def keep_nothing(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/open")
def link() -> str:
    """The page that a kiosk's link leads to. The secret is behind the #, which no browser sends anywhere."""
    return render_template("kiosk_open.html", words=kiosk_words(), language=hadir().config.language)


@blueprint.post("/open")
@limiter.limit("20 per minute")
def spend_link() -> ResponseReturnValue:
    """Make the device that sends a link's secret the kiosk, and give it a token of its own in a cookie."""
    body = _body()
    if body is None:
        return {"error": "malformed"}, 400
    try:
        with hadir().work() as work:
            _, token = open_kiosk(work, _text(body, "secret", 100), now=utc_now())
    except LinkGone:
        return {"error": "gone"}, 403
    return _with_cookie(make_response({"ok": True}), token)


@blueprint.get("/")
@talisman(permissions_policy=WITH_CAMERA)
def page() -> ResponseReturnValue:
    kiosk, words, language = _kiosk(), kiosk_words(), hadir().config.language
    if kiosk is None:
        return render_template("kiosk_open.html", words=words, language=language), 401
    found = render_template(
        "kiosk.html",
        kiosk=kiosk,
        place=places().sites[kiosk.site_id].name if kiosk.site_id in places().sites else "",
        zone=str(places().timezone(kiosk.site_id)),
        now_ms=round(utc_now().timestamp() * 1000),
        words=words,
        language=language,
        version=_version(),
    )
    return _with_cookie(make_response(found), request.cookies[COOKIE])


@blueprint.get("/pulse")
def pulse() -> ResponseReturnValue:
    """Tell the page that the server is there, what time it is, and whether there is a newer page."""
    kiosk = _kiosk()
    if kiosk is None:
        return {"error": "unknown"}, 401
    now = utc_now()
    if is_use_news(kiosk, now):
        with hadir().work() as work:
            note_use(work, kiosk.kiosk_id, now)
    return {"now": round(now.timestamp() * 1000), "version": _version()}


@blueprint.post("/punch")
def punch() -> ResponseReturnValue:
    """Record that somebody comes or goes: code and PIN, or a badge. Sent twice, it is answered twice.

    Nobody learns from a refusal whether a code exists: code unknown, PIN wrong and PIN locked are one.
    """
    kiosk, body = _kiosk(), _body()
    if kiosk is None:
        return {"error": "unknown"}, 401
    punch_id, kind = (_text(body, "id", 64), _text(body, "kind", 4)) if body else ("", "")
    if body is None or not _PUNCH_ID.fullmatch(punch_id) or kind not in ("in", "out"):
        return {"error": "malformed"}, 400
    badge = _text(body, "badge", 64)
    throttle, tried = _throttle(), f"{kiosk.kiosk_id} {'badge' if badge else 'pin'}"
    if not throttle.admits(tried, time.monotonic()):
        return {"error": "throttled"}, 429
    employee_id = (
        _by_badge(badge) if badge else _by_pin(kiosk, _text(body, "code", 64), _text(body, "pin", 24))
    )
    if employee_id is None:
        with hadir().work() as work:
            identify_holder.note_refusal(work, kiosk.kiosk_id, now=utc_now())
        return {"error": "wrong_badge" if badge else "wrong"}, 403
    throttle.give_back(tried)
    return _record(kiosk, employee_id, punch_id, is_in=kind == "in", by="badge" if badge else "pin")


def _by_pin(kiosk: Kiosk, code: str, pin: str) -> str | None:
    with hadir().work() as work:
        note_use(
            work, kiosk.kiosk_id, utc_now()
        )  # written for any code: it takes as long for one that is none
        attempt = identify_holder.begin_try(work, code, now=utc_now(), kiosk_id=kiosk.kiosk_id)
    return identify_holder.holder_by_pin(attempt, pin)  # outside the transaction: it takes its time


def _by_badge(text: str) -> str | None:
    return identify_holder.holder_by_code(db.session(), text)


def _record(kiosk: Kiosk, employee_id: str, punch_id: str, *, is_in: bool, by: str) -> ResponseReturnValue:
    now = utc_now()
    try:
        with hadir().work() as work:
            if by == "pin":
                identify_holder.take_back(work, employee_id)
            punched = record_punch(
                work,
                kiosk,
                employee_id,
                punch_id=punch_id,
                is_in=is_in,
                by=by,
                rules=hadir().config.rules,
                now=now,
            )
            name = identify_holder.first_name(work.session, employee_id)
            note_use(work, kiosk.kiosk_id, now)
    except PunchRefused as refused:
        return {"error": refused.reason}, 403
    return _told(punched, name, kiosk)


def _told(punched: Punched, name: str, kiosk: Kiosk) -> dict[str, Any]:
    at = places().local(punched.at, kiosk.site_id)
    before = places().local(punched.before, kiosk.site_id)
    return {
        "name": name,
        "kind": "in" if punched.is_in else "out",
        "at": f"{at:%H:%M}",
        "before": f"{before:%H:%M}" if before else None,
    }


def _kiosk() -> Kiosk | None:
    return find_kiosk(db.session(), request.cookies.get(COOKIE, ""))


def _body() -> Mapping[str, Any] | None:
    """Return the JSON that our own page sends: another site's form can send neither it nor the header."""
    if request.headers.get("X-Requested-With") != "hadir" or (request.content_length or 0) > 2000:
        return None
    found = request.get_json(silent=True)
    return found if isinstance(found, dict) else None


def _text(body: Mapping[str, Any], name: str, most: int) -> str:
    found = body.get(name)
    return found if isinstance(found, str) and len(found) <= most else ""


def _with_cookie(response: Response, token: str) -> Response:
    response.set_cookie(
        COOKIE,
        token,
        max_age=COOKIE_LIFE_S,
        path="/kiosk",
        secure=hadir().config.cookie_secure,
        httponly=True,
        samesite="Strict",
    )
    return response


def _version() -> str:
    """Return what changes when the page's own files do, so that a kiosk left open takes the new ones."""
    asset = current_app.jinja_env.globals["asset"]
    return "".join(asset(name)[-12:] for name in ("kiosk.js", "kiosk.css", "hadir.css"))  # type: ignore[operator]


def _throttle() -> Throttle:
    return current_app.extensions.setdefault("hadir.punch_throttle", Throttle(MOST_WRONG, WINDOW_S))
