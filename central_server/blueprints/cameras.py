"""Agents and cameras: how they are, what to do about it, and how to connect another one."""

from flask import Blueprint, render_template, url_for
from flask_babel import gettext as _

from central_server.blueprints.config_words import STATES
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.forms import JoinCodeForm, options
from central_server.blueprints.request_facts import local_now, places, user
from central_server.db.queries.configuration import config_lines
from central_server.db.queries.devices import agents, bad_messages, open_join_codes
from central_server.services.join_agent import make_join_code
from central_server.services.manage_people import first_site

blueprint = Blueprint("cameras", __name__, url_prefix="/cameras")


@blueprint.get("/")
def index() -> str:
    return _page(_form())


@blueprint.post("/join-code")
def join_code() -> str:
    """Make a code and show it, this once, with the command that spends it."""
    form = _form()
    if not form.validate_on_submit():
        return _page(form)
    with hadir().work() as work:
        wanted = form.site_id.data
        site = first_site(work, timezone=hadir().config.timezone, name=_("Main site"))
        code = make_join_code(
            work,
            wanted if wanted in places().sites else site,
            agent_name=(form.agent_name.data or "").strip(),
            by=user().username,
            secret_key=hadir().config.secret_key,
            now=utc_now(),
        )
    return _page(form, code)


def _form() -> JoinCodeForm:
    form = JoinCodeForm()
    sites = [(each.place_id, each.name) for each in places().sites.values()]
    form.site_id.choices = options(sites or [("", _("Main site"))])
    return form


def _page(form: JoinCodeForm, code: str = "") -> str:
    now = utc_now()
    return render_template(
        "cameras.html",
        agents=agents(db.session(), places(), now=now),
        configured=config_lines(db.session()),
        config_states=STATES,
        bad=bad_messages(db.session(), places()) if user().role == "admin" else (),
        open_codes=open_join_codes(db.session(), now=now),
        form=form,
        code=code,
        command=f"./hadir agent join {hadir().config.base_url}/{code}" if code else "",
        now=local_now(),
        back=url_for("cameras.index"),
    )
