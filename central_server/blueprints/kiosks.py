"""The kiosks as an administrator keeps them: make one, give it a link, shut it out."""

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy
from flask_wtf import FlaskForm
from werkzeug.wrappers import Response
from wtforms import SelectField, StringField

from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.forms import NEEDED, options, put_problem
from central_server.blueprints.request_facts import keep_no_copy, local_now, places, user
from central_server.db.queries.kiosks import read_kiosks
from central_server.ports import SealBroken
from central_server.services.manage_kiosks import KioskRefused, make_kiosk, renew_link, revoke_kiosk

blueprint = Blueprint("kiosks", __name__, url_prefix="/kiosks")

_KEPT, _PURPOSE = "kiosk_link", "a kiosk's link, shown once"


class KioskForm(FlaskForm):
    name = StringField(lazy("Name"), [NEEDED], render_kw={"autocomplete": "off", "maxlength": 120})
    place = SelectField(lazy("Site and zone"), validate_choice=False)


@blueprint.route("/", methods=["GET", "POST"])
def index() -> str | Response:
    """The kiosks; after one was made, its link, this once."""
    form = KioskForm()
    form.place.choices = options(_places())
    if form.validate_on_submit():
        site_id, _sep, zone_id = (form.place.data or "").partition("/")
        try:
            with hadir().work() as work:
                _, secret = make_kiosk(
                    work,
                    name=form.name.data or "",
                    site_id=site_id,
                    zone_id=zone_id or None,
                    now=utc_now(),
                    by=user().username,
                )
        except KioskRefused as refused:
            put_problem(form, refused.field, refused.problem)
        else:
            return _show_once(secret)
    return render_template(
        "kiosks.html",
        form=form,
        lines=read_kiosks(db.session(), places(), now=utc_now()),
        now=local_now(),
        link=_link_once() if request.method == "GET" else "",
        is_secure=hadir().config.base_url.startswith("https://"),
        has_sites=bool(places().sites),
    )


@blueprint.post("/<kiosk_id>/link")
def new_link(kiosk_id: str) -> Response:
    try:
        with hadir().work() as work:
            secret = renew_link(work, kiosk_id, now=utc_now(), by=user().username)
    except KioskRefused:
        flash(_("That kiosk does not exist."), "bad")
        return redirect(url_for("kiosks.index"))
    return _show_once(secret)


@blueprint.post("/<kiosk_id>/revoke")
def revoke(kiosk_id: str) -> Response:
    try:
        with hadir().work() as work:
            name = revoke_kiosk(work, kiosk_id, now=utc_now(), by=user().username).name
        flash(_("%(name)s is no kiosk any more. What was recorded there stays.", name=name), "good")
    except KioskRefused:
        flash(_("That kiosk does not exist."), "bad")
    return redirect(url_for("kiosks.index"))


def _places() -> list[tuple[str, str]]:
    """Return a choice for each site, and for each of its zones."""
    here = places()
    found = []
    for site in here.sites.values():
        found.append((site.place_id, site.name))
        zones = [each for each in here.zones.values() if each.site_id == site.place_id]
        found += [(f"{site.place_id}/{each.place_id}", f"{site.name} – {each.name}") for each in zones]
    return found


def _show_once(secret: str) -> Response:
    session[_KEPT] = hadir().seal(_PURPOSE).close(secret.encode()).decode()
    return redirect(url_for("kiosks.index", _anchor="kiosk-link"))


def _link_once() -> str:
    """Return the link that was made a moment ago, and forget it. Behind the # it never leaves a browser."""
    sealed = session.pop(_KEPT, "")
    keep_no_copy()
    try:
        secret = hadir().seal(_PURPOSE).open(sealed.encode()).decode() if sealed else ""
    except SealBroken:
        return ""
    return f"{hadir().config.base_url.rstrip('/')}/kiosk/open#{secret}" if secret else ""
