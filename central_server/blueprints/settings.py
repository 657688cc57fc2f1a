"""One's own settings, the accounts, and the audit log."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import force_locale
from flask_babel import gettext as _
from flask_login import login_user
from werkzeug.wrappers import Response

from central_server.blueprints.access import signed_in
from central_server.blueprints.extensions import db, hadir, limiter, utc_now
from central_server.blueprints.forms import (
    LanguageForm,
    PasswordForm,
    UserForm,
    options,
    problem,
    put_problem,
)
from central_server.blueprints.request_facts import places, text, user
from central_server.db.models import User
from central_server.db.queries.people import choices_of_supervisors
from central_server.db.queries.users import audit_query, read_users
from central_server.services import manage_users
from central_server.services.manage_users import UserRefused

blueprint = Blueprint("settings", __name__, url_prefix="/settings")

FIELDS = {
    "password_wrong": "old",
    "password_short": "new",
    "name_taken": "username",
    "name_empty": "username",
}


@blueprint.route("/", methods=["GET", "POST"])
def mine() -> ResponseReturnValue:
    form = LanguageForm()
    if form.validate_on_submit():
        with hadir().work() as work:
            manage_users.set_language(work, user().user_id, form.language.data)
        with force_locale(form.language.data):
            flash(_("Saved."), "good")
        return redirect(url_for("settings.mine"))
    return _mine(PasswordForm())


def _mine(password_form: PasswordForm) -> str:
    language_form = LanguageForm(formdata=None, language=user().language)
    return render_template("settings.html", language_form=language_form, password_form=password_form)


@blueprint.post("/password")
@limiter.limit("10 per 5 minutes")
def password() -> ResponseReturnValue:
    form = PasswordForm()
    if not form.validate_on_submit():
        return _mine(form), 422
    try:
        with hadir().work() as work:
            manage_users.change_password(
                work,
                user().user_id,
                old=form.old.data or "",
                new=form.new.data or "",
                now=utc_now(),
                actor=user().actor,
            )
            account = signed_in(work.session.get_one(User, user().user_id))
    except UserRefused as refused:
        put_problem(form, FIELDS.get(refused.problem, "old"), refused.problem)
        return _mine(form), 422
    login_user(account)  # the other sessions of this user end
    flash(_("The password is changed. Other devices are signed out."), "good")
    return redirect(url_for("settings.mine"))


@blueprint.get("/users")
def users() -> str:
    return _users(_user_form())


def _user_form() -> UserForm:
    form = UserForm()
    form.employee_id.choices = options([("", "–"), *choices_of_supervisors(db.session())])
    return form


def _users(form: UserForm) -> str:
    return render_template(
        "users.html", lines=read_users(db.session(), places()), roles=manage_users.ROLES, form=form
    )


@blueprint.post("/users")
def add_user() -> ResponseReturnValue:
    form = _user_form()
    if not form.validate_on_submit():
        return _users(form), 422
    known = {each.value for each in form.employee_id.choices}
    try:
        with hadir().work() as work:
            manage_users.add_user(
                work,
                username=form.username.data or "",
                password=form.password.data or "",
                role=form.role.data,
                name=form.name.data or "",
                employee_id=(form.employee_id.data if form.employee_id.data in known else "") or None,
                language=form.language.data,
                now=utc_now(),
                actor=user().actor,
            )
    except UserRefused as refused:
        field = "password" if refused.problem == "password_short" else FIELDS.get(refused.problem, "role")
        put_problem(form, field, refused.problem)
        return _users(form), 422
    flash(_("The user can sign in now."), "good")
    return redirect(url_for("settings.users"))


@blueprint.post("/users/<int:user_id>")
def change_user(user_id: int) -> Response:
    try:
        with hadir().work() as work:
            manage_users.change_user(
                work,
                user_id,
                role=request.form.get("role", ""),
                is_disabled=request.form.get("disabled") == "yes",
                now=utc_now(),
                actor=user().actor,
            )
    except UserRefused as refused:
        flash(str(problem(refused.problem)), "bad")
    else:
        flash(_("Saved."), "good")
    return redirect(url_for("settings.users"))


@blueprint.get("/audit")
def audit() -> str:
    words = text("q")
    page = db.paginate(audit_query(words), per_page=50, max_per_page=50, error_out=False)
    lines = [
        {
            "at": places().local(each.at),
            "actor": each.actor,
            "action": each.action,
            "subject": each.subject,
            "detail": ", ".join(f"{key}: {value}" for key, value in each.detail.items() if key != "text"),
        }
        for each in page.items
    ]
    return render_template("audit.html", lines=lines, pagination=page, words=words)
