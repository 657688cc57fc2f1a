"""Forms that are a row of a table: the table's rules decide, and their reasons stand beside the fields."""

from collections.abc import Iterable

from flask import flash, request
from flask_babel import gettext as _
from flask_wtf import FlaskForm

from central_server.blueprints.extensions import hadir, utc_now
from central_server.blueprints.request_facts import user
from central_server.blueprints.working_time_words import recompute_words, wrong_words
from central_server.services.change_working_time import RowRefused, save_row
from central_server.services.exchange.one_row import remove_row
from central_server.services.exchange.table import Problem, Row, Table


def saved(form: FlaskForm, table: Table, row: Row, *, before: Row | None = None, site_id: str = "") -> bool:
    """Keep the row and say so, or say beside the fields why not."""
    try:
        with hadir().work() as work:
            save_row(
                work, table, clean(row), before=before, site_id=site_id, now=utc_now(), actor=user().actor
            )
    except RowRefused as refused:
        put_problems(form, refused.problems)
        return False
    flash(_told(_("Saved."), row, *([before] if before else [])), "good")
    return True


def _told(words: str, *rows: Row) -> str:
    starts = [row.get("valid_from") or row.get("day") or "" for row in map(clean, rows)]
    return f"{words} {recompute_words(*starts)}".strip()


def removed(table: Table, row: Row) -> bool:
    """Take the row away and say so, or say why not."""
    with hadir().work() as work:
        against = remove_row(table, row, work, now=utc_now(), actor=user().actor)
    if against:
        flash(" ".join(wrong_words(each) for each in against), "bad")
        return False
    flash(_told(_("Removed."), row), "good")
    return True


def put_problems(form: FlaskForm, problems: Iterable[Problem]) -> None:
    """Show each beside its field, else beside the first one; each sentence once."""
    fields = {each.name: each for each in form if each.name != "csrf_token"}
    for problem in problems:
        target = fields.get(problem.column) or next(iter(fields.values()))
        words = wrong_words(problem, str(target.label.text))
        if words not in target.errors:
            target.errors = [*target.errors, words]


def clean(row: Row) -> Row:
    return {name: " ".join(str(value or "").split()) for name, value in row.items()}


def many(name: str) -> str:
    """Return what was ticked or chosen under one name, with commas."""
    return ",".join(request.form.getlist(name))
