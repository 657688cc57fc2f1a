"""The report's files: what a spreadsheet may not compute, and what a PDF may not break on."""

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pypdf import PdfReader

from central_server.adapters.pdf import html_of, render_pdf
from central_server.adapters.spreadsheet import csv_bytes, render_csv, safe, xlsx_bytes
from central_server.domain.report_words import hours, long_date, provisional_note, summary_text, words
from central_server.domain.reports import DailyReport, Excluded, ReportRow, in_order, totals

DAY = date(2026, 11, 23)
EIGHT = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def a_row(number: int = 1, **more) -> ReportRow:
    values = {
        "name": f"Person {number}",
        "department": "Produksi",
        "status": "present",
        "first_in_ts": EIGHT,
        "last_out_ts": EIGHT,
        "work_seconds": 3600,
        "late_min": 0,
        "early_leave_min": 0,
        "is_provisional": False,
    }
    return ReportRow(employee_id=f"EMP{number:04d}", **values | more)


def a_report(*rows: ReportRow, excluded: tuple[Excluded, ...] = (), **more) -> DailyReport:
    values = {"site_name": "Pabrik Satu", "timezone": ZoneInfo("Asia/Jakarta"), "made_at": EIGHT}
    return DailyReport(
        site_id="plant",
        business_date=DAY,
        rows=in_order(rows),
        excluded=excluded,
        totals=totals(rows, excluded),
        **values | more,
    )


def text_of(pdf: bytes) -> str:
    pages = PdfReader(io.BytesIO(pdf)).pages
    return "\n".join(page.extract_text() for page in pages).replace("\u00a0", " ")


@given(st.text())
def test_no_cell_is_ever_a_formula(text):
    """Whatever a name is, a spreadsheet shows it and computes nothing."""
    assert not safe(text).lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))
    assert safe(text).removeprefix("'") == text.removeprefix("'") or safe(text) == text


def test_csv_is_read_back_as_it_was():
    """Commas, quotes, line ends and letters of any script."""
    row = ['O\'Brien, "Bob"', "Żółć\n2", "=1+1", "@x", "-5", None]
    text = csv_bytes(["a", "b", "c", "d", "e", "f"], [row]).decode("utf-8-sig")
    assert list(csv.reader(io.StringIO(text, newline="")))[1] == [*row[:2], "'=1+1", "'@x", "'-5", ""]


def test_the_spreadsheet_has_numbers_where_there_are_numbers():
    """Hours and minutes can be summed; a formula in a name stays a name."""
    content = xlsx_bytes(["Hours", "Name"], [[1.5, "=HYPERLINK(0)"]])
    sheet = openpyxl.load_workbook(io.BytesIO(content)).active
    head, line = [[cell.value for cell in row] for row in sheet.iter_rows()]
    assert dict(zip(head, line, strict=True))["Hours"] == 1.5
    assert line[1] == "'=HYPERLINK(0)"


@pytest.mark.parametrize("language", ["id", "en"])
@pytest.mark.parametrize("count", [1, 301], ids=["laid out in HTML", "drawn"])
def test_both_ways_of_making_a_pdf_say_the_same(language, count):
    """Title, names of any script, statuses, totals, pages, and who is not counted."""
    rows = [a_row(number) for number in range(1, count)]
    rows.append(a_row(9999, name="Nguyễn <b>Ánh</b> & Żółć", status="late", late_min=25))
    left_out = (Excluded(employee_id="EMP900", name="Dewi <i>Lestari", reason="not_enrolled"),)
    text = text_of(render_pdf(a_report(*rows, excluded=left_out, revision=2), language))
    said = words(language)
    wanted = [
        said["title"], long_date(DAY, language), "Nguyễn <b>Ánh</b> & Żółć", said["late"],
        said["revision"].format(number=2), hours(3600 * count, language), said["not_enrolled"],
        "Dewi <i>Lestari", said["page"].split()[0] + " 1 ", said["people"].format(count=count),
    ]  # fmt: skip
    flat = " ".join(text.split())
    assert [each for each in wanted if each not in flat] == []


def test_a_day_without_anybody_is_a_report_too():
    """A Sunday: nobody was expected."""
    assert words("en")["nobody"] in text_of(render_pdf(a_report(), "en"))
    assert render_csv(a_report(), "en").count(b"\n") == 1


def test_names_are_escaped_on_the_page():
    """A name is never markup: nothing is fetched, nothing is run."""
    assert "<img" not in html_of(a_report(a_row(name="<img src='/etc/passwd'>")), "en")


def test_the_summary_in_words():
    """What goes with the file, in both languages."""
    report = a_report(a_row(1), a_row(2, status="late", is_provisional=True), a_row(3, status="leave"))
    assert summary_text(report, "id") == (
        "Laporan kehadiran harian - Pabrik Satu\n"
        "Senin, 23 November 2026 (SEMENTARA)\n"
        "Hadir: 1, Terlambat: 1, Tidak hadir: 0\n"
        "Cuti: 1\n"
        "Total jam kerja: 3 j 00 m\n"
        "Laporan lengkap terlampir."
    )
    assert "Total working hours: 3 h 00 min" in summary_text(report, "en")
    assert words("en").keys() == words("id").keys()


def test_a_report_that_waits_says_for_which_boxes():
    """In the PDF of either size and beside it in a message; a final one waits for nobody."""
    row = a_row(1, is_provisional=True)
    report = a_report(row, waits_for=("Lobby <1>", "Gate"))
    for language in ("en", "id"):
        for one in (report, replace(report, rows=(row,) * 400)):
            text = " ".join(text_of(render_pdf(one, language)).split())
            assert "Lobby <1>, Gate." in text
            assert "Lobby <1>, Gate." in summary_text(one, language)
    final = a_report(a_row(1), waits_for=("Lobby",))
    assert (provisional_note(final, "en"), "Lobby" in summary_text(final, "en")) == ("", False)


@pytest.mark.parametrize(("made_at", "provisional"), [(EIGHT, True), (EIGHT.replace(day=24), False)])
def test_a_report_about_nobody_is_not_final_on_its_own_day(made_at, provisional):
    """Before anybody is recorded the day is not over; the day after, an empty one is what it was."""
    assert a_report(made_at=made_at).is_provisional is provisional
