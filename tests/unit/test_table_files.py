"""Files as people have them become rows, or a sentence says why not."""

import io
import time as time_of
import zipfile
from datetime import date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from central_server.adapters import table_files, xlsx_bounds
from central_server.adapters.spreadsheet import csv_bytes, safe, unsafe, xlsx_bytes
from central_server.adapters.table_files import read_table
from central_server.ports import UnreadableTable
from central_server.services.exchange.values import as_time

ROWS = ({"employee_id": "E1", "name": "Siti Nurhaliza é"}, {"employee_id": "E2", "name": "Budi, S."})


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "windows-1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_whatever_excel_saves_is_read(encoding, delimiter, end):
    """Encodings, what stands between the values, and ends of lines, as Excel writes them."""
    lines = [f"Employee ID{delimiter}Name", f'E1{delimiter}"Siti Nurhaliza é"', f'E2{delimiter}"Budi, S."']
    assert read_table(end.join(lines).encode(encoding)).rows == ROWS


def test_lines_are_counted_as_a_spreadsheet_does():
    """Empty lines count, a value over two lines does not; what is before the heading counts too."""
    sheet = read_table(b'\n;;\nid;name;;\n\n1;"two\nlines";;\n2;x\n\n\n;;;\n')
    assert sheet.first_line == 4
    assert sheet.rows == ({}, {"id": "1", "name": "two\nlines"}, {"id": "2", "name": "x"})


def test_excels_own_hint_is_understood():
    """A first line `sep=;` says what stands between the values, and is not the heading."""
    assert read_table(b"sep=;\r\nid;name\r\n1;a,b\r\n").rows == ({"id": "1", "name": "a,b"},)


def test_a_line_that_ends_early_leaves_the_rest_out():
    """What is not there is not the same as what is empty; what is too much is told."""
    rows = read_table(b"id,name,phone\n1,a\n2,b,\n3,c,1,Jl. Merdeka\n4,d,1,\n").rows
    assert rows[0] == {"id": "1", "name": "a"}
    assert rows[1] == {"id": "2", "name": "b", "phone": ""}
    assert rows[2][None] == "Jl. Merdeka"
    assert None not in rows[3]


def a_workbook(*rows: tuple) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    target = io.BytesIO()
    book.save(target)
    return target.getvalue()


def test_a_workbook_is_read_as_it_looks():
    """Dates, times, whole numbers and truths are what CSV would say; an empty cell is empty."""
    day = datetime(2026, 11, 25)  # noqa: DTZ001 - as a workbook has it
    cells = (day, date(2026, 1, 2), time(8, 30), 81234567890, 2.0, 1.5, True, None, "x")
    names = tuple("abcdefghi")
    (row,) = read_table(a_workbook(names, cells)).rows
    told = ("2026-11-25", "2026-01-02", "08:30", "81234567890", "2", "1.5", "yes", "", "x")
    assert row == dict(zip(names, told, strict=True))


def packed(size: int) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("xl/worksheets/sheet1.xml", b"0" * size)
    return target.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty_file"),
        (b"\n\n;;;\n", "empty_file"),
        (b"\xef\xbb\xbf", "empty_file"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "not_text"),
        (b"%PDF-1.7\n\x00\x01", "not_text"),
        (b"id,name\n1,a\x00b\n", "not_text"),
        (b"\xff\xfe\x00", "not_text"),
        (b"id,n\x81me\n", "not_text"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old_excel"),
        (b"PK\x03\x04 and nothing more", "broken_excel"),
        (packed(100), "broken_excel"),
        (packed(xlsx_bounds.MOST_UNPACKED + 1), "too_much"),
        (b"a" * (table_files.MOST_BYTES + 1), "too_large"),
        (b"id,name,ID\n1,a,2\n", "repeated_heading"),
        (b"id,Phone number,phone_number\n", "repeated_heading"),
        (b'id,name\n1,"a\n2,b\n', "broken_csv"),
        (b'id,name\n1,"a" b\n', "broken_csv"),
        (b"id,name\n1," + b"a" * 200_000, "broken_csv"),
        (b"id\n" + b"1\n" * (table_files.MOST_ROWS + 1), "too_many_rows"),
    ],
)
def test_what_is_no_table_is_said_in_a_sentence(content, code):
    """A picture, an old workbook, a packed bomb, an open quotation mark: why, and never a stack trace."""
    with pytest.raises(UnreadableTable) as told:
        read_table(content)
    assert told.value.code == code
    assert str(told.value)


SPREADSHEET = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
ENTITIES = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'


def forged(part: str, content: str) -> bytes:
    """A workbook with another content in one of its parts."""
    target = io.BytesIO()
    good = zipfile.ZipFile(io.BytesIO(a_workbook(("id",), ("1",))))
    with good, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as bad:
        for name in good.namelist():
            bad.writestr(name, content if name == part else good.read(name))
    return target.getvalue()


def a_sheet(rows: str, before: str = "") -> bytes:
    content = f"{before}<worksheet {SPREADSHEET}><sheetData>{rows}</sheetData></worksheet>"
    return forged("xl/worksheets/sheet1.xml", content)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (a_sheet('<row r="99999999999"><c r="A1"><v>1</v></c></row>'), "broken_excel"),
        (a_sheet('<row r="1000000"><c r="A1"><v>1</v></c></row>'), "too_much"),
        (a_sheet("<row/>" * (xlsx_bounds.MOST_ELEMENTS + 1)), "too_much"),
        (a_sheet("<row/>" * (table_files.MOST_LINES + 1)), "too_much"),
        (forged("xl/styles.xml", f"<a>{'<b/>' * xlsx_bounds.MOST_BESIDE}</a>"), "too_much"),
        (forged("xl/workbook.xml", '<?xml version="1.0" encoding="utf-7"?><a/>'), "broken_excel"),
        (a_sheet('<row><c t="inlineStr"><is><t>&a;</t></is></c></row>', ENTITIES), "broken_excel"),
        (b"\n" * (table_files.MOST_LINES + 1), "too_much"),
        (b",".join(b"h%d" % n for n in range(100_000)), "not_text"),
        (b"id\n" + (b"1" + b",1" * 99 + b"\n") * 20_000, "too_much"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_a_small_file_cannot_keep_the_server_busy(content, code):
    """Rows that are left out or look empty, a million styles, entities, endless headings: told in seconds."""
    started_at = time_of.monotonic()
    with pytest.raises(UnreadableTable) as told:
        read_table(content)
    assert told.value.code == code
    assert time_of.monotonic() - started_at < 30


@given(st.binary(max_size=300))
def test_any_bytes_are_a_table_or_a_sentence(content):
    """Nothing that somebody uploads brings the reader down."""
    try:
        rows = read_table(content).rows
    except UnreadableTable as told:
        assert str(told)
    else:
        assert all(isinstance(value, str) for row in rows for value in row.values())


@given(st.text(max_size=30))
def test_what_was_guarded_is_what_it_was(text):
    """The mark before what could be a formula is taken off again, and only that."""
    assert unsafe(safe(text)) == text


cells = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).map(str.strip)


@given(st.lists(st.lists(cells.filter(bool), min_size=3, max_size=3), max_size=5))
def test_what_is_written_is_read(lines):
    """Every cell comes back, whatever marks and letters are in it."""
    rows = read_table(csv_bytes(("a", "b", "c"), lines)).rows
    assert [list(row.values()) for row in rows] == lines


@pytest.mark.parametrize(
    ("text", "told"), [("08.30", time(8, 30)), ("8:30", time(8, 30)), ("08:30:00", time(8, 30)), ("", None)]
)
def test_times_as_people_write_them(text, told):
    """With a point or a colon, with seconds or without."""
    assert as_time(text) == told


@pytest.mark.parametrize("text", ["8", "25:00", "08:61", "8:3", "08:30 pm", "٠٨:٣٠", "08:30:15"])
def test_what_is_no_time_is_refused(text):
    """Rather than read as another one."""
    with pytest.raises(ValueError, match=r".+"):
        as_time(text)


@pytest.mark.parametrize(
    "content",
    [
        b'"employee_id,name"\n"EMP001,""Budi, S.H."""\n',
        b'employee_id,name\n"EMP001,""Budi, S.H."""\n',
        xlsx_bytes(["employee_id,name"], [['EMP001,"Budi, S.H."']]),
        csv_bytes(["employee_id", "name"], [["EMP001", "Budi, S.H."]], "id"),
    ],
)
def test_lines_that_a_spreadsheet_left_in_one_column_are_split(content):
    """An Excel in Indonesian shows a file with commas like that, and saves it so."""
    assert read_table(content).rows == ({"employee_id": "EMP001", "name": "Budi, S.H."},)


def test_csv_in_indonesian_suits_an_excel_in_indonesian():
    """Semicolons, and commas in numbers; texts stay as they are."""
    assert csv_bytes(["a", "b"], [[7.5, "1.5"]], "id").decode("utf-8-sig") == "a;b\r\n7,5;1.5\r\n"
    assert csv_bytes(["a", "b"], [[7.5, "1.5"]]).decode("utf-8-sig") == "a,b\r\n7.5,1.5\r\n"
