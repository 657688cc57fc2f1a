"""The daily report as a PDF: laid out in HTML while it is short, drawn row by row when it is long."""

import io
import logging
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from central_server.adapters.report_view import (
    STATUS_COLOURS,
    bar,
    cells,
    heading,
    made_at,
    tiles,
    unbroken_hours,
    uncertain_note,
)
from central_server.domain.report_words import long_date, provisional_note, words
from central_server.domain.reports import DailyReport

MOST_ROWS_IN_HTML = 300  # the time that xhtml2pdf takes grows with the square of the rows
FOLDER = Path(__file__).parents[1] / "templates" / "reports"
WIDTHS = (4.5, 9, 20, 13, 7.5, 7.5, 10, 9.5, 8, 11)  # percent, by column
FIGURES = frozenset({0, 4, 5, 6, 7, 8})  # columns set flush right

_one_at_a_time = Lock()
_environment = Environment(
    loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)


class RenderError(Exception):
    """The report could not be laid out."""


def render_pdf(report: DailyReport, language: str) -> bytes:
    """Return the report as a PDF, A4. Raises RenderError."""
    if len(report.rows) > MOST_ROWS_IN_HTML:
        from central_server.adapters import pdf_long

        return pdf_long.render(report, language, FOLDER / "fonts")
    from xhtml2pdf import pisa  # it takes a third of a second: only who needs it waits
    from xhtml2pdf.config.resources import ResourceAccessPolicy

    logging.getLogger("xhtml2pdf").setLevel(logging.ERROR)
    policy = ResourceAccessPolicy(allow_remote=False, base_dir=FOLDER)
    target = io.BytesIO()
    with _one_at_a_time:
        result = pisa.CreatePDF(
            html_of(report, language),
            dest=target,
            path=str(FOLDER / "daily.html"),
            encoding="utf-8",
            resource_policy=policy,
        )
    if result.err:
        raise RenderError(f"the report has {result.err} errors of layout")
    return target.getvalue()


def render_pdfs(reports: Sequence[DailyReport], language: str) -> bytes:
    """Return several reports, one after the other, as one PDF. Raises RenderError."""
    if len(reports) == 1:
        return render_pdf(reports[0], language)
    from pypdf import PdfWriter  # it comes with xhtml2pdf

    target = io.BytesIO()
    with PdfWriter() as whole:
        for each in reports:
            whole.append(io.BytesIO(render_pdf(each, language)))
        whole.write(target)
    return target.getvalue()


def html_of(report: DailyReport, language: str) -> str:
    """Return the page that is laid out; every name in it is escaped."""
    said = words(language)
    before, between, after = said["page"].replace("{page}", "\0").replace("{pages}", "\0").split("\0")
    return _environment.get_template("daily.html").render(
        report=report,
        said=said,
        provisional_note=provisional_note(report, language),
        day=long_date(report.business_date, language),
        made_at=made_at(report, language),
        tiles=tiles(report, language),
        bar=bar(report, language),
        heading=heading(language),
        widths=WIDTHS,
        figures=FIGURES,
        rows=[
            {"cells": cells(number, row, report, language), "colours": STATUS_COLOURS[row.status]}
            for number, row in enumerate(report.rows, start=1)
        ],
        total_hours=unbroken_hours(report.totals.work_seconds, language),
        uncertain=uncertain_note(report, language),
        page_words=Markup(f"{before}<pdf:pagenumber>{between}<pdf:pagecount>{after}"),
    )
