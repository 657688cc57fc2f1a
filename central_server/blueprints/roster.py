"""Who works this week: people in rows, days in columns, with shifts, holidays and leave."""

from datetime import timedelta

from flask import Blueprint, render_template
from flask_babel import gettext as _

from central_server.blueprints.assignments import site_choices
from central_server.blueprints.extensions import db, hadir
from central_server.blueprints.request_facts import day_asked, places, team, text, today
from central_server.blueprints.working_time_words import LEAVE_KINDS
from central_server.db.queries.people import departments
from central_server.db.queries.working_time import holiday_names, roster, roster_query, week_of

blueprint = Blueprint("roster", __name__, url_prefix="/working-time")

WEEK = timedelta(days=7)


@blueprint.get("/")
def index() -> str:
    day = day_asked()
    week = week_of(day)
    site_id = text("site") if text("site") in places().sites else ""
    chosen = {"q": text("q"), "department": text("department"), "site": site_id}
    query = roster_query(site_id, chosen["q"], chosen["department"], team())
    page = db.paginate(query, per_page=50, max_per_page=50, error_out=False)
    cutoff = hadir().config.rules.day_cutoff
    named = holiday_names(db.session(), week[0], week[-1])
    return render_template(
        "roster.html",
        lines=roster(db.session(), page.items, week, day_cutoff=cutoff),
        holidays={each: named.get((each, site_id)) or named.get((each, "")) for each in week},
        week=week,
        today=today(),
        day=day,
        previous=week[0] - WEEK,
        following=week[0] + WEEK,
        pagination=page,
        chosen=chosen,
        leave_kinds=LEAVE_KINDS,
        department_choices=[("", _("All")), *((each, each) for each in departments(db.session()))],
        sites=[("", _("All")), *site_choices()],
    )
