"""Tables from files as people have them: CSV out of any Excel, or XLSX.

UTF-8 with or without its mark, UTF-16, Windows-1252; commas, semicolons or tabs; and a `'` before what could
be taken for a formula, as `spreadsheet.safe` writes it.
"""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from central_server.adapters.spreadsheet import unsafe
from central_server.adapters.xlsx_bounds import TooMuch, check_workbook
from central_server.ports import Sheet, UnreadableTable

MOST_BYTES = 8 * 1024 * 1024
MOST_ROWS = 50_000
MOST_COLUMNS = 100  # the widest table has an eighth of that
MOST_LINES = MOST_ROWS + 10_000  # with those that are empty, or before the heading
MOST_CELLS = 1_500_000  # with something in them
_DELIMITERS = ",;\t"
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_OLD_EXCEL = b"\xd0\xcf\x11\xe0"


def read_table(content: bytes) -> Sheet:
    """Return the rows under the heading. Raises UnreadableTable, which says in a sentence why not."""
    if len(content) > MOST_BYTES:
        raise UnreadableTable("too_large", str(MOST_BYTES // 1024 // 1024))
    if content.startswith(_OLD_EXCEL):
        raise UnreadableTable("old_excel")
    if content.startswith(b"PK\x03\x04"):
        return _sheet(_xlsx_records(content))
    return _sheet(_csv_records(_text(content)))


def _text(content: bytes) -> str:
    marked = next((name for mark, name in _MARKS if content.startswith(mark)), "")
    for encoding in (marked,) if marked else ("utf-8", "windows-1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not any(each < " " and each not in "\t\r\n" for each in text):
            return text
    raise UnreadableTable("not_text")


def _csv_records(text: str) -> Iterator[list[str]]:
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == 5:
        delimiter, text = first.strip()[-1], rest
    else:
        delimiter = _delimiter(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        yield from reader
    except csv.Error as error:
        raise UnreadableTable("broken_csv", str(reader.line_num)) from error


def _delimiter(text: str) -> str:
    """Return what stands between the headings."""
    heading = next((line for line in text.splitlines() if line.strip()), "")
    return max(_DELIMITERS, key=heading.count)


def _xlsx_records(content: bytes) -> Iterator[list[Any]]:
    from openpyxl import load_workbook  # a third of a second and 20 MB: only who needs it pays

    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            check_workbook(packed)
        book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        for row in book.worksheets[0].iter_rows(values_only=True, max_col=MOST_COLUMNS):
            yield [_plain(each) for each in row]
    except TooMuch as error:
        raise UnreadableTable("too_much") from error
    except Exception as error:  # openpyxl answers a broken file with whatever its parts raise
        raise UnreadableTable("broken_excel") from error


def _plain(value: Any) -> str:
    """Return a cell as it would stand in a CSV file."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float() if value.is_integer():
            return str(int(value))
        case datetime():
            return f"{value:%Y-%m-%d}" if value.time() == time() else f"{value:%Y-%m-%d %H:%M}"
        case date():
            return value.isoformat()
        case time():
            return f"{value:%H:%M}"
    return str(value)


def _unfolded(records: Iterable[Sequence[str]]) -> Iterator[Sequence[str]]:
    """Yield the records, and split lines that stand whole in their first cell.

    An Excel that expects other signs between values keeps such a file like that, and saves it so.
    """
    between, width = "", 0
    for record in records:
        filled = [each for each in record if each]
        if not width and filled:
            between = (
                next((each for each in _DELIMITERS if each in filled[0]), "") if len(filled) == 1 else ","
            )
            width = len(filled[0].split(between)) if len(filled) == 1 and between else len(filled)
        is_whole = (
            between and width > 1 and len(filled) == 1 and record[0].count(between) >= min(2, width - 1)
        )
        yield next(csv.reader([" ".join(record[0].split())], delimiter=between)) if is_whole else record


def _sheet(records: Iterable[Sequence[str]]) -> Sheet:
    heading: list[str] | None = None
    first_line, rows, filled = 2, [], 0
    for line, record in enumerate(_unfolded(records), start=1):
        cells = [unsafe(each.strip()) for each in record]
        filled += sum(map(bool, cells))
        if line > MOST_LINES or filled > MOST_CELLS:
            raise UnreadableTable("too_much")
        if heading is None:
            if any(cells):
                heading, first_line = _heading(cells), line + 1
        elif len(rows) == MOST_ROWS:
            raise UnreadableTable("too_many_rows", f"{MOST_ROWS:,}")
        else:
            rows.append(_row(heading, cells))
    if heading is None:
        raise UnreadableTable("empty_file")
    while rows and not any(rows[-1].values()):
        rows.pop()
    return Sheet(tuple(rows), first_line, tuple(each for each in heading if each))


def _heading(cells: list[str]) -> list[str]:
    names = ["_".join(each.lower().replace("-", " ").split()) for each in cells]
    while names and not names[-1]:
        names.pop()
    if len(names) > MOST_COLUMNS:
        raise UnreadableTable("not_text")
    repeated = next((each for each in names if each and names.count(each) > 1), None)
    if repeated:
        raise UnreadableTable("repeated_heading", repeated[:80])
    return names


def _row(heading: list[str], cells: list[str]) -> dict[str | None, str]:
    """Return the row by its headings; a line that ends early leaves the last columns out."""
    row: dict[str | None, str] = {name: cell for name, cell in zip(heading, cells, strict=False) if name}
    beside = [cell for name, cell in zip(heading, cells, strict=False) if not name] + cells[len(heading) :]
    if any(beside):
        row[None] = " ".join(beside)
    return row
