"""A long report, drawn directly with ReportLab: 2,000 rows take about a second."""

import io
from functools import partial
from pathlib import Path
from xml.sax.saxutils import escape

from reportlab.lib.colors import HexColor, white
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, LongTable, Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

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

REGULAR, BOLD = "HadirSansLong", "HadirSansLong-Bold"
INK, GREY, LINE, HEAD = HexColor("#1d2b3a"), HexColor("#51606e"), HexColor("#dfe5ea"), HexColor("#1f3a54")
WIDTH = 178 * mm
WIDTHS = [share * WIDTH / 100 for share in (5, 9, 20, 12.5, 7.5, 7.5, 10, 9.5, 8, 11)]
FIGURES = frozenset({0, 4, 5, 6, 7, 8})
MARGIN = 16 * mm

_BODY = ParagraphStyle("body", fontName=REGULAR, fontSize=8, leading=9.6, textColor=INK)
_HEAD = ParagraphStyle("head", _BODY, fontName=BOLD, fontSize=7.5, leading=9, textColor=white)
_STYLES = {
    "site": ParagraphStyle("site", _BODY, fontSize=9, leading=12, textColor=GREY),
    "title": ParagraphStyle("title", _BODY, fontName=BOLD, fontSize=17, leading=21),
    "day": ParagraphStyle("day", _BODY, fontSize=11, leading=14),
    "note": ParagraphStyle("note", _BODY, fontSize=7.5, textColor=GREY),
}


def render(report: DailyReport, language: str, fonts: Path) -> bytes:
    """Return the report as a PDF, A4."""
    pdfmetrics.registerFont(TTFont(REGULAR, str(fonts / "DejaVuSansCondensed.ttf")))
    pdfmetrics.registerFont(TTFont(BOLD, str(fonts / "DejaVuSansCondensed-Bold.ttf")))
    target = io.BytesIO()
    document = SimpleDocTemplate(
        target,
        pagesize=A4,
        leftMargin=MARGIN - 6,
        rightMargin=MARGIN - 6,
        topMargin=14 * mm,
        bottomMargin=18 * mm,
        title=f"{words(language)['title']} {report.site_name} {report.business_date}",
    )
    story = [*_top(report, language), _rows(report, language), *_notes(report, language)]
    footer = f"Hadir · {report.site_name} · {report.business_date}"
    document.build(story, canvasmaker=partial(_Numbered, footer, words(language)["page"]))
    return target.getvalue()


def _top(report: DailyReport, language: str) -> list[Flowable]:
    said = words(language)
    day = long_date(report.business_date, language)
    marks = [said["provisional"]] if report.is_provisional else []
    marks += [said["revision"].format(number=report.revision)] if report.revision > 1 else []
    tile = ParagraphStyle("tile", _STYLES["note"], leading=15)
    figures = [
        Paragraph(
            f'<font name="{BOLD}" size="14" color="{colour}">{escape(figure)}</font><br/>{escape(word)}', tile
        )
        for word, figure, colour in tiles(report, language)
    ]
    return [
        Paragraph(escape(report.site_name), _STYLES["site"]),
        Paragraph(said["title"], _STYLES["title"]),
        Paragraph(escape(" · ".join([day, *marks])), _STYLES["day"]),
        Paragraph(made_at(report, language), _STYLES["note"]),
        Spacer(1, 3 * mm),
        Table(
            [figures],
            colWidths=[*[WIDTH * 0.76 / (len(figures) - 1)] * (len(figures) - 1), WIDTH * 0.24],
            style=[
                ("BOX", (0, 0), (-1, -1), 0.6, LINE),
                ("INNERGRID", (0, 0), (-1, -1), 0.6, LINE),
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ],
        ),
        Spacer(1, 2.5 * mm),
        *_bar(report, language),
    ]


def _bar(report: DailyReport, language: str) -> list[Flowable]:
    parts = bar(report, language)
    if not parts:
        return []
    colours = [("BACKGROUND", (at, 0), (at, 0), HexColor(part.colour)) for at, part in enumerate(parts)]
    widths = [WIDTH * part.share / 100 for part in parts]
    return [
        Table([[""] * len(parts)], colWidths=widths, rowHeights=[3 * mm], style=colours),
        Spacer(1, 3 * mm),
    ]


def _rows(report: DailyReport, language: str) -> Flowable:
    right = ParagraphStyle("right", _BODY, alignment=TA_RIGHT)
    head_right = ParagraphStyle("head-right", _HEAD, alignment=TA_RIGHT)
    table = [
        [
            Paragraph(escape(word), head_right if at in FIGURES else _HEAD)
            for at, word in enumerate(heading(language))
        ]
    ]
    style = [
        ("BACKGROUND", (0, 0), (-1, 0), HEAD),
        ("LINEBELOW", (0, 1), (-1, -1), 0.4, LINE),
        ("VALIGN", (0, 0), (-1, -1), "MIDDLE"),
        ("LEFTPADDING", (0, 0), (-1, -1), 3),
        ("RIGHTPADDING", (0, 0), (-1, -1), 3),
        ("TOPPADDING", (0, 0), (-1, -1), 2),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 3),
        ("BACKGROUND", (0, -1), (-1, -1), HexColor("#eef2f5")),
        ("SPAN", (0, -1), (4, -1)),
        ("SPAN", (5, -1), (6, -1)),
    ]
    inks = {
        name: ParagraphStyle(name, _BODY, fontName=BOLD, textColor=HexColor(ink), alignment=1)
        for name, (_, ink) in STATUS_COLOURS.items()
    }
    for number, row in enumerate(report.rows, start=1):
        texts = cells(number, row, report, language)
        line = [
            Paragraph(escape(text), right if at in FIGURES else _BODY) for at, text in enumerate(texts[:-1])
        ]
        table.append([*line, Paragraph(escape(texts[-1]), inks[row.status])])
        style.append(("BACKGROUND", (9, number), (9, number), HexColor(STATUS_COLOURS[row.status][0])))
    said = words(language)
    total = f"<b>{said['total']}: {said['people'].format(count=len(report.rows))}</b>"
    total_hours = Paragraph(f"<b>{unbroken_hours(report.totals.work_seconds, language)}</b>", right)
    bold = ParagraphStyle("total", _BODY, fontName=BOLD)
    table.append([Paragraph(total, bold), "", "", "", "", total_hours, "", "", "", ""])
    return LongTable(table, colWidths=WIDTHS, repeatRows=1, style=TableStyle(style))


def _notes(report: DailyReport, language: str) -> list[Flowable]:
    said, note = words(language), _STYLES["note"]
    lines: list[Flowable] = [Spacer(1, 3 * mm)]
    if report.is_provisional:
        why = f"{said['provisional']}: {provisional_note(report, language)}"
        lines.append(Paragraph(escape(why), note))
    if uncertain := uncertain_note(report, language):
        lines.append(Paragraph(escape(uncertain), note))
    if report.excluded:
        names = "; ".join(f"{each.employee_id} {each.name} – {said[each.reason]}" for each in report.excluded)
        lines.append(Paragraph(f"{said['excluded']} ({said['excluded_note']})", note))
        lines.append(Paragraph(escape(names), note))
    return lines


class _Numbered(Canvas):
    """A canvas that writes 'page x of y' when it knows y."""

    def __init__(self, footer: str, page_words: str, *arguments: object, **more: object) -> None:
        super().__init__(*arguments, **more)
        self._footer, self._page_words, self._pages = footer, page_words, []

    def showPage(self) -> None:
        self._pages.append(dict(self.__dict__))
        self._startPage()

    def save(self) -> None:
        for number, page in enumerate(self._pages, start=1):
            self.__dict__.update(page)
            self.setFont(REGULAR, 7.5)
            self.setFillColor(GREY)
            self.drawString(MARGIN, 10 * mm, self._footer)
            said = self._page_words.format(page=number, pages=len(self._pages))
            self.drawRightString(MARGIN + WIDTH, 10 * mm, said)
            super().showPage()
        super().save()
