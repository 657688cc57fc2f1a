"""Tables that people exchange: a spreadsheet's rows in and out, or one row from a form. All rows, or none.

A table says how a row is read, what is wrong with it, and how it is kept. A form is an import of one row, so
that there is one set of rules whoever types.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, TypeVar

from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note
from central_server.services.exchange.words import column_names

Found = TypeVar("Found")
Row = Mapping[str, str]  # column: text, trimmed; a column that was not given is missing

KEPT_OUT = "***"  # in the audit, for what is private
MOST_TOLD = 200  # differences and problems beyond that are counted, not listed


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one value: a code that a page or a command puts into a sentence (WORDS)."""

    column: str
    code: str
    value: str = ""
    among: str = ""  # the words that can stand there

    @property
    def words(self) -> str:
        return WORDS[self.code].format(column=self.column, value=self.value, among=self.among)


WORDS: Mapping[str, str] = {
    "empty": "{column} is empty",
    "no_rows": "there are no rows in this file",
    "missing_column": "the column {column} is missing",
    "unknown_column": "there is no column {column} in this table",
    "repeated": "the same row is on line {value} already",
    "no_date": "{column} {value!r} is not a date like 2026-11-25",
    "no_time": "{column} {value!r} is not a time like 08:30",
    "no_number": "{column} {value!r} is not a whole number in its range",
    "no_yes_or_no": "{column} {value!r} is neither yes nor no",
    "no_slug": "{column} {value!r} may hold only a-z, 0-9 and '-', at most 32",
    "too_long": "{column} is too long",
    "no_choice": "{column} {value!r} is none of the words that can stand here: {among}",
    "no_weekdays": "{column} {value!r} is no weekday: write mon-fri, senin-jumat, or mon,wed,fri",
    "order": "{column} {value!r} is before the beginning",
    "no_site": "there is no site {value}",
    "no_site_named": "no site is named, and there is not just one",
    "too_many_values": "there are more values than headings; was a comma meant, and the text not quoted?",
    "no_zone": "there is no zone {value}",
    "no_employee": "nobody has the code {value}",
    "in_use": "it cannot be removed: {value} belong to it",
    "exists": "that is there already",
    "taken": "there is one called {value} already",
    "no_timezone": "{column} {value!r} is not a time zone like Asia/Jakarta, or WIB, WITA, WIT",
    "public_entrance": "in a public zone nobody is recognised, so it cannot be the entrance",
    "zone_moves": "cameras or people belong to this zone; it cannot move to another site",
    "no_code": "{column} {value!r} is not a code of 1 to 64 characters without / or \\",
    "no_phone": "{column} {value!r} is not a phone number",
    "no_email": "{column} {value!r} is not an e-mail address",
    "only_shown": "{column} is not taken from a table: record that somebody leaves on their page, or with "
    "`hadir server resign`; it erases the face data",
    "own_superior": "nobody can be their own superior",
    "circular": "then {value} would be above and below each other",
    "level_taken": "on those days {value} has that level already; end that first (valid_to)",
    "no_shift": "there is no shift {value}",
    "no_rotation": "there is no rotation {value}",
    "off_is_taken": "a shift cannot be called off: in a rotation that is a day off",
    "one_of_two": "give a shift or a rotation, and not both",
    "same_start": "from the same day, and on a same weekday, {value} is given for the same people",
    "same_name": "two breaks {value!r} begin on the same day and share a weekday: give one another name",
    "other_site": "this person belongs to the site {value}: name that one",
    "overlaps": "it overlaps the leave from {value}",
}


@dataclass(frozen=True, slots=True)
class Column:
    name: str
    is_required: bool = False
    example: str = ""  # for the empty spreadsheet to begin with
    normal: Callable[[str], str] = str  # one spelling for values that mean the same; may raise ValueError
    empty: str = ""  # what no value means
    is_site: bool = False  # no value: stays as it is; of a new row the site of the import
    is_private: bool = False  # the audit says that it changed, not to what: it outlives what it tells of


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What a row's meaning depends on besides the row."""

    work: UnitOfWork
    site_id: str  # of rows that name no site
    now: datetime
    actor: str = ""
    given: frozenset[tuple[str, ...]] = frozenset()  # the keys of all rows: they count as there
    rows: tuple[Row, ...] = ()  # all rows of this import
    known: Mapping[tuple[str, ...], Row] = field(default_factory=dict)  # what is there now, by its key
    _found: dict[str, Any] = field(default_factory=dict)

    def once(self, name: str, find: Callable[[], Found]) -> Found:
        """Return what find returns, asked once an import: for lists that every row is held against."""
        if name not in self._found:
            self._found[name] = find()
        found: Found = self._found[name]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One kind of thing. `key` names the columns by which a row is known again.

    read yields every row as it is now, in a sensible order, with all columns; near, only those that a row
    with this key is held against, where reading all for one form would be slow. problems yields what is wrong
    with a row whose columns are there; a needed one that is empty is told of elsewhere. put keeps a row that
    has no problems: adds it, or changes the one with its key; columns that are missing stay as they are, and
    an empty value empties. finish gets all the rows that were put, for what one row says about another.
    remove takes the row with its key away; bars yields what stands against that.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    read: Callable[[UnitOfWork], Iterable[Row]]
    near: Callable[[UnitOfWork, Row], Iterable[Row]] | None = None
    problems: Callable[[Row, Context], Iterator[Problem]]
    put: Callable[[Row, Context], None]
    finish: Callable[[Sequence[Row], Context], None] | None = None
    remove: Callable[[Row, Context], None] | None = None
    bars: Callable[[Row, Context], Iterator[Problem]] | None = None

    def told(self, name: str, value: str | None) -> str | None:
        """Return what the audit keeps of a value."""
        is_private = any(each.is_private for each in self.columns if each.name == name)
        return KEPT_OUT if value and is_private else value

    def key_of(self, row: Row) -> tuple[str, ...]:
        return tuple(row.get(name, "") for name in self.key)

    def beside(self, row: Row, work: UnitOfWork) -> list[Row]:
        """Return the rows that this one is held against, itself among them if it is there."""
        return list(self.near(work, row) if self.near else self.read(work))

    def find(self, row: Row, work: UnitOfWork) -> Row | None:
        """Return the row with this one's key as it is now."""
        return next((each for each in self.beside(row, work) if self.key_of(each) == self.key_of(row)), None)


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
    first_line: int = 2,
    heading: Sequence[str] | None = None,
    among: Iterable[Row] | None = None,
) -> Imported:
    """Take rows over. With a bad row nothing changes and all that is wrong is told; nor with dry_run.

    site_id is of new rows that name no site. What is after the last heading stands under None. first_line is
    the line of the first row, as a spreadsheet counts. heading: of a file, which needs rows as well; without
    it, what the rows name. among: the rows to hold them against, if not all.
    """
    there = table.read(work) if among is None else among
    present = ({name: clean_text(value) for name, value in row.items()} for row in there)
    known = {table.key_of(row): row for row in present}
    rows = list(rows)
    names = column_names(dict.fromkeys(chain(heading or (), *rows)), table.columns)
    numbered = [(line, _clean(table, row, names)) for line, row in enumerate(rows, start=first_line)]
    numbered = [(line, _filled(table, row, known, site_id)) for line, row in numbered if any(row.values())]
    context = Context(
        work=work,
        site_id=site_id,
        now=now,
        actor=actor,
        given=frozenset(table.key_of(row) for _, row in numbered),
        rows=tuple(row for _, row in numbered),
        known=known,
    )
    wrong = [*_wrong_columns(table, frozenset(names.values()))] if numbered or heading else []
    if heading is not None and not numbered:
        wrong.append(BadRow(first_line, Problem("", "no_rows")))
    is_readable = all(each.problem.code != "missing_column" for each in wrong)
    if bad := (*wrong, *(_bad_rows(table, numbered, context) if is_readable else ())):
        return Imported(bad=bad)
    differences = tuple(_differences(table, numbered, known))
    imported = _counted(differences, len(numbered))
    if not dry_run:
        _put(table, differences, context)
        _note(table, imported, context, actor)
    return imported


def _put(table: Table, differences: Sequence[Difference], context: Context) -> None:
    for each in differences:
        table.put(each.after, context)
    context.work.session.flush()
    if table.finish:
        table.finish([each.after for each in differences], context)
        context.work.session.flush()


def _counted(differences: tuple[Difference, ...], rows: int) -> Imported:
    added = sum(each.before is None for each in differences)
    return Imported(
        added=added,
        changed=len(differences) - added,
        unchanged=rows - len(differences),
        differences=differences,
    )


def _note(table: Table, imported: Imported, context: Context, actor: str) -> None:
    """Write down every change, in lines that can still be read."""
    for start in range(0, len(imported.differences), MOST_TOLD):
        note(
            context.work,
            actor,
            f"{table.name}.import",
            context.site_id,
            now=context.now,
            added=imported.added,
            changed=imported.changed,
            rows=[
                {
                    "key": list(each.key),
                    "changed": {
                        name: [
                            table.told(name, each.before.get(name, "")) if each.before else None,
                            table.told(name, each.after[name]),
                        ]
                        for name in each.changed
                    },
                }
                for each in imported.differences[start : start + MOST_TOLD]
            ],
        )


def clean_text(value: Any) -> str:
    """Return value as one line of text, trimmed, without what cannot be seen."""
    text = "" if value is None else str(value)
    return " ".join("".join(each for each in text if each.isprintable() or each.isspace()).split())


def _clean(table: Table, row: Mapping[str | None, Any], names: Mapping[str | None, str]) -> dict[str, str]:
    """Return the row with names as columns are written, and values in their one spelling."""
    cleaned = {names[name]: clean_text(value) for name, value in row.items()}
    for column in table.columns:
        if cleaned.get(column.name):
            with suppress(ValueError):  # the table's problems tell
                cleaned[column.name] = column.normal(cleaned[column.name])
    return {name: value for name, value in cleaned.items() if name or value}


def _filled(
    table: Table, row: dict[str, str], known: Mapping[tuple[str, ...], Row], site_id: str
) -> dict[str, str]:
    """Return the row with what no value means."""
    for column in table.columns:
        if column.empty and not row.get(column.name) and (column.name in row or column.name in table.key):
            row[column.name] = column.empty
    before = known.get(table.key_of(row))
    for column in table.columns:
        if column.is_site and not row.get(column.name):
            row[column.name] = before.get(column.name, "") if before else site_id
    return row


def _wrong_columns(table: Table, given: frozenset[str]) -> Iterator[BadRow]:
    """Yield what is wrong with the headings. Without a needed one, nothing useful can be said of a row."""
    columns = {each.name: each.is_required for each in table.columns}
    for name in sorted(given - columns.keys() - {""}):
        yield BadRow(1, Problem(name, "unknown_column"))
    for name, is_required in columns.items():
        if is_required and name not in given:
            yield BadRow(1, Problem(name, "missing_column"))


def _bad_rows(table: Table, numbered: list[tuple[int, dict[str, str]]], context: Context) -> Iterator[BadRow]:
    needed = [each.name for each in table.columns if each.is_required]
    lines: dict[tuple[str, ...], int] = {}
    for line, row in numbered:
        key = table.key_of(row)
        if row.get(""):
            yield BadRow(line, Problem("", "too_many_values"))
        if key in lines:
            yield BadRow(line, Problem(table.key[0], "repeated", str(lines[key])))
        lines.setdefault(key, line)
        if _is_as_known(row, context.known.get(key)):
            continue
        empty = [name for name in needed if not row.get(name)]
        yield from (BadRow(line, Problem(name, "empty")) for name in empty)
        wrong = table.problems({**dict.fromkeys(needed, ""), **row}, context)
        # of a row all that is wrong is told, but once of a value
        yield from (BadRow(line, problem) for problem in wrong if problem.column not in empty)


def _is_as_known(row: Row, before: Row | None) -> bool:
    """Tell whether nothing would change: then nothing can be wrong with it either."""
    return before is not None and all(before.get(name, "") == value for name, value in row.items())


def _differences(
    table: Table, numbered: list[tuple[int, dict[str, str]]], known: Mapping[tuple[str, ...], Row]
) -> Iterator[Difference]:
    for line, row in numbered:
        key = table.key_of(row)
        before = known.get(key)
        if not _is_as_known(row, before):
            yield Difference(line, key, before, {**(before or {}), **row})
