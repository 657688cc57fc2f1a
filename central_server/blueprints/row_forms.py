"""Forms whose rules are a table's: a form is an import of one row, so that it and a spreadsheet agree."""

from datetime import date, time
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from flask_babel import lazy_gettext as lazy
from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField
from wtforms.validators import Optional

from central_server.blueprints import table_words
from central_server.blueprints.extensions import hadir, utc_now
from central_server.blueprints.forms import NEEDED, ClockField, DayField, options
from central_server.blueprints.leave_words import LEAVE_KINDS
from central_server.blueprints.request_facts import user
from central_server.services.exchange.one_row import keep_row, remove_row
from central_server.services.exchange.sites import INDONESIA
from central_server.services.exchange.table import Table
from central_server.services.exchange.values import as_text


@cache
def timezone_choices() -> list[tuple[str, str]]:
    """Return every time zone, Indonesia's three first."""
    own = [(zone, f"{short} · {zone}") for short, zone in INDONESIA.items()]
    others = sorted(available_timezones() - set(INDONESIA.values()))
    return own + [(zone, zone) for zone in others if "/" in zone and not zone.startswith(("posix", "right"))]


class SiteForm(FlaskForm):
    name = StringField(lazy("Name"), [NEEDED], render_kw={"autocomplete": "off", "maxlength": 120})
    timezone = SelectField(lazy("Time zone"), validate_choice=False)
    report_at = ClockField(lazy("Daily report at"), [NEEDED])


class NewSiteForm(SiteForm):
    site_id = StringField(lazy("Short name"), [NEEDED], render_kw={"autocomplete": "off", "maxlength": 32})


class ZoneForm(FlaskForm):
    name = StringField(lazy("Name"), [NEEDED], render_kw={"autocomplete": "off", "maxlength": 120})
    threshold_s = StringField(
        lazy("Minutes unseen"), render_kw={"inputmode": "decimal", "autocomplete": "off", "maxlength": 6}
    )
    is_entrance = BooleanField(lazy("This is an entrance"))
    is_public = BooleanField(lazy("This is a public zone"))


class NewZoneForm(ZoneForm):
    zone_id = StringField(lazy("Short name"), [NEEDED], render_kw={"autocomplete": "off", "maxlength": 32})


class RoleForm(FlaskForm):
    role = StringField(
        lazy("Works as"), [NEEDED], render_kw={"autocomplete": "off", "maxlength": 120, "list": "roles"}
    )
    threshold_s = StringField(
        lazy("Minutes unseen"),
        [NEEDED],
        render_kw={"inputmode": "decimal", "autocomplete": "off", "maxlength": 6},
    )


class SuperiorForm(FlaskForm):
    supervisor_id = SelectField(lazy("Supervisor"), validate_choice=False)
    level = SelectField(
        lazy("Level"),
        choices=options(
            [
                ("1", lazy("1, direct supervisor")),
                ("2", lazy("2, asked next")),
                ("3", lazy("3, asked after that")),
                ("4", lazy("4, asked last")),
            ]
        ),
    )
    valid_from = DayField(lazy("From"), [Optional()])
    valid_to = DayField(lazy("Until"), [Optional()])


class LeaveForm(FlaskForm):
    kind = SelectField(lazy("Kind"), choices=options(LEAVE_KINDS.items()))
    first_on = DayField(lazy("From"), [NEEDED])
    last_on = DayField(lazy("Until"), [NEEDED])
    note = StringField(lazy("Note"), render_kw={"maxlength": 200})


def minutes(seconds: int | None) -> str:
    """Return seconds as minutes: 300 is 5, 90 is 1.5, None is nothing."""
    return "" if seconds is None else f"{seconds / 60:g}"


def seconds(typed: str) -> str:
    """Return minutes as they were typed as a table's seconds; what is no number stays, to be refused."""
    try:
        return str(round(float(typed.replace(",", ".")) * 60)) if typed.strip() else ""
    except (ValueError, OverflowError):
        return typed


def row_of(form: FlaskForm, **fixed: str) -> dict[str, str]:
    """Return a form as a table's row; fixed: what the page's address says."""
    return {each.name: _text(each.name, each.data) for each in form if each.name != "csrf_token"} | fixed


def _text(name: str, value: Any) -> str:
    if name == "threshold_s":
        return seconds(value or "")
    return as_text(value) if isinstance(value, bool | date | time) else str(value or "")


def keeps(form: FlaskForm, table: Table, *, is_new: bool = False, **fixed: str) -> bool:
    """Keep what was typed; else put what is wrong beside its field, and return False."""
    row = row_of(form, **fixed)
    with hadir().work() as work:
        now, actor = utc_now(), user().actor
        problems = keep_row(table, row, work, now=now, actor=actor, is_new=is_new)
    fields = {each.name: each for each in form if each.name != "csrf_token"}
    for each in problems:
        field = fields.get(each.column) or next(iter(fields.values()))
        words = table_words.problem_words(each, str(field.label.text))
        field.errors = [*field.errors, words]
    return not problems


def removes(table: Table, **key: str) -> str:
    """Take a row away; return why not, or nothing."""
    with hadir().work() as work:
        against = remove_row(table, key, work, now=utc_now(), actor=user().actor)
    return " ".join(table_words.problem_words(each) for each in against)
