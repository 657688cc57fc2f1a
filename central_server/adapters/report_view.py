"""The daily report as text, ready to be laid out: what PDF, CSV and spreadsheet share."""

from dataclasses import dataclass

from central_server.domain.report_words import clock, hours, leave_words, long_date, words
from central_server.domain.reports import DailyReport, ReportRow

STATUS_COLOURS = {  # background, text
    "present": ("#d9f2e3", "#0b6b3a"),
    "late": ("#fdecc8", "#8a5a00"),
    "absent": ("#fbd9d7", "#9d1c13"),
    "incomplete": ("#e4def7", "#4b3a94"),
    "leave": ("#d8eafb", "#14568f"),
    "not_started": ("#e9edf1", "#51606e"),
    "holiday": ("#e9edf1", "#51606e"),
    "off": ("#e9edf1", "#51606e"),
}
BAR_COLOURS = {"present": "#2e9e63", "late": "#e5a323", "incomplete": "#8572cf", "absent": "#d6453b"}
COLUMNS = (
    "number",
    "employee_id",
    "name",
    "department",
    "first_in",
    "last_out",
    "hours",
    "late_min",
    "early_min",
    "status",
)


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the bar; share in percent, at least 1."""

    word: str
    count: int
    share: float
    colour: str


def heading(language: str) -> list[str]:
    said = words(language)
    return [said[name] for name in COLUMNS]


def cells(number: int, row: ReportRow, report: DailyReport, language: str) -> list[str]:
    """Return the row as text, in the order of COLUMNS."""
    return [
        str(number),
        row.employee_id,
        row.name,
        row.department,
        clock(row.first_in_ts, report.timezone),
        clock(row.last_out_ts, report.timezone),
        unbroken_hours(row.work_seconds, language),
        str(row.late_min or "–"),
        str(row.early_leave_min or "–"),
        status_words(row, language),
    ]


UNCERTAIN = "*"  # beside the status of a day that is not certain; a note below tells what it means


def status_words(row: ReportRow, language: str) -> str:
    """Return the status, or the kind of leave where it is known, and the mark of what is not certain."""
    kind = leave_words(row.leave_kind, language) if row.status == "leave" else ""
    said = kind[:1].upper() + kind[1:] or words(language)[row.status]
    return said if row.is_verified else f"{said} {UNCERTAIN}"


def uncertain_note(report: DailyReport, language: str) -> str:
    """Return what the mark means, if it stands anywhere."""
    is_needed = any(not row.is_verified for row in report.rows)
    return f"{UNCERTAIN} {words(language)['uncertain_note']}" if is_needed else ""


def bar(report: DailyReport, language: str) -> list[Part]:
    """Return the parts of the bar of everybody expected, the empty ones left out."""
    counts = {name: getattr(report.totals, name) for name in BAR_COLOURS}
    whole = sum(counts.values())
    if not whole:
        return []
    said = words(language)
    return [
        Part(said[name], count, 100 * count / whole, BAR_COLOURS[name])
        for name, count in counts.items()
        if count
    ]


def tiles(report: DailyReport, language: str) -> list[tuple[str, str, str]]:
    """Return (word, figure, colour) of what the reader looks for first."""
    said, totals = words(language), report.totals
    shown = [(name, str(getattr(totals, name))) for name in ("present", "late", "absent")]
    shown += [(name, str(count)) for name in ("incomplete", "leave") if (count := getattr(totals, name))]
    figures = [(said[name], figure, STATUS_COLOURS[name][1]) for name, figure in shown]
    return [*figures, (said["total_hours"], unbroken_hours(totals.work_seconds, language), "#1d2b3a")]


def unbroken_hours(seconds: int | None, language: str) -> str:
    """Return hours that stay on one line."""
    return hours(seconds, language).replace(" ", "\u00a0")


def made_at(report: DailyReport, language: str) -> str:
    local = report.made_at.astimezone(report.timezone)
    at = f"{local:%H:%M} {local.tzname()}, {long_date(local.date(), language)}"
    return words(language)["made"].format(at=at)
