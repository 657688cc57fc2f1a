"""The web process: dashboard, agents' HTTP endpoints, callbacks. The root of `hadir server web`."""

import hashlib
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from flask import Flask, g, render_template, request, session
from flask_babel import get_locale
from flask_login import current_user
from sqlalchemy.engine import make_url
from werkzeug.exceptions import HTTPException

from central_server.adapters import qr_code
from central_server.adapters.agent_accounts import agent_accounts
from central_server.adapters.broker_accounts import protocol_of
from central_server.adapters.guides import read_guide
from central_server.adapters.sealing import Seal
from central_server.adapters.table_files import read_table
from central_server.blueprints import (
    access,
    agent_account,
    agent_config,
    agent_gallery,
    agent_joining,
    agent_link,
    agent_pictures,
    alerts,
    assignments,
    attendance,
    attendance_export,
    auth,
    badges,
    breaks,
    cameras,
    configuration,
    dashboard,
    exchange,
    faces,
    health,
    help,
    holidays,
    joining,
    kiosk,
    kiosks,
    large_numbers,
    organisation,
    people,
    person_day,
    photos,
    ramadan,
    reports,
    revocation,
    roster,
    rotations,
    settings,
    shifts,
    standing,
    unreadable,
    webhooks,
    wording,
)
from central_server.blueprints.extensions import Hadir, babel, csrf, db, limiter, talisman
from central_server.blueprints.formats import FILTERS
from central_server.blueprints.request_facts import is_background, team
from central_server.config import ServerConfig
from central_server.db.engine import prepare_engine
from central_server.db.queries.setup import count_open_alerts
from central_server.proxy import BehindProxy

LANGUAGES = {"id": "Bahasa Indonesia", "en": "English"}
CSP = {
    "default-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
NOTHING_WATCHED = {  # a kiosk's page alone asks for a camera
    "camera": "()",
    "microphone": "()",
    "geolocation": "()",
    "browsing-topics": "()",
}
UPLOAD_LIMIT = 40 * 1024 * 1024  # bytes of one request: several photos from a phone


def create_app(config: ServerConfig) -> Flask:
    """Return the application; everything it needs to know is in config."""
    app = Flask(__name__)
    app.config.update(_flask_settings(config))
    if config.base_url.startswith("https://") and not config.web_cert_file:  # there is a proxy in front
        app.wsgi_app = BehindProxy(app.wsgi_app, config.trusted_proxies)  # type: ignore[method-assign]
    _open_database(app, config)
    csrf.init_app(app)
    limiter.init_app(app)
    babel.init_app(app, locale_selector=_locale, default_domain="messages")
    talisman.init_app(
        app,
        force_https=False,  # the proxy's task; behind it, and on loopback, we speak plain HTTP
        content_security_policy=CSP,
        strict_transport_security=config.cookie_secure,
        session_cookie_secure=config.cookie_secure,
        session_cookie_http_only=True,
        session_cookie_samesite="Lax",
        referrer_policy="same-origin",
        frame_options="DENY",
        permissions_policy=NOTHING_WATCHED,
    )
    access.install_access(app)
    large_numbers.install_large_numbers(app)
    _register(app)
    _dress_templates(app, config)
    app.register_error_handler(HTTPException, _error_page)
    app.register_error_handler(500, _error_page)
    return app


def _flask_settings(config: ServerConfig) -> dict[str, Any]:
    is_sqlite = make_url(config.database_url).get_backend_name() == "sqlite"
    return {
        "SECRET_KEY": config.secret_key,
        "SQLALCHEMY_DATABASE_URI": config.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": {
            "hide_parameters": True,  # an error says which statement failed, not about whom
            "pool_size": 16,
            "max_overflow": 64,  # one connection a thread at worst
            **(
                {"connect_args": {"timeout": 15, "check_same_thread": False}}
                if is_sqlite
                else {"pool_pre_ping": True}
            ),
        },
        "BABEL_DEFAULT_LOCALE": config.language,
        "BABEL_TRANSLATION_DIRECTORIES": str(Path(__file__).with_name("translations")),
        "PERMANENT_SESSION_LIFETIME": timedelta(hours=12),
        "SESSION_REFRESH_EACH_REQUEST": False,  # the board asks every 2 s: that must not keep a login alive
        "SESSION_COOKIE_NAME": "hadir_session",
        "WTF_CSRF_TIME_LIMIT": None,  # as long as the session; a board left open must still work
        "SEND_FILE_MAX_AGE_DEFAULT": timedelta(days=365),  # static addresses carry a fingerprint
        "MAX_CONTENT_LENGTH": UPLOAD_LIMIT,
        "MAX_FORM_MEMORY_SIZE": 2 * 1024 * 1024,
    }


def _open_database(app: Flask, config: ServerConfig) -> None:
    if path := make_url(config.database_url).database:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    db.init_app(app)
    with app.app_context():
        engine = db.engine
    prepare_engine(engine)
    app.extensions["hadir"] = Hadir(
        config,
        engine,
        seal=partial(Seal, config.secret_key),
        accounts=agent_accounts(config.broker),
        mqtt_version=partial(protocol_of, config.broker),
        read_table=read_table,
        read_guide=read_guide,
    )


def _register(app: Flask) -> None:
    for page in (
        auth,
        dashboard,
        people,
        badges,
        standing,
        organisation,
        exchange,
        faces,
        photos,
        attendance,
        attendance_export,
        person_day,
        alerts,
        cameras,
        configuration,
        joining,
        revocation,
        kiosks,
        unreadable,
        reports,
        settings,
        help,
        *(roster, shifts, rotations, assignments, breaks, holidays, ramadan),
    ):
        app.register_blueprint(page.blueprint)
    agents = (agent_joining, agent_account, agent_link, agent_gallery, agent_config, agent_pictures)
    # Their callers have no cookies that could be abused; a kiosk's goes with no other site's request.
    for machine in (*agents, health, webhooks, kiosk):
        csrf.exempt(machine.blueprint)
        app.register_blueprint(machine.blueprint)


def _locale() -> str | None:
    """The user's language, else the one chosen on the login page, else the server's."""
    if current_user and current_user.is_authenticated:
        return str(current_user.language)
    chosen = session.get("language", "")
    return chosen if chosen in LANGUAGES else None


def _dress_templates(app: Flask, config: ServerConfig) -> None:
    app.jinja_env.filters.update(FILTERS, qr=qr_code.svg)
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.globals.update(
        asset=_asset,
        languages=LANGUAGES,
        word=wording.word,
        phrase=wording.phrase,
        **wording.FOR_TEMPLATES,
    )

    @app.context_processor
    def every_page() -> dict[str, Any]:
        locale = get_locale()
        return {
            "language": locale.language if locale else config.language,
            "sandbox_url": config.sandbox_url,
            "me": g.get("user"),
            "open_alerts": _open_alerts(),
        }


def _open_alerts() -> int:
    """The number beside Alerts in the menu; a fragment has no menu."""
    if "user" not in g or is_background():
        return 0
    return count_open_alerts(db.session(), team())


@cache
def _asset(name: str) -> str:
    """Return the address of a static file, changing with its content, so that it may be cached for ever."""
    content = (Path(__file__).with_name("static") / name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


def _error_page(error: Exception) -> Any:
    code = error.code if isinstance(error, HTTPException) else 500
    if isinstance(error, HTTPException) and (code is None or code < 400 or error.response is not None):
        return error
    if request.headers.get("X-Requested-With") == "hadir" or request.blueprint in access.MACHINE_BLUEPRINTS:
        return {"error": str(wording.error_words(code or 500)[0])}, code or 500
    return render_template("error.html", code=code, words=wording.error_words(code or 500)), code or 500
