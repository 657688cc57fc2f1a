"""The forms of working time. They only ask: what a value must be is decided by the tables."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as lazy
from flask_wtf import FlaskForm
from wtforms import BooleanField, SelectField, StringField
from wtforms.widgets import DateInput, NumberInput, TimeInput

from central_server.blueprints.working_time_words import HOLIDAY_KINDS

SHORT = {"autocomplete": "off", "maxlength": 32, "spellcheck": "false"}
NAME = {"autocomplete": "off", "maxlength": 120}


class DayText(StringField):
    """A date as text: the table reads it."""

    widget = DateInput()


class ClockText(StringField):
    widget = TimeInput()


class MinutesText(StringField):
    widget = NumberInput(min=0, max=720)


class RowForm(FlaskForm):
    """A form whose fields are called like the columns of its table."""

    def row(self) -> dict[str, str]:
        """Return what was typed, as a row; a tick is yes or no."""
        return {
            each.name: ("yes" if each.data else "no")
            if isinstance(each, BooleanField)
            else str(each.data or "")
            for each in self
            if each.name != "csrf_token"
        }


class ShiftForm(RowForm):
    name = StringField(lazy("Name"), render_kw=NAME)
    starts = ClockText(lazy("Starts"))
    ends = ClockText(lazy("Ends"))
    early_in_min = MinutesText(lazy("May come before, minutes"))
    late_out_min = MinutesText(lazy("May stay after, minutes"))
    late_grace_min = MinutesText(lazy("Not yet late, minutes"))
    early_leave_grace_min = MinutesText(lazy("Not yet left early, minutes"))


class NewShiftForm(ShiftForm):
    shift_id = StringField(lazy("Short name"), render_kw=SHORT)


class RotationForm(RowForm):
    name = StringField(lazy("Name"), render_kw=NAME)
    starts_on = DayText(lazy("The pattern begins on"))


class NewRotationForm(RotationForm):
    rotation_id = StringField(lazy("Short name"), render_kw=SHORT)


class AssignmentForm(RowForm):
    shift_id = SelectField(lazy("Shift or rotation"), validate_choice=False)  # shift:day or rotation:two
    valid_from = DayText(lazy("From"))
    valid_to = DayText(lazy("Until"))


class BreakForm(RowForm):
    name = StringField(lazy("Name"), render_kw=NAME)
    starts = ClockText(lazy("Starts"))
    ends = ClockText(lazy("Ends"))
    site_id = SelectField(lazy("Site"), validate_choice=False)
    shift_id = SelectField(lazy("Shift"), validate_choice=False)
    valid_from = DayText(lazy("From"))
    valid_to = DayText(lazy("Until"))
    is_paid = BooleanField(lazy("It counts as work"))


class HolidayForm(RowForm):
    day = DayText(lazy("Day"))
    name = StringField(lazy("Name"), render_kw=NAME)
    kind = SelectField(lazy("Kind"), validate_choice=False)
    site_id = SelectField(lazy("Site"), validate_choice=False)
    is_certain = BooleanField(lazy("It is announced"))


class RamadanForm(RowForm):
    site_id = SelectField(lazy("Site"), validate_choice=False)
    valid_from = DayText(lazy("First day of Ramadan hours"))
    valid_to = DayText(lazy("Last day of Ramadan hours"))
    starts = ClockText(lazy("Work starts"))
    ends = ClockText(lazy("Work ends"))
    pause = SelectField(lazy("Break that is replaced"), validate_choice=False)
    pause_starts = ClockText(lazy("It starts"))
    pause_ends = ClockText(lazy("It ends"))
    friday_starts = ClockText(lazy("On Fridays it starts"))
    friday_ends = ClockText(lazy("On Fridays it ends"))


def filled(form: type[RowForm], row: Mapping[str, str] | None, **more: Any) -> RowForm:
    """Return a form with a row in it; a form that was sent keeps what was typed."""
    data = {name: value == "yes" if name.startswith("is_") else value for name, value in (row or {}).items()}
    return form(data={**data, **more})


KIND_CHOICES = [(code, word.label) for code, word in HOLIDAY_KINDS.items()]
