"""Tables as CSV and XLSX, safe to open: no cell is ever taken for a formula."""

import codecs
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from central_server.adapters.report_view import cells
from central_server.domain.report_words import leave_words, words
from central_server.domain.reports import DailyReport, ReportRow

DECIMAL_COMMA = frozenset({"id"})  # languages
PIECE = 64_000  # characters of a long table that are held at once
_FORMULA = re.compile(r"'* *[=+\-@\t\r]")  # what a spreadsheet would compute, or looks guarded already
_SUSPECT = frozenset("'= +-@\t\r")  # how such a text can begin: asked first, of millions of cells
_NUMBER = re.compile(r"-?[0-9]{1,9}([.,][0-9]{1,4})?")
_FIRST_NUMBER = 7  # of the report's columns: before it a code like 007 is text
_COLUMNS = (
    *("date", "employee_id", "name", "department", "status", "first_in", "last_out"),
    *("hours", "late_min", "early_min", "is_provisional"),
    *("in_area", "span", "breaks", "overtime_min", "overtime_paid_min", "leave_kind", "is_verified"),
)


def safe(value: Any) -> str:
    """Return value as text that a spreadsheet shows and never computes."""
    text = "" if value is None else str(value)
    return f"'{text}" if text[:1] in _SUSPECT and _FORMULA.match(text) else text


def unsafe(text: str) -> str:
    """Return what `safe` was given: a table that comes back is the one that went out."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text, 1) else text


def csv_bytes(head: Sequence[str], rows: Iterable[Sequence[Any]], language: str = "en") -> bytes:
    """Return a CSV file in UTF-8 with the mark by which Excel knows it.

    An Excel in Indonesian (`id`) expects semicolons, and commas in numbers.
    """
    return b"".join(csv_pieces(head, rows, language))


def csv_pieces(head: Sequence[str], rows: Iterable[Sequence[Any]], language: str = "en") -> Iterator[bytes]:
    """Yield the same piece by piece, for tables too long to hold at once."""
    text = io.StringIO(newline="")
    has_commas = language in DECIMAL_COMMA
    writer = csv.writer(text, delimiter=";" if has_commas else ",")
    yield codecs.BOM_UTF8
    for row in chain([head], rows):
        writer.writerow(
            str(cell).replace(".", ",") if has_commas and isinstance(cell, float) else safe(cell)
            for cell in row
        )
        if text.tell() > PIECE:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def xlsx_bytes(head: Sequence[str], rows: Iterable[Sequence[Any]], title: str = "Hadir") -> bytes:
    """Return an XLSX file with one sheet; every cell is text or a number."""
    from openpyxl import Workbook  # a third of a second and 20 MB: only who needs it pays

    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:31])
    for row in chain([head], rows):
        sheet.append([each if isinstance(each, int | float) else safe(each) for each in row])
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def render_csv(report: DailyReport, language: str) -> bytes:
    """Return the daily report as CSV; times are local, hours are decimal, in the language's way."""
    rows = (report_line(row, report, language) for row in report.rows)
    return csv_bytes(report_head(language), rows, language)


def workbook_of(report_csv: bytes) -> bytes:
    """Return a stored CSV report as XLSX: what was sent, with hours and minutes as numbers again."""
    text = report_csv.decode("utf-8-sig")
    delimiter = ";" if text.partition("\n")[0].count(";") else ","
    head, *rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    return xlsx_bytes(head, ([*map(_number_or_text, range(len(row)), row)] for row in rows))


def _number_or_text(column: int, text: str) -> float | int | str:
    text = unsafe(text)
    if column < _FIRST_NUMBER or not _NUMBER.fullmatch(text):
        return text
    return float(text.replace(",", ".")) if "," in text or "." in text else int(text)


def report_head(language: str) -> list[str]:
    return [words(language)[name] for name in _COLUMNS]


def report_line(row: ReportRow, report: DailyReport, language: str) -> list[Any]:
    said = words(language)
    shown = cells(0, row, report, language)
    return [
        report.business_date.isoformat(),
        row.employee_id,
        row.name,
        row.department,
        said[row.status],
        shown[4] if row.first_in_ts else "",
        shown[5] if row.last_out_ts else "",
        "" if row.work_seconds is None else round(row.work_seconds / 3600, 2),
        row.late_min,
        row.early_leave_min,
        said["yes" if row.is_provisional else "no"],
        round(row.seconds / 3600, 2),
        round(row.span_seconds / 3600, 2),
        round(row.break_seconds / 3600, 2),
        row.overtime_min,
        row.overtime_paid_min,
        (leave_words(row.leave_kind, language) or said["leave"]) if row.leave_kind else "",
        said["yes" if row.is_verified else "no"],
    ]
