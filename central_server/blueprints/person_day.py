"""One person-day: how it came about, HR's corrections and approvals, and what the employee says about it."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from central_server.blueprints import day_words, wording
from central_server.blueprints.alerts import STATE_WORDS
from central_server.blueprints.charts import strip
from central_server.blueprints.day_words import Speaker
from central_server.blueprints.extensions import db, hadir, utc_now
from central_server.blueprints.formats import duration
from central_server.blueprints.forms import CorrectionForm, options, problem, put_problem
from central_server.blueprints.request_facts import places, sees_leave_kinds, team, text, today, user
from central_server.db.queries.attendance import DayLine, corrections_of, read_line
from central_server.db.queries.attention import NEEDS, WORTH_APPROVING_MIN, days_in_need
from central_server.domain.explanation import Explanation
from central_server.domain.overtime import room_left
from central_server.services.approve_overtime import approve_overtime, is_counted, overtime_of_week
from central_server.services.correct_attendance import DayValues, correct_day, schedule_of
from central_server.services.dispute_day import note_dispute, settle_dispute
from central_server.services.explain_day import UnknownPerson, explain_day
from central_server.services.manage_people import PersonRefused
from central_server.services.recompute_attendance import recompute_days

blueprint = Blueprint("person_day", __name__, url_prefix="/attendance")

STATUSES = ("present", "late", "absent", "incomplete", "leave")
CALENDAR = (date(2000, 1, 1), date(2100, 12, 31))  # the days that have a page


@blueprint.get("/<day>/<employee_id>")
def show(day: str, employee_id: str) -> str:
    """The day explained. A supervisor sees their own team's."""
    when = _asked(day, employee_id)
    rules = hadir().config.rules
    with hadir().reading() as work:
        try:
            found = explain_day(work, employee_id, when, rules, now=utc_now())
        except UnknownPerson:
            abort(404)
        room = _room(work, employee_id, when) if found.day.overtime_min else None
    say = Speaker(when, found.timezone, sees_kinds=sees_leave_kinds())
    shift = next((each for each in found.pieces if each.kind == "shift"), None)
    ends = shift.time.end.astimezone(found.timezone).date() if shift else when
    return render_template(
        "day.html",
        found=found,
        day=when,
        say=say,
        strip=strip(found.pieces, found.timezone, _piece_words(found, say)),
        piece_words=day_words.PIECES,
        lane_words=day_words.LANES,
        legend_words=day_words.LEGEND,
        figure_words=day_words.FIGURES,
        field_words=day_words.FIELDS,
        push_words=day_words.PUSHES,
        leave_kind=say.leave_kind,
        room=room,
        worth_approving=WORTH_APPROVING_MIN,
        approved=_approved(found),
        events_until=max(when, ends),
        previous=when - timedelta(days=1),
        following=when + timedelta(days=1) if when < today() else None,
        **STATE_WORDS,
    )


def _asked(day: str, employee_id: str) -> date:
    """Return the day in the address; there is none of somebody whom this user may not see."""
    mine = team()
    try:
        when = date.fromisoformat(day)
    except ValueError:
        abort(404)
    if not CALENDAR[0] <= when <= CALENDAR[1] or (mine is not None and employee_id not in mine):
        abort(404)
    return when


def _is_own_business(employee_id: str) -> bool:
    """Tell whether HR would decide about their own day, and say that another has to. Administrators may: in a
    small company there is nobody else, and the audit names them.
    """
    is_own = user().role == "hr" and user().employee_id == employee_id
    if is_own:
        flash(
            _("It is your own day: somebody else of HR, or an administrator, has to decide about it."), "bad"
        )
    return is_own


def _room(work: Any, employee_id: str, day: date) -> int | None:
    """Return how many minutes of overtime the law leaves for that day; None: it sets no bound."""
    rules = hadir().config.rules
    is_workday = is_counted(schedule_of(work, employee_id, rules), day)
    return room_left(day, overtime_of_week(work, employee_id, day, rules), is_workday=is_workday)


def _approved(found: Explanation) -> str:
    said = [each.after for each in found.corrections if each.field == "overtime_min"]
    return said[-1] if said else ""


def _piece_words(found: Explanation, say: Speaker) -> list[str]:
    """Return what each piece of the timeline is, for who hears or hovers over it."""
    return [
        f"{day_words.PIECES[each.kind]} {say.span(each.time.start, each.time.end)}" for each in found.pieces
    ]


@blueprint.route("/<day>/<employee_id>/correct", methods=["GET", "POST"])
def correct(day: str, employee_id: str) -> str | Response:
    when = _asked(day, employee_id)
    if _is_own_business(employee_id):
        return _back(when, employee_id)
    line = read_line(db.session(), places(), employee_id, when)
    if line is None:
        abort(404)
    history = corrections_of(db.session(), places(), employee_id, when)
    said = next((each.after for each in history if each.field == "status"), "")  # newest first
    form = CorrectionForm(data=_values(line, said)) if request.method == "GET" else CorrectionForm()
    words = ((each, wording.ATTENDANCE[each].label) for each in STATUSES)
    form.status.choices = options([("", _("From the times")), *words])
    if form.validate_on_submit():
        try:
            _save(form, line, when, said)
        except PersonRefused as refused:
            put_problem(form, refused.field, refused.problem)
        else:
            flash(_("Corrected, and computed again."), "good")
            return _back(when, employee_id)
    say = Speaker(when, line.timezone or places().default_timezone)
    return render_template(
        "correct.html", line=line, day=when, form=form, history=history, say=say, field_words=day_words.FIELDS
    )


def _values(line: DayLine, status: str) -> dict[str, Any]:
    first, last = line.first_in, line.last_out
    times = {"first_in": first.time() if first else None, "last_out": last.time() if last else None}
    return times | {"status": status}


def _save(form: CorrectionForm, line: DayLine, day: date, status: str) -> None:
    """Write the correction and compute the day again, in one transaction. Raises PersonRefused."""

    def instant(at: time | None, before: datetime | None) -> datetime | None:
        if at and before and (before.hour, before.minute) == (at.hour, at.minute):
            return before  # left as it was, to the second
        return schedule.instant_on(day, at).astimezone(zone) if at else None

    with hadir().work() as work:
        schedule = schedule_of(work, line.employee_id, hadir().config.rules)
        zone = line.timezone or schedule.timezone  # clock times are typed as they are shown
        schedule = replace(schedule, timezone=zone)
        before = DayValues(first_in=line.first_in, last_out=line.last_out, status=status)
        after = DayValues(
            first_in=instant(form.first_in.data, line.first_in),
            last_out=instant(form.last_out.data, line.last_out),
            status=form.status.data or "",
        )
        correct_day(
            work,
            line.employee_id,
            day,
            before=before,
            after=after,
            reason=form.reason.data or "",
            by=user().username,
            now=utc_now(),
        )
        recompute_days(work, [(line.employee_id, day)], hadir().config.rules, now=utc_now())


@blueprint.post("/<day>/<employee_id>/overtime")
def overtime(day: str, employee_id: str) -> Response:
    """Approve the overtime of the day, or a part of it; what is above the caps is said, and kept."""
    when = _asked(day, employee_id)
    if _is_own_business(employee_id):
        return _back(when, employee_id, "overtime")
    rules = hadir().config.rules
    try:
        with hadir().work() as work:
            minutes = _minutes(request.form.get("minutes", ""))
            reason = request.form.get("reason", "")
            by, now = user().username, utc_now()
            approve_overtime(work, employee_id, when, minutes, reason=reason, by=by, now=now)
            recompute_days(work, [(employee_id, when)], rules, now=now)
            found = explain_day(work, employee_id, when, rules, now=now)
    except PersonRefused as refused:
        flash(str(problem(refused.problem)), "bad")
        return _back(when, employee_id, "overtime")
    counts = duration(60 * found.day.overtime_paid_min)
    flash(_("Saved: %(counts)s of overtime count as work.", counts=counts), "good")
    say = Speaker(when, found.timezone)
    for each in found.overtime_warnings:
        flash(say.warning(each), "warn")
    return _back(when, employee_id, "overtime")


def _minutes(typed: str) -> int | None:
    """Return the minutes; empty takes the approval back. Raises PersonRefused."""
    typed = typed.strip()
    if not typed:
        return None
    if not (typed.isascii() and typed.isdigit() and len(typed) <= 5):
        raise PersonRefused("minutes", "minutes_wrong")
    return int(typed)


@blueprint.post("/<day>/<employee_id>/dispute")
def dispute(day: str, employee_id: str) -> Response:
    when = _asked(day, employee_id)
    try:
        with hadir().work() as work:
            words = request.form.get("words", "")
            note_dispute(work, employee_id, when, words, by=user().username, now=utc_now())
    except PersonRefused as refused:
        flash(str(problem(refused.problem)), "bad")
    else:
        flash(_("Noted. It stays open until HR has answered."), "good")
    return _back(when, employee_id, "disputes")


@blueprint.post("/<day>/<employee_id>/dispute/<int:dispute_id>")
def settle(day: str, employee_id: str, dispute_id: int) -> Response:
    when = _asked(day, employee_id)
    if _is_own_business(employee_id):
        return _back(when, employee_id, "disputes")
    try:
        with hadir().work() as work:
            answer, by = request.form.get("answer", ""), user().username
            settle_dispute(work, dispute_id, employee_id, when, answer, by=by, now=utc_now())
    except PersonRefused as refused:
        flash(str(problem(refused.problem)), "bad")
    else:
        flash(_("Answered, and settled."), "good")
    return _back(when, employee_id, "disputes")


def _back(day: date, employee_id: str, anchor: str | None = None) -> Response:
    return redirect(url_for("person_day.show", day=day, employee_id=employee_id, _anchor=anchor))


@blueprint.get("/attention")
def attention() -> str:
    """The days that need somebody."""
    chosen = text("need") if text("need") in NEEDS else ""
    found = days_in_need(
        db.session(),
        today(),
        team(),
        rule=hadir().config.rules.overtime,
        day_cutoff=hadir().config.rules.day_cutoff,
    )
    return render_template(
        "attention.html",
        found=found,
        days=[each for each in found.days if chosen in ("", *each.needs)],
        chosen=chosen,
        needs=NEEDS,
        need_words=day_words.NEEDS,
    )
