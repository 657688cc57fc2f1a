"""Employees: the list, one person, and what HR does about them."""

from datetime import date
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import get_locale
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from central_server.blueprints import wording
from central_server.blueprints.alerts import STATE_WORDS
from central_server.blueprints.badges import shown_once
from central_server.blueprints.charts import column, day_timeline
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.formats import day as day_words
from central_server.blueprints.forms import NewPersonForm, PersonForm, ResignForm, options, put_problem
from central_server.blueprints.leave_words import LEAVE_KINDS
from central_server.blueprints.request_facts import local_now, places, team, text, today, user
from central_server.db.queries.alerts import alerts_of
from central_server.db.queries.attendance import days_of_person
from central_server.db.queries.events import EventFilter, read_events
from central_server.db.queries.faces import HolderLine, holders_of
from central_server.db.queries.organisation import leaves_of, roles_in_use, superiors_of
from central_server.db.queries.people import (
    Person,
    choices_of_supervisors,
    departments,
    people_lines,
    people_query,
    photos_of,
    read_person,
    stays_on,
)
from central_server.services.give_badge import badge_of
from central_server.services.manage_people import (
    PersonDetails,
    PersonRefused,
    add_employee,
    change_employee,
    first_site,
    record_consent,
)
from central_server.services.resign_employee import resign_employee, withdraw_consent

blueprint = Blueprint("people", __name__, url_prefix="/people")

FULL_DAY_S = 9 * 3600  # the height of the small chart
TONES = {"present": "good", "late": "warn", "incomplete": "info", "absent": "bad"}


@blueprint.get("/")
def index() -> str:
    chosen = {"q": text("q"), "department": text("department"), "status": text("status")}
    query = people_query(chosen["q"], chosen["department"], chosen["status"], team())
    page = db.paginate(query, per_page=50, max_per_page=50, error_out=False)
    return render_template(
        "people.html",
        lines=people_lines(db.session(), page.items, today()),
        pagination=page,
        chosen=chosen,
        department_choices=[("", _("All")), *((each, each) for each in departments(db.session()))],
    )


@blueprint.get("/<employee_id>")
def detail(employee_id: str) -> str:
    person = _person(employee_id)
    now = local_now(person.site_id)
    stays = stays_on(
        db.session(), places(), employee_id, today(), gap=hadir().config.rules.unseen_after, now=now
    )
    days = days_of_person(db.session(), places(), employee_id, today())
    zone = places().timezone(person.site_id)
    shown = EventFilter(employee_id=employee_id)
    return render_template(
        "person.html",
        person=person,
        now=now,
        today=today(),
        stays=stays,
        stay_words=", ".join(f"{each.start:%H:%M}–{each.end:%H:%M}" for each in stays),
        timeline=day_timeline(stays, today(), zone, now),
        day_line=days[-1][1],
        columns=[_column(when, line) for when, line in days],
        tones=TONES,
        photos=photos_of(db.session(), places(), employee_id) if user().may("photos.fragment") else (),
        events=read_events(db.session(), places(), shown, team(), limit=8).lines,
        alerts=alerts_of(db.session(), places(), employee_id, limit=6),
        consent_text=consent_text(),
        holders=_holders(employee_id),
        **_held(employee_id),
        superiors=superiors_of(db.session(), employee_id),
        leaves=leaves_of(db.session(), employee_id, since=today()),
        leave_kinds=LEAVE_KINDS,
        hold_words=wording.HOLDS,
        **STATE_WORDS,
    )


def _held(employee_id: str) -> dict[str, Any]:
    """Return what the person punches with, and a PIN that was just made, for those who may give one."""
    if not user().may("badges.pin"):
        return {"held": None, "new_pin": ""}
    return {"held": badge_of(db.session(), employee_id), "new_pin": shown_once(employee_id, "pin")}


def _holders(employee_id: str) -> tuple[HolderLine, ...]:
    """Return the boxes that hold this face, for those who may know."""
    if not user().may("faces.index"):
        return ()
    return holders_of(db.session(), places(), employee_id, now=utc_now())


def _column(when: date, line: Any) -> dict[str, Any]:
    """One day of the small chart: its height is the hours, an absence is as high as a full day."""
    status = line.status if line else ""
    seconds = (line.work_seconds or 0) if line else 0
    height = FULL_DAY_S if status == "absent" else min(seconds, FULL_DAY_S)
    if status == "incomplete":
        height = FULL_DAY_S // 8
    words = str(wording.word(wording.ATTENDANCE, status).label) if line else _("No record")
    return {
        "day": when,
        "words": f"{day_words(when)}: {words}",
        "pieces": column([(TONES.get(status, "idle"), height)], FULL_DAY_S),
    }


def _person(employee_id: str) -> Person:
    found = read_person(db.session(), places(), employee_id, team(), today())
    if found is None:
        abort(404)
    return found


def consent_text() -> str:
    """The words that a person agrees to; kept with the record in the language they were shown in."""
    return _(
        "I agree that the company recognises my face with its cameras in work areas, for attendance and "
        "presence only. It keeps face templates made from my photos until I leave the company or withdraw "
        "this consent, and face snapshots for at most 30 days. I may see, correct and withdraw my data at "
        "any time without disadvantage, and I may record my attendance in another way instead."
    )


@blueprint.route("/add", methods=["GET", "POST"])
def add() -> str | Response:
    form = NewPersonForm(is_watched=True) if request.method == "GET" else NewPersonForm()
    _offer(form)
    if form.validate_on_submit():
        code = (form.employee_id.data or "").strip()
        try:
            with hadir().work() as work:
                details = _details(form)
                site = details.site_id or first_site(
                    work, timezone=hadir().config.timezone, name=_("Main site")
                )
                add_employee(work, code, details, site_id=site, now=utc_now(), actor=user().actor)
        except PersonRefused as refused:
            put_problem(form, refused.field, refused.problem)
        else:
            flash(_("Added. Next: record the consent and upload photos."), "good")
            return redirect(url_for("people.detail", employee_id=code))
    return render_template(
        "person_form.html",
        form=form,
        title=_("Add an employee"),
        back=url_for("people.index"),
        roles=roles_in_use(db.session()),
    )


@blueprint.route("/<employee_id>/edit", methods=["GET", "POST"])
def edit(employee_id: str) -> str | Response:
    person = _person(employee_id)
    form = PersonForm(data=_present(person)) if request.method == "GET" else PersonForm()
    _offer(form, without=employee_id)
    back = url_for("people.detail", employee_id=employee_id)
    if form.validate_on_submit():
        try:
            with hadir().work() as work:
                change_employee(work, employee_id, _details(form), now=utc_now(), actor=user().actor)
        except PersonRefused as refused:
            put_problem(form, refused.field, refused.problem)
        else:
            flash(_("Saved."), "good")
            return redirect(back)
    return render_template(
        "person_form.html",
        form=form,
        title=_("Edit %(name)s", name=person.line.name),
        back=back,
        roles=roles_in_use(db.session()),
    )


def _offer(form: PersonForm, without: str = "") -> None:
    """Fill in what can be chosen; without: who cannot be their own superior."""
    others = [each for each in choices_of_supervisors(db.session()) if each[0] != without]
    form.supervisor_id.choices = options([("", "–"), *others])
    sites = places().sites
    form.site_id.choices = options((each.place_id, each.name) for each in sites.values())
    form.zones.choices = options(
        (each.place_id, each.name if len(sites) == 1 else f"{sites[each.site_id].name} · {each.name}")
        for each in places().zones.values()
    )


def _details(form: PersonForm) -> PersonDetails:
    return PersonDetails(
        name=form.name.data or "",
        department=form.department.data or "",
        phone=form.phone.data or "",
        email=form.email.data or "",
        supervisor_id=form.supervisor_id.data or "",
        started_on=form.started_on.data,
        is_watched=bool(form.is_watched.data),
        role=form.role.data or "",
        site_id=form.site_id.data if form.site_id.data in places().sites else "",
        zones=tuple(form.zones.data or ()),
    )


def _present(person: Person) -> dict[str, Any]:
    return {
        "name": person.line.name,
        "department": person.line.department,
        "phone": f"+{person.phone}" if person.phone else "",
        "email": person.email,
        "supervisor_id": person.supervisor_id or "",
        "started_on": person.started_on,
        "is_watched": person.is_watched,
        "role": person.role,
        "site_id": person.site_id,
        "zones": [each for each, _name in person.zones],
    }


@blueprint.post("/<employee_id>/consent")
def consent(employee_id: str) -> Response:
    _person(employee_id)
    if request.form.get("agreed") != "yes":
        flash(_("Tick the box to record the consent."), "bad")
    else:
        with hadir().work() as work:
            record_consent(
                work,
                employee_id,
                text=consent_text(),
                language=str(get_locale()),
                now=utc_now(),
                by=user().username,
            )
        flash(_("The consent is recorded. Photos can be uploaded now."), "good")
    return redirect(url_for("people.detail", employee_id=employee_id, _anchor="photos"))


@blueprint.post("/<employee_id>/withdraw")
def withdraw(employee_id: str) -> Response:
    _person(employee_id)
    with hadir().work() as work:
        withdraw_consent(work, employee_id, hadir().config.home, now=utc_now(), actor=user().actor)
    flash(_("The consent is withdrawn. Photos and face data are erased."), "good")
    return redirect(url_for("people.detail", employee_id=employee_id))


@blueprint.route("/<employee_id>/resign", methods=["GET", "POST"])
def resign(employee_id: str) -> str | Response:
    person = _person(employee_id)
    form = ResignForm(last_day=today()) if request.method == "GET" else ResignForm()
    if form.validate_on_submit():
        home, now = hadir().config.home, utc_now()
        try:
            with hadir().work() as work:
                erased = resign_employee(
                    work, employee_id, form.last_day.data, home, now=now, actor=user().actor
                )
        except PersonRefused as refused:
            put_problem(form, refused.field, refused.problem)
        else:
            later = _("Noted. Photos and face data are erased when the last day is over.")
            flash(later if erased is None else _("Recorded. Photos and face data are erased."), "good")
            return redirect(url_for("people.detail", employee_id=employee_id))
    count = len(photos_of(db.session(), places(), employee_id))
    return render_template("resign.html", person=person, form=form, photo_count=count)
