"""The daily reports: files, who got them, who gets the next one, and making one now."""

from io import BytesIO
from pathlib import Path

from flask import Blueprint, abort, flash, redirect, render_template, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from central_server.adapters.report_files import RENDERERS, workbook_of
from central_server.blueprints.export import XLSX
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.forms import RecipientForm, options, problem
from central_server.blueprints.request_facts import places, today, user
from central_server.db.models import ReportRun
from central_server.db.queries.reports import read_reports, recipients, report_sites
from central_server.services.audit import note
from central_server.services.build_report import ReportOptions, build_daily_report
from central_server.services.manage_people import PersonRefused
from central_server.services.manage_recipients import add_recipient as add_to_list
from central_server.services.manage_recipients import remove_recipient as remove_from_list

blueprint = Blueprint("reports", __name__, url_prefix="/reports")

MIMES = {"pdf": "application/pdf", "csv": "text/csv", "xlsx": XLSX}


@blueprint.get("/")
def index() -> str:
    return _page(_form())


def _form() -> RecipientForm:
    form = RecipientForm()
    form.site_id.choices = options((each.place_id, each.name) for each in places().sites.values())
    return form


def _page(form: RecipientForm) -> str:
    return render_template(
        "reports.html",
        lines=read_reports(db.session(), places()),
        recipients=recipients(db.session(), places()),
        sites=report_sites(db.session()),
        form=form,
    )


@blueprint.post("/now")
def produce() -> Response:
    """Make today's report of every site, or a new revision of it, and send it to its list."""
    config = hadir().config
    options = ReportOptions(language=config.language, template=config.whatsapp.report_template)
    for site_id in places().sites:
        run = build_daily_report(
            hadir().engine,
            site_id,
            today(),
            config.home,
            now=utc_now(),
            rules=config.rules,
            renderers=RENDERERS,
            options=options,
            revise=True,
        )
        with hadir().work() as work:
            note(work, user().actor, "report.produce", f"{site_id} {today()}", now=utc_now(), run=run.id)
    flash(_("The report is made and on its way to everybody on the list."), "good")
    return redirect(url_for("reports.index"))


@blueprint.get("/<int:run_id>.<kind>")
def download(run_id: int, kind: str) -> Response:
    run = db.session.get(ReportRun, run_id)
    if run is None or kind not in MIMES:
        abort(404)
    stored = run.pdf_path if kind == "pdf" else run.csv_path
    path = (hadir().config.home / Path(stored)).resolve()
    if not stored or not path.is_relative_to(hadir().config.home.resolve()) or not path.is_file():
        abort(404)
    with hadir().work() as work:
        note(work, user().actor, "report.download", path.name, now=utc_now())
    source = BytesIO(workbook_of(path.read_bytes())) if kind == "xlsx" else path
    name = f"{path.stem}.{kind}"
    reply = send_file(source, mimetype=MIMES[kind], as_attachment=True, download_name=name, max_age=0)
    reply.headers["Cache-Control"] = "no-store"
    return reply


@blueprint.post("/recipients")
def add_recipient() -> ResponseReturnValue:
    form = _form()
    if not form.validate_on_submit() or form.site_id.data not in places().sites:
        return _page(form), 422
    try:
        with hadir().work() as work:
            add_to_list(
                work,
                site_id=form.site_id.data,
                name=form.name.data or "",
                role=form.role.data,
                phone=form.phone.data or "",
                email=form.email.data or "",
                language=form.language.data,
                now=utc_now(),
                actor=user().actor,
            )
    except PersonRefused as refused:
        field = getattr(form, refused.field, form.name)
        field.errors = [*field.errors, problem(refused.problem)]
        return _page(form), 422
    flash(_("Added to the list."), "good")
    return redirect(url_for("reports.index"))


@blueprint.post("/recipients/<int:recipient_id>/remove")
def remove_recipient(recipient_id: int) -> Response:
    with hadir().work() as work:
        remove_from_list(work, recipient_id, now=utc_now(), actor=user().actor)
    flash(_("Removed from the list."), "good")
    return redirect(url_for("reports.index"))
