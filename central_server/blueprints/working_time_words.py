"""The words of working time: what is wrong with a row, kinds of holidays and leave, weekdays."""

from collections.abc import Mapping
from datetime import date, timedelta

from babel.dates import format_date
from flask_babel import LazyString, get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as lazy

from central_server.blueprints.request_facts import today
from central_server.blueprints.table_words import problem_words
from central_server.blueprints.wording import Word
from central_server.domain.shifts import WEEKDAYS
from central_server.services.exchange.table import Problem

MONDAY = date(2026, 1, 5)

WRONG: Mapping[str, LazyString] = {
    "empty": lazy("This is needed."),
    "no_date": lazy("That is not a date."),
    "no_time": lazy("That is not a time."),
    "no_number": lazy("That is not a whole number of minutes within the limits."),
    "no_slug": lazy("Use only a-z, 0-9 and '-', at most 32."),
    "too_long": lazy("That is too long."),
    "no_weekdays": lazy("Choose at least one day."),
    "order": lazy("The last day cannot be before the first day."),
    "no_choice": lazy("Choose one of the list."),
    "no_site_named": lazy("First there must be a site."),
}
HOLIDAY_KINDS: Mapping[str, Word] = {
    "national": Word(lazy("National holiday"), "good", "calendar"),
    "collective": Word(lazy("Collective leave"), "info", "calendar"),
    "company": Word(lazy("Company holiday"), "idle", "calendar"),
}
LEAVE_KINDS: Mapping[str, LazyString] = {
    "leave": lazy("Leave"),
    "annual": lazy("Annual leave"),
    "sick": lazy("Sick"),
    "maternity": lazy("Maternity leave"),
    "unpaid": lazy("Unpaid leave"),
    "trip": lazy("Business trip"),
}


def wrong_words(problem: Problem, label: str = "") -> str:
    """Return the sentence for what is wrong with the value of a field; shorter than in a table."""
    return str(WRONG.get(problem.code) or problem_words(problem, label))


def weekday_names() -> tuple[tuple[str, str], ...]:
    """Return (code, short name) of the days of the week in the reader's language."""
    return tuple(
        (code, format_date(MONDAY + timedelta(days=n), "EEE", locale=get_locale()))
        for n, code in enumerate(WEEKDAYS)
    )


def weekdays_words(codes: frozenset[str] | set[str] | tuple[str, ...]) -> str:
    """Return the days shortly: Mon–Fri, or Mon, Wed."""
    names = dict(weekday_names())
    days = [day for day in WEEKDAYS if day in codes]
    if len(days) == len(WEEKDAYS):
        return _("every day")
    first = WEEKDAYS.index(days[0]) if days else 0
    if len(days) > 2 and list(WEEKDAYS[first : first + len(days)]) == days:
        return f"{names[days[0]]}–{names[days[-1]]}"
    return ", ".join(names[day] for day in days)


def recompute_words(*starts: str) -> str:
    """What has to be said after a change of rules, unless all of it starts after today.

    starts: first days, as 2026-11-25; an empty one is always.
    """
    if starts and min(starts) > today().isoformat():
        return ""
    return _(
        "Days that are over keep their numbers; to change them too, ask your administrator to recompute."
    )
