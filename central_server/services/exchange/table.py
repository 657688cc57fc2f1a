"""Tables that people exchange: a spreadsheet's rows in and out, or one row from a form. All rows, or none.

A table says how a row is read, what is wrong with it, and how it is kept. A form is an import of one row, so
that there is one set of rules whoever types.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note

Row = Mapping[str, str]  # column: text, trimmed; a column that was not given is missing

MOST_TOLD = 200  # differences and problems beyond that are counted, not listed


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one value: a code that a page or a command puts into a sentence (WORDS)."""

    column: str
    code: str
    value: str = ""

    @property
    def words(self) -> str:
        return WORDS[self.code].format(column=self.column, value=self.value)


WORDS: Mapping[str, str] = {
    "empty": "{column} is empty",
    "missing_column": "the column {column} is missing",
    "unknown_column": "there is no column {column} in this table",
    "repeated": "the same row is on line {value} already",
    "no_date": "{column} {value!r} is not a date like 2026-11-25",
    "no_time": "{column} {value!r} is not a time like 08:30",
    "no_number": "{column} {value!r} is not a whole number in its range",
    "no_yes_or_no": "{column} {value!r} is neither yes nor no",
    "no_slug": "{column} {value!r} may hold only a-z, 0-9 and '-', at most 32",
    "too_long": "{column} is too long",
    "no_choice": "{column} {value!r} is none of the words that can stand here",
    "no_weekdays": "{column} {value!r} is no weekday or span of them: write mon-fri, or mon,wed,fri",
    "order": "{column} {value!r} is before the beginning",
    "no_site": "there is no site {value}",
    "taken": "there is {value} already",
    "in_use": "{value} is still used, so it cannot be taken away",
    "no_shift": "there is no shift {value}",
    "no_rotation": "there is no rotation {value}",
    "no_employee": "there is no employee {value}",
    "off_is_taken": "a shift cannot be called off: in a rotation that is a day off",
    "one_of_two": "give a shift or a rotation, and not both",
    "same_start": "from the same day, and on a same weekday, {value} is given for the same people",
    "same_name": "two breaks {value!r} begin on the same day and share a weekday: give one another name",
}


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    is_required: bool = False
    example: str = ""  # for the empty spreadsheet to begin with
    normal: Callable[[str], str] = str  # one spelling for values that mean the same; may raise ValueError
    default: str = ""  # what an empty cell means


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a row's meaning depends on besides the row."""

    work: UnitOfWork
    site_id: str  # of rows that name no site
    now: datetime
    actor: str = ""
    given: frozenset[tuple[str, ...]] = (
        frozenset()
    )  # the keys of all rows of this import: they count as there


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One kind of thing. `key` names the columns by which a row is known again.

    read yields every row as it is now, in a sensible order, with all columns. problems yields what is wrong
    with a row whose columns are there. put keeps a row that has no problems: adds it, or changes the one with
    its key; columns that are missing stay as they are, and an empty value empties.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    read: Callable[[UnitOfWork], Iterable[Row]]
    problems: Callable[[Row, Context], Iterator[Problem]]
    put: Callable[[Row, Context], None]
    remove: Callable[[Row, Context], None] | None = None

    def key_of(self, row: Row) -> tuple[str, ...]:
        return tuple(row.get(name, "") for name in self.key)


@dataclass(frozen=True, slots=True)
class BadRow:
    line: int  # as a spreadsheet counts: the heading is line 1
    problem: Problem


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is, or would be, new or changed."""

    line: int
    key: tuple[str, ...]
    before: Row | None  # None: new
    after: Row

    @property
    def changed(self) -> tuple[str, ...]:
        before = self.before or {}
        return tuple(name for name, value in self.after.items() if before.get(name, "") != value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    bad: tuple[BadRow, ...] = ()
    differences: tuple[Difference, ...] = field(default_factory=tuple)


def import_rows(
    table: Table,
    rows: Iterable[Mapping[str | None, Any]],
    work: UnitOfWork,
    *,
    site_id: str,
    now: datetime,
    actor: str,
    dry_run: bool = False,
) -> Imported:
    """Take rows over. With a bad row nothing changes and all that is wrong is told; nor with dry_run."""
    numbered = [(line, _clean(table, row)) for line, row in enumerate(rows, start=2)]
    numbered = [(line, row) for line, row in numbered if any(row.values())]
    given = frozenset(table.key_of(row) for _, row in numbered)
    context = Context(work=work, site_id=site_id, now=now, actor=actor, given=given)
    bad = tuple(_bad_rows(table, numbered, context))
    if bad:
        return Imported(bad=bad)
    known = {table.key_of(row): row for row in table.read(work)}
    differences = tuple(_differences(table, numbered, known))
    added = sum(each.before is None for each in differences)
    imported = Imported(
        added=added,
        changed=len(differences) - added,
        unchanged=len(numbered) - len(differences),
        differences=differences,
    )
    if dry_run or not differences:
        return imported
    for each in differences:
        table.put(each.after, context)
    work.session.flush()
    note(
        work,
        actor,
        f"{table.name}.import",
        site_id,
        now=now,
        added=imported.added,
        changed=imported.changed,
        rows=[{"key": list(each.key), "changed": list(each.changed)} for each in differences[:MOST_TOLD]],
    )
    return imported


def _clean(table: Table, row: Mapping[str | None, Any]) -> dict[str, str]:
    """Return the row with names as columns are written, and trimmed text; what has no heading is left out."""
    named = {str(name).strip().lower(): value for name, value in row.items() if name}
    cleaned = {name: " ".join(str(value or "").split()) for name, value in named.items()}
    is_blank = not any(cleaned.values())
    for column in table.columns:
        if column.default and not is_blank and (column.name in cleaned or column.name in table.key):
            cleaned[column.name] = cleaned.get(column.name) or column.default
        if cleaned.get(column.name):
            with suppress(ValueError):  # the table's problems tell
                cleaned[column.name] = column.normal(cleaned[column.name])
    return cleaned


def _bad_rows(table: Table, numbered: list[tuple[int, dict[str, str]]], context: Context) -> Iterator[BadRow]:
    known = {each.name for each in table.columns}
    if numbered:
        line, first = numbered[0]
        for name in sorted(first.keys() - known):
            yield BadRow(1, Problem(name, "unknown_column"))
        for each in table.columns:
            if each.is_required and each.name not in first:
                yield BadRow(1, Problem(each.name, "missing_column"))
    lines: dict[tuple[str, ...], int] = {}
    for line, row in numbered:
        key = table.key_of(row)
        if key in lines:
            yield BadRow(line, Problem(table.key[0], "repeated", str(lines[key])))
        lines.setdefault(key, line)
        empty = [each.name for each in table.columns if each.is_required and not row.get(each.name)]
        yield from (BadRow(line, Problem(name, "empty")) for name in empty if name in row)
        if not empty:
            yield from (BadRow(line, problem) for problem in table.problems(row, context))


def _differences(
    table: Table, numbered: list[tuple[int, dict[str, str]]], known: Mapping[tuple[str, ...], Row]
) -> Iterator[Difference]:
    for line, row in numbered:
        key = table.key_of(row)
        before = known.get(key)
        after = {**(before or {}), **row}
        if before is None or any(before.get(name, "") != value for name, value in after.items()):
            yield Difference(line, key, before, after)
