"""Who works which shift or rotation: the defaults of a site, a person's own, and what counts on a day."""

from datetime import date, datetime

from flask import Blueprint, abort, redirect, render_template, request, url_for
from flask_babel import gettext as _
from sqlalchemy import select
from werkzeug.wrappers import Response

from central_server.blueprints.extensions import db, hadir
from central_server.blueprints.formats import day as day_words
from central_server.blueprints.request_facts import day_asked, places, team, text, today
from central_server.blueprints.working_time_forms import AssignmentForm, filled
from central_server.blueprints.working_time_rows import removed, saved
from central_server.blueprints.working_time_words import LEAVE_KINDS
from central_server.db.models import Employee, Rotation, Shift, ShiftAssignment
from central_server.db.queries.working_time import (
    assignments_of,
    count_assigned,
    holiday_names,
    own_hours_query,
)
from central_server.db.stores import people as people_store
from central_server.db.stores import shifts as shifts_store
from central_server.domain.shifts import Assignment, Schedule
from central_server.services.exchange import assignments

blueprint = Blueprint("assignments", __name__, url_prefix="/working-time/assignments")


@blueprint.get("/")
def index() -> str:
    site_id, day = chosen_site(), day_asked()
    query = own_hours_query(site_id, text("q"), team())
    page = db.paginate(query, per_page=25, max_per_page=25, error_out=False)
    return render_template(
        "assignments.html",
        site_id=site_id,
        sites=site_choices(),
        day=day,
        lines=assignments_of(db.session(), site_id, None),
        reasons=_site_reasons(site_id, day),
        people=page.items,
        counts=count_assigned(db.session(), [each.employee_id for each in page.items]),
        pagination=page,
        words=text("q"),
        has_hours=_has_hours(),
    )


@blueprint.get("/people/<employee_id>")
def person(employee_id: str) -> str:
    found = _person(employee_id)
    day = day_asked()
    people = people_store.by_id(db.session(), [employee_id])
    schedules = shifts_store.schedules(db.session(), people, day_cutoff=hadir().config.rules.day_cutoff)
    return render_template(
        "person_hours.html",
        person=found,
        day=day,
        lines=assignments_of(db.session(), found.site_id, employee_id),
        defaults=assignments_of(db.session(), found.site_id, None),
        reasons=reasons(schedules[employee_id], day, found.site_id),
        has_hours=_has_hours(),
    )


@blueprint.route("/add", methods=["GET", "POST"])
def add() -> str | Response:
    employee_id = request.args.get("employee", "")
    site_id = _person(employee_id).site_id if employee_id else chosen_site()
    form = filled(AssignmentForm, {"valid_from": today().isoformat()})
    row = {"site_id": site_id, "employee_id": employee_id, **_row_of(form)}
    if form.validate_on_submit() and saved(form, assignments.TABLE, row, site_id=site_id):
        return redirect(_back(site_id, employee_id))
    return _form(form, site_id, employee_id)


@blueprint.route("/<int:assignment_id>", methods=["GET", "POST"])
def edit(assignment_id: int) -> str | Response:
    before = assignments.row_of(_assignment(assignment_id))
    site_id, employee_id = before["site_id"], before["employee_id"]
    works = f"shift:{before['shift_id']}" if before["shift_id"] else f"rotation:{before['rotation_id']}"
    form = filled(AssignmentForm, {**before, "shift_id": works})
    row = {"site_id": site_id, "employee_id": employee_id, **_row_of(form)}
    if form.validate_on_submit() and saved(form, assignments.TABLE, row, before=before, site_id=site_id):
        return redirect(_back(site_id, employee_id))
    return _form(form, site_id, employee_id, assignment_id)


@blueprint.post("/<int:assignment_id>/remove")
def remove(assignment_id: int) -> Response:
    row = assignments.row_of(_assignment(assignment_id))
    removed(assignments.TABLE, row)
    return redirect(_back(row["site_id"], row["employee_id"]))


def chosen_site() -> str:
    """Return the site in the address, else the first one; "" where there is none yet."""
    asked = text("site")
    return asked if asked in places().sites else next(iter(places().sites), "")


def site_choices() -> list[tuple[str, str]]:
    return [(site_id, site.name) for site_id, site in places().sites.items()]


def reasons(schedule: Schedule, day: date, site_id: str) -> tuple[str, ...]:
    """Return, in sentences, what counts on a day and why."""
    said = [_deciding(schedule, schedule.assignment_on(day), day)]
    if schedule.is_holiday(day):
        named = holiday_names(db.session(), day, day)
        name = named.get((day, site_id)) or named.get((day, ""), "")
        said.append(_("But it is a holiday: %(name)s. Nobody is expected.", name=name))
    if leave := schedule.leave_on(day):
        kind = str(LEAVE_KINDS.get(leave.kind, leave.kind))
        said.append(_("But the person is away: %(kind)s.", kind=kind))
    if shift_day := schedule.shift_on(day):
        pauses = ", ".join(
            f"{each.name} {_clock(schedule, each.time.start)}–{_clock(schedule, each.time.end)}"
            for each in shift_day.pauses
        )
        if pauses:
            said.append(_("Breaks: %(breaks)s.", breaks=pauses))
        said.append(
            _(
                "Who is seen from %(opens)s to %(closes)s is seen for this day.",
                opens=_clock(schedule, shift_day.opens_at),
                closes=_clock(schedule, shift_day.closes_at),
            )
        )
    return tuple(said)


def _clock(schedule: Schedule, moment: datetime) -> str:
    return f"{moment.astimezone(schedule.timezone):%H:%M}"


def _deciding(schedule: Schedule, assignment: Assignment | None, day: date) -> str:
    if assignment is None:
        return _("Nothing is assigned on this day, so nobody is expected and nobody is late or absent.")
    found = schedule.shift_on(day)
    works = _("A day off")
    if found:
        works = f"{found.shift.name} {found.shift.starts:%H:%M}–{found.shift.ends:%H:%M}"
    source = assignment.rotation or assignment.shift
    since = day_words(assignment.valid_from) if assignment.valid_from else _("always")
    facts = {"works": works, "name": source.name if source else "", "since": since}
    if assignment.is_own:
        return _(
            "%(works)s, from “%(name)s”: the person's own, the newest that applies (%(since)s).", **facts
        )
    return _("%(works)s, from “%(name)s”: the site's default, the newest that applies (%(since)s).", **facts)


def _site_reasons(site_id: str, day: date) -> tuple[str, ...]:
    schedule = shifts_store.of_site(db.session(), site_id, hadir().config.rules.day_cutoff)
    return reasons(schedule, day, site_id) if schedule else ()


def _has_hours() -> bool:
    return db.session.scalar(select(Shift.shift_id).limit(1)) is not None


def _person(employee_id: str) -> Employee:
    found = db.session.get(Employee, employee_id)
    allowed = team()
    if found is None or (allowed is not None and employee_id not in allowed):
        abort(404)
    return found


def _assignment(assignment_id: int) -> ShiftAssignment:
    found = db.session.get(ShiftAssignment, assignment_id)
    if found is None:
        abort(404)
    return found


def _row_of(form: AssignmentForm) -> dict[str, str]:
    """Return the row without its people; `shift:day` and `rotation:two` become columns."""
    kind, _colon, code = (form.shift_id.data or "").partition(":")
    return {
        "shift_id": code if kind == "shift" else "",
        "rotation_id": code if kind == "rotation" else "",
        "valid_from": form.valid_from.data or "",
        "valid_to": form.valid_to.data or "",
    }


def _works_choices() -> list[tuple[str, str]]:
    shifts = [
        (f"shift:{row.shift_id}", f"{row.name} ({row.starts:%H:%M}–{row.ends:%H:%M})")
        for row in db.session.scalars(select(Shift).order_by(Shift.starts, Shift.shift_id))
    ]
    rotations = [
        (f"rotation:{row.rotation_id}", _("Rotation: %(name)s", name=row.name))
        for row in db.session.scalars(select(Rotation).order_by(Rotation.name))
    ]
    return [*shifts, *rotations]


def _back(site_id: str, employee_id: str) -> str:
    if employee_id:
        return url_for("assignments.person", employee_id=employee_id)
    return url_for("assignments.index", site=site_id)


def _form(form: AssignmentForm, site_id: str, employee_id: str, assignment_id: int | None = None) -> str:
    form.shift_id.choices = _works_choices()
    whose = _person(employee_id).name if employee_id else places().sites[site_id].name if site_id else ""
    return render_template(
        "row_form.html",
        form=form,
        title=_("Working time of %(name)s", name=whose),
        order=("shift_id", "valid_from", "valid_to"),
        wide=("shift_id",),
        hints={
            "valid_from": _("Empty: always. What begins later replaces it from that day."),
            "valid_to": _(
                "Empty: until something newer begins. After this day what was there before counts."
            ),
        },
        back=_back(site_id, employee_id),
        removes=url_for("assignments.remove", assignment_id=assignment_id) if assignment_id else "",
    )
