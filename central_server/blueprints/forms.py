"""The forms. What a value must be is decided by the services; forms only ask."""

from collections.abc import Iterable

from flask_babel import LazyString
from flask_babel import lazy_gettext as lazy
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateField,
    EmailField,
    PasswordField,
    SelectField,
    SelectMultipleField,
    StringField,
    TelField,
    TextAreaField,
    TimeField,
)
from wtforms.fields.choices import SelectChoice
from wtforms.validators import InputRequired, Optional
from wtforms.widgets import CheckboxInput

from central_server.blueprints import wording
from central_server.services.manage_users import ROLES

NEEDED = InputRequired(lazy("This is needed."))


def options(pairs: Iterable[tuple[str, LazyString | str]]) -> list[SelectChoice]:
    """Return the choices of a select field from (value, words)."""
    return [SelectChoice(value, words) for value, words in pairs]


LANGUAGES = options([("id", "Bahasa Indonesia"), ("en", "English")])


class DayField(DateField):
    """A date whose mistakes are told in the page's language."""

    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError as error:
            raise ValueError(str(lazy("That is not a date."))) from error


class ClockField(TimeField):
    def process_formdata(self, valuelist: list[str]) -> None:
        try:
            super().process_formdata([each[:5] for each in valuelist])
        except ValueError as error:
            raise ValueError(str(lazy("That is not a time."))) from error


class PersonForm(FlaskForm):
    name = StringField(lazy("Name"), [NEEDED], render_kw={"autocomplete": "off", "maxlength": 120})
    department = StringField(lazy("Department"), render_kw={"maxlength": 120})
    role = StringField(lazy("Works as"), render_kw={"autocomplete": "off", "maxlength": 120, "list": "roles"})
    site_id = SelectField(lazy("Site"), validate_choice=False)
    zones = SelectMultipleField(lazy("Zones"), validate_choice=False, option_widget=CheckboxInput())
    supervisor_id = SelectField(lazy("Supervisor"), validate_choice=False)
    phone = TelField(lazy("Phone"), render_kw={"autocomplete": "off", "maxlength": 32})
    email = EmailField(lazy("E-mail"), render_kw={"autocomplete": "off", "maxlength": 200})
    started_on = DayField(lazy("First day"), [Optional()])
    is_watched = BooleanField(lazy("Send alerts about this person"))


class NewPersonForm(PersonForm):
    employee_id = StringField(lazy("Code"), [NEEDED], render_kw={"autocomplete": "off", "maxlength": 64})


class ResignForm(FlaskForm):
    last_day = DayField(lazy("Last day of work"), [NEEDED])
    sure = BooleanField(lazy("I have understood that this cannot be undone."), [NEEDED])


class RevokeForm(FlaskForm):
    sure = BooleanField(lazy("I want to shut this box out."), [NEEDED])


class CorrectionForm(FlaskForm):
    first_in = ClockField(lazy("First in"), [Optional()])
    last_out = ClockField(lazy("Last out"), [Optional()])
    status = SelectField(lazy("Status"), validate_choice=False)
    reason = TextAreaField(lazy("Reason"), [NEEDED], render_kw={"maxlength": 400})


class RecipientForm(FlaskForm):
    name = StringField(lazy("Name"), [NEEDED], render_kw={"autocomplete": "off", "maxlength": 120})
    role = SelectField(
        lazy("Role"), choices=options((each, wording.ROLE_WORDS[each]) for each in ("hr", "manager"))
    )
    phone = TelField(lazy("Phone for WhatsApp"), render_kw={"autocomplete": "off", "maxlength": 32})
    email = EmailField(lazy("E-mail"), render_kw={"autocomplete": "off", "maxlength": 200})
    site_id = SelectField(lazy("Site"), validate_choice=False)
    language = SelectField(lazy("Language of the report"), choices=LANGUAGES)


class JoinCodeForm(FlaskForm):
    agent_name = StringField(lazy("Name of the agent"), render_kw={"maxlength": 60})
    site_id = SelectField(lazy("Site"), validate_choice=False)


class AdmitForm(FlaskForm):
    agent_name = StringField(lazy("Name of the agent"), render_kw={"maxlength": 60})
    site_id = SelectField(lazy("Site"), validate_choice=False)
    same = BooleanField(lazy("The box shows exactly this code."), [NEEDED])


class LanguageForm(FlaskForm):
    language = SelectField(lazy("Language"), choices=LANGUAGES)


class PasswordForm(FlaskForm):
    old = PasswordField(lazy("Present password"), [NEEDED], render_kw={"autocomplete": "current-password"})
    new = PasswordField(lazy("New password"), [NEEDED], render_kw={"autocomplete": "new-password"})


class UserForm(FlaskForm):
    username = StringField(lazy("User name"), [NEEDED], render_kw={"autocomplete": "off", "maxlength": 64})
    name = StringField(lazy("Name"), render_kw={"autocomplete": "off", "maxlength": 120})
    role = SelectField(
        lazy("Role"), choices=options((each, wording.ROLE_WORDS[each]) for each in ROLES), default="hr"
    )
    employee_id = SelectField(lazy("Employee"), validate_choice=False)
    password = PasswordField(lazy("Password"), [NEEDED], render_kw={"autocomplete": "new-password"})
    language = SelectField(lazy("Language"), choices=LANGUAGES)


def problem(code: str) -> LazyString | str:
    """Return the sentence for a word that a service refused with."""
    return wording.PROBLEMS.get(code, code)


def put_problem(form: FlaskForm, field: str, code: str) -> None:
    """Show a service's refusal beside the field it is about, else beside the first one."""
    fields = [each for each in form if each.name != "csrf_token"]
    target = next((each for each in fields if each.name == field), fields[0])
    target.errors = [*target.errors, problem(code)]
