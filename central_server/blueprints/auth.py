"""Signing in and out."""

from urllib.parse import urlsplit

from flask import Blueprint, redirect, render_template, request, session, url_for
from flask_babel import lazy_gettext as lazy
from flask_limiter.util import get_remote_address
from flask_login import current_user, login_user, logout_user
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import PasswordField, StringField

from central_server.blueprints.access import signed_in
from central_server.blueprints.extensions import db, hadir, limiter, utc_now
from central_server.services.manage_users import find_account, is_password, record_login

blueprint = Blueprint("auth", __name__)


class LoginForm(FlaskForm):
    username = StringField(
        lazy("User name"), render_kw={"autocomplete": "username", "autocapitalize": "none"}
    )
    password = PasswordField(lazy("Password"), render_kw={"autocomplete": "current-password"})


def _address_and_name() -> str:
    return f"{get_remote_address()} {request.form.get('username', '').strip().lower()[:64]}"


def _refused(response: Response) -> bool:
    return response.status_code == 401


@blueprint.route("/login", methods=["GET", "POST"])
@limiter.limit("8 per 5 minutes", key_func=_address_and_name, methods=["POST"], deduct_when=_refused)
@limiter.limit("40 per 5 minutes", methods=["POST"], deduct_when=_refused)
def login() -> tuple[str, int] | Response:
    if current_user.is_authenticated:
        return redirect(url_for("dashboard.board"))
    form = LoginForm()
    if not form.validate_on_submit():
        return render_template("login.html", form=form, refused=False), 200
    name = form.username.data or ""
    account = find_account(db.session(), name)
    ok = is_password(account, form.password.data or "")  # outside the transaction: it takes its time
    user = signed_in(account) if ok and account else None
    with hadir().work() as work:
        record_login(work, name, user.user_id if user else None, now=utc_now())
    if user is None:
        return render_template("login.html", form=form, refused=True), 401
    session.clear()
    session.permanent = True
    login_user(user)
    return redirect(_inside(request.args.get("next", "")))


@blueprint.post("/logout")
def logout() -> Response:
    logout_user()
    session.clear()
    return redirect(url_for("auth.login"))


@blueprint.get("/language/<code>")
def language(code: str) -> Response:
    """Choose the language before signing in; afterwards it is the account's."""
    if code in ("id", "en"):
        session["language"] = code
    return redirect(url_for("auth.login"))


def _inside(target: str) -> str:
    """Return target if it is a page of this site, else the board."""
    parts = urlsplit(target)
    inside = target.startswith("/") and not target.startswith(("//", "/\\")) and not parts.netloc
    return target if inside and "\\" not in target else url_for("dashboard.board")
