"""What HR's forms do about working time: one row each, by the rules of the tables. All of it is audited."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note
from central_server.services.exchange import assignments, breaks, shifts
from central_server.services.exchange.table import Context, Problem, Row, Table, import_rows


@dataclass(frozen=True, slots=True)
class RowRefused(Exception):
    """Nothing was changed, for these reasons."""

    problems: tuple[Problem, ...]


def save_row(
    work: UnitOfWork,
    table: Table,
    row: Row,
    *,
    before: Row | None = None,
    site_id: str = "",
    now: datetime,
    actor: str,
) -> None:
    """Keep a row in the place of `before`; without one it is new, and may not be there yet.

    Raises RowRefused.
    """
    tried = import_rows(table, [row], work, site_id=site_id, now=now, actor=actor, dry_run=True)
    if tried.bad:
        raise RowRefused(tuple(each.problem for each in tried.bad))
    key = tried.differences[0].key if tried.differences else None  # None: it is there just like this
    is_there = key is None or tried.differences[0].before is not None
    is_moved = key is not None and before is not None and table.key_of(before) != key
    if is_there and (before is None or is_moved):
        raise RowRefused((Problem(table.key[0], "taken", row.get("name") or row.get(table.key[0], "")),))
    if before is not None and is_moved:
        _remove(table, before, Context(work=work, site_id=site_id, now=now))
        note(work, actor, f"{table.name}.remove", site_id, now=now, row=dict(before))
    import_rows(table, [row], work, site_id=site_id, now=now, actor=actor)


def _remove(table: Table, row: Row, context: Context) -> None:
    assert table.remove is not None
    table.remove(row, context)
    context.work.session.flush()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ramadan:
    """Other hours of a site from day to day, and other breaks instead of the usual ones of that name."""

    site_id: str
    valid_from: str
    valid_to: str
    hours: Mapping[str, str]  # a row of the table `shifts`
    kept: tuple[str, ...] = ()  # shifts of the site that go on beside it, like a short Saturday
    pauses: tuple[Mapping[str, str], ...] = ()  # of the table `breaks`: name, starts, ends, weekdays


def set_ramadan(
    work: UnitOfWork, ramadan: Ramadan, *, now: datetime, actor: str
) -> tuple[tuple[str, str], ...]:
    """Make the shift and give it to the site for these dates, with its breaks. All or none.

    When it was planned for other dates before, as the announced ones move, those are taken back with their
    breaks; returns their first and last days. Raises RowRefused.
    """
    dates = {"valid_from": ramadan.valid_from, "valid_to": ramadan.valid_to}
    site_id = ramadan.site_id
    empty = tuple(Problem(column, "empty") for column, value in dates.items() if not value)
    worked = (ramadan.hours["shift_id"], *ramadan.kept)
    steps: tuple[tuple[Table, list[Row]], ...] = (
        (shifts.TABLE, [ramadan.hours]),
        (assignments.TABLE, [{"site_id": site_id, "shift_id": each, **dates} for each in worked]),
        (breaks.TABLE, [{"site_id": site_id, **pause, **dates} for pause in ramadan.pauses]),
    )
    if empty:
        raise RowRefused(empty)
    replaced = _taken_back(work, ramadan, now=now, actor=actor)
    for table, rows in steps:
        done = import_rows(table, rows, work, site_id=site_id, now=now, actor=actor)
        prefix = "pause_" if table is breaks.TABLE else ""
        if done.bad:
            raise RowRefused(
                tuple(replace(each.problem, column=prefix + each.problem.column) for each in done.bad)
            )
    return replaced


def _taken_back(
    work: UnitOfWork, ramadan: Ramadan, *, now: datetime, actor: str
) -> tuple[tuple[str, str], ...]:
    """Remove what was planned as the same Ramadan of the site on other dates, and return those."""
    defaults = [
        row
        for row in assignments.TABLE.read(work)
        if row["site_id"] == ramadan.site_id and not row["employee_id"]
    ]
    spans = {_span(row) for row in defaults if row["shift_id"] == ramadan.hours["shift_id"]}
    spans.discard((ramadan.valid_from, ramadan.valid_to))
    pauses = [row for row in breaks.TABLE.read(work) if row["site_id"] == ramadan.site_id]
    context = Context(work=work, site_id=ramadan.site_id, now=now)
    for table, rows in ((assignments.TABLE, defaults), (breaks.TABLE, pauses)):
        for row in rows:
            if _span(row) in spans:
                _remove(table, row, context)
                note(work, actor, f"{table.name}.remove", ramadan.site_id, now=now, row=dict(row))
    return tuple(sorted(spans))


def _span(row: Row) -> tuple[str, str]:
    return row["valid_from"], row["valid_to"]
