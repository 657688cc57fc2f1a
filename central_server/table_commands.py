"""`hadir server import` and `export`: any table, from and to spreadsheets."""

import argparse
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from central_server import commands
from central_server.adapters.spreadsheet import csv_pieces, xlsx_bytes
from central_server.adapters.table_files import read_table
from central_server.commands import CommandError, Misused, day_of
from central_server.config import ServerConfig
from central_server.db.models import Site
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import Sheet, UnreadableTable
from central_server.services.exchange.every import TABLES
from central_server.services.exchange.export_rows import example, export_rows, heading
from central_server.services.exchange.table import MOST_TOLD, Difference, Imported, import_rows
from central_server.services.export_attendance import HEADING, Span, attendance_rows, note_export

ATTENDANCE = "attendance"  # is exported only: it follows from what was seen


def add_commands(add: Callable[..., argparse.ArgumentParser]) -> None:
    kinds = tuple(TABLES)
    take = add("import", help="add or change rows of a table from a CSV or XLSX file: all rows, or none")
    take.add_argument("kind", choices=kinds, metavar="KIND", help=", ".join(kinds))
    take.add_argument("file", metavar="FILE")
    take.add_argument("--site", default="", help="of new rows that name no site, where there are several")
    take.add_argument("--dry-run", action="store_true", help="only say what would happen")
    take.set_defaults(command=import_table)

    give = add("export", help="write a table as a file that can be imported again")
    given = ", ".join((*kinds, ATTENDANCE))
    give.add_argument("kind", choices=(*kinds, ATTENDANCE), metavar="KIND", help=given)
    give.add_argument("--out", metavar="FILE", help="a .csv or .xlsx file (default: CSV on standard output)")
    give.add_argument("--site", default="", help="only this site's rows, and those of every site")
    give.add_argument("--template", action="store_true", help="only the headings and one line as an example")
    for option, dest in (("--from", "first"), ("--to", "last")):
        give.add_argument(
            option, dest=dest, type=day_of, metavar="DAY", help=f"with {ATTENDANCE} only: YYYY-MM-DD"
        )
    give.set_defaults(command=export_table)


def import_table(config: ServerConfig, given: argparse.Namespace) -> int:
    sheet = _sheet(given.file)
    with commands._work(config) as work:
        done = import_rows(
            TABLES[given.kind],
            sheet.rows,
            work,
            site_id=_site(work, given.site),
            now=commands._now(),
            actor=commands._actor(),
            dry_run=given.dry_run,
            first_line=sheet.first_line,
            heading=sheet.heading,
        )
    if done.bad:
        for bad in done.bad[:MOST_TOLD]:
            print(f"line {bad.line}: {bad.problem.words}", file=sys.stderr)
        problems = _counted(len(done.bad), "problem")
        lines = _counted(len({each.line for each in done.bad}), "line")
        raise CommandError(f"{problems} on {lines}; nothing was changed.")
    if given.dry_run:
        _tell(done)
    words = "would be" if given.dry_run else "were"
    print(f"{done.added} {words} added, {done.changed} {words} changed, {done.unchanged} are as they were.")
    return 0


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _sheet(file: str) -> Sheet:
    try:
        return read_table(Path(file).read_bytes())
    except OSError as error:
        raise CommandError(f"Cannot read {file}: {error.strerror}.") from error
    except UnreadableTable as error:
        raise CommandError(f"Cannot read {file}: {error}.") from error


def _site(work: UnitOfWork, wanted: str) -> str:
    """Return the site of rows that name none: the one that was given, or the only one."""
    if wanted:
        return commands._require_site(work, wanted).site_id
    known = work.session.scalars(select(Site.site_id).limit(2)).all()
    return known[0] if len(known) == 1 else ""


def _tell(done: Imported) -> None:
    for each in done.differences[:MOST_TOLD]:
        print(f"line {each.line}: {_words(each)}")
    if len(done.differences) > MOST_TOLD:
        print(f"… and {len(done.differences) - MOST_TOLD} more")


def _words(each: Difference) -> str:
    name = " ".join(part for part in each.key if part)
    if each.before is None:
        told = ", ".join(f"{column} {value}" for column, value in each.after.items() if value)
        return f"+ {name}: {told}"
    told = ", ".join(
        f"{column} {each.before.get(column) or '(nothing)'} -> {each.after[column] or '(nothing)'}"
        for column in each.changed
    )
    return f"~ {name}: {told}"


def export_table(config: ServerConfig, given: argparse.Namespace) -> int:
    is_of_days = bool(given.first or given.last)
    if given.kind == ATTENDANCE:
        return _export_attendance(config, given)
    if is_of_days:
        raise Misused(
            f"--from and --to go with {ATTENDANCE} only; {given.kind} are exported as they are now."
        )
    table = TABLES[given.kind]
    if given.template:
        rows = [example(table)]
    else:
        with commands._work(config) as work:
            if given.site:
                commands._require_site(work, given.site)
            now, actor = commands._now(), commands._actor()
            rows = export_rows(table, work, site_id=given.site, now=now, actor=actor)
    _write(given.out, heading(table), rows)
    return 0


def _export_attendance(config: ServerConfig, given: argparse.Namespace) -> int:
    if not given.first or not given.last:
        raise Misused(f"{ATTENDANCE} needs --from and --to, e.g. --from 2026-11-01 --to 2026-11-30.")
    if given.last < given.first:
        raise Misused("--to is before --from.")
    if given.template:
        raise Misused(f"{ATTENDANCE} cannot be imported, so there is no empty table of it.")
    span = Span(first=given.first, last=given.last, site_id=given.site)
    with commands._work(config) as work:
        if given.site:
            commands._require_site(work, given.site)
        note_export(work, span, now=commands._now(), actor=commands._actor())
    with commands._work(config, writes=False) as work:
        _write(given.out, HEADING, attendance_rows(work, span))
    return 0


def _write(out: str | None, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table to a file whose name says what kind it is, or as CSV to standard output."""
    counted = _Counted(rows)
    if not out:
        for piece in csv_pieces(head, counted):
            sys.stdout.buffer.write(piece)
        return
    is_workbook = out.lower().endswith(".xlsx")
    try:
        with Path(out).open("wb") as file:
            file.writelines([xlsx_bytes(head, counted)] if is_workbook else csv_pieces(head, counted))
    except OSError as error:
        raise CommandError(f"Cannot write {out}: {error.strerror}.") from error
    print(f"Rows written to {out}: {counted.count}.")


class _Counted:
    """Rows that are counted as they go by."""

    def __init__(self, rows: Iterable[Sequence[Any]]) -> None:
        self._rows, self.count = rows, 0

    def __iter__(self) -> Iterator[Sequence[Any]]:
        for row in self._rows:
            self.count += 1
            yield row
