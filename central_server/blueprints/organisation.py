"""The organisation: sites with their zones, and roles."""

from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from central_server.blueprints.extensions import db, hadir
from central_server.blueprints.row_forms import (
    NewSiteForm,
    NewZoneForm,
    RoleForm,
    SiteForm,
    ZoneForm,
    keeps,
    minutes,
    removes,
    timezone_choices,
)
from central_server.db.models import Site, Zone
from central_server.db.queries.organisation import role_lines, roles_in_use, site_lines
from central_server.services.exchange import roles as role_table
from central_server.services.exchange import sites as site_table
from central_server.services.exchange import zones as zone_table
from central_server.services.exchange.sites import INDONESIA

blueprint = Blueprint("organisation", __name__, url_prefix="/organisation")

SHORT = {zone: short for short, zone in INDONESIA.items()}


@blueprint.get("/")
def index() -> str:
    return render_template(
        "organisation.html",
        sites=site_lines(db.session()),
        short=SHORT,
        usual=minutes(int(hadir().config.rules.unseen_after.total_seconds())),
        minutes=minutes,
    )


@blueprint.route("/sites/add", methods=["GET", "POST"])
def add_site() -> ResponseReturnValue:
    form = NewSiteForm(report_at=site_table.as_time(site_table.REPORT_AT))
    form.timezone.choices = timezone_choices()
    if form.validate_on_submit() and keeps(form, site_table.TABLE, is_new=True):
        flash(_("The site is added. Next: its zones."), "good")
        return redirect(url_for("organisation.index"))
    return _form(form, _("Add a site"))


@blueprint.route("/sites/<site_id>", methods=["GET", "POST"])
def edit_site(site_id: str) -> ResponseReturnValue:
    site = _site(site_id)
    form = SiteForm(obj=site)
    form.timezone.choices = timezone_choices()
    if form.validate_on_submit() and keeps(form, site_table.TABLE, site_id=site_id):
        flash(_("Saved."), "good")
        return redirect(url_for("organisation.index"))
    return _form(form, _("Edit %(name)s", name=site.name), removal=url_for(".remove_site", site_id=site_id))


def _form(form: Any, title: str, **more: Any) -> str:
    usual = minutes(int(hadir().config.rules.unseen_after.total_seconds()))
    return render_template("place_form.html", form=form, title=title, usual=usual, **more)


def _site(site_id: str) -> Site:
    return db.session.get(Site, site_id) or abort(404)


@blueprint.post("/sites/<site_id>/remove")
def remove_site(site_id: str) -> Response:
    return _removed(removes(site_table.TABLE, site_id=site_id), url_for(".edit_site", site_id=site_id))


def _removed(why_not: str, back: str) -> Response:
    """Say how a removal went; back: to where it is still there."""
    flash(why_not or _("Removed."), "bad" if why_not else "good")
    return redirect(back if why_not else url_for("organisation.index"))


@blueprint.route("/sites/<site_id>/zones/add", methods=["GET", "POST"])
def add_zone(site_id: str) -> ResponseReturnValue:
    site, form = _site(site_id), NewZoneForm()
    if form.validate_on_submit() and keeps(form, zone_table.TABLE, is_new=True, site_id=site_id):
        flash(_("The zone is added. Say on the camera's page which cameras watch it."), "good")
        return redirect(url_for("organisation.index"))
    return _form(form, _("Add a zone of %(site)s", site=site.name))


@blueprint.route("/zones/<zone_id>", methods=["GET", "POST"])
def edit_zone(zone_id: str) -> ResponseReturnValue:
    zone = db.session.get(Zone, zone_id) or abort(404)
    form = ZoneForm(obj=zone)
    if request.method == "GET":
        form.threshold_s.data = minutes(zone.threshold_s)
    fixed = {"zone_id": zone_id, "site_id": zone.site_id}
    if form.validate_on_submit() and keeps(form, zone_table.TABLE, **fixed):
        flash(_("Saved."), "good")
        return redirect(url_for("organisation.index"))
    removal = url_for(".remove_zone", zone_id=zone_id)
    return _form(form, _("Edit %(name)s", name=zone.name), removal=removal)


@blueprint.post("/zones/<zone_id>/remove")
def remove_zone(zone_id: str) -> Response:
    return _removed(removes(zone_table.TABLE, zone_id=zone_id), url_for(".edit_zone", zone_id=zone_id))


@blueprint.route("/roles", methods=["GET", "POST"])
def roles() -> ResponseReturnValue:
    """Who may be unseen for longer or shorter; saying it again for a role changes it."""
    form = RoleForm()
    if form.validate_on_submit() and keeps(form, role_table.TABLE):
        flash(_("Saved."), "good")
        return redirect(url_for("organisation.roles"))
    return render_template(
        "roles.html",
        lines=role_lines(db.session()),
        known=roles_in_use(db.session()),
        form=form,
        minutes=minutes,
        usual=minutes(int(hadir().config.rules.unseen_after.total_seconds())),
    )


@blueprint.post("/roles/remove")
def remove_role() -> Response:
    removes(role_table.TABLE, role=request.form.get("role", ""))
    flash(_("The zone's time counts for this role again."), "good")
    return redirect(url_for("organisation.roles"))
