"""Build the daily report of a site, and put it into the outbox for everybody who gets it; once a revision."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine
from sqlalchemy.exc import IntegrityError

from central_server.config import RulesConfig
from central_server.db.models import ReportRun, Site
from central_server.db.stores import alerts, people, reports, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import Attendance, Status
from central_server.domain.people import Person, Recipient
from central_server.domain.report_words import spoken, subject, summary_params, summary_text
from central_server.domain.reports import (
    DailyReport,
    ReportRow,
    excluded,
    in_order,
    report_row,
    totals,
    unrecorded_row,
)
from central_server.domain.shifts import Schedule
from central_server.ports import ReportRenderer
from central_server.services.await_agents import awaited
from central_server.services.close_day import compute_day, compute_in_portions, days_of
from central_server.services.read_calendar import unrecorded_days

READERS = ("hr", "manager")
EXPIRY = timedelta(hours=12)
FOLDER = "reports"


class UnknownSite(Exception):
    """There is no such site."""


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the deployment decides about reports."""

    language: str = "id"  # of the files when nobody gets the report
    template: str = "daily_report_v1"  # approved by Meta, in each language that is used


def build_daily_report(
    engine: Engine,
    site_id: str,
    business_date: date,
    home: Path,
    *,
    now: datetime,
    rules: RulesConfig,
    renderers: Mapping[str, ReportRenderer],
    options: ReportOptions | None = None,
    revise: bool = False,
    send: bool = True,
) -> ReportRun:
    """Write the report's files below home/reports, and enqueue it to HR and managers. Raises UnknownSite.

    renderers: by file ending, "pdf" and "csv". A report that was sent stays as it is, and nobody gets it
    twice; with revise, a new revision is made when what it says has changed. One that was only written is
    written anew. The files are rendered outside of any transaction; what failed half-way is taken up again.
    """
    options = options or ReportOptions()
    _bring_up_to_date(engine, site_id, business_date, rules, now=now, revise=revise)
    run, report, readers = _begin(engine, site_id, business_date, rules, now=now, revise=revise)
    if report is None:
        return run
    languages = sorted({spoken(each.language) for each in readers} | {spoken(options.language)})
    try:
        files = _write_files(report, languages, renderers, home / FOLDER / site_id)
    except Exception as error:
        with UnitOfWork(engine) as work:
            reports.fail(work.session, run.id, f"{type(error).__name__}: {error}")
        raise
    with UnitOfWork(engine) as work:
        pdf, csv = files[spoken(options.language)]["pdf"], files[spoken(options.language)]["csv"]
        is_ours = reports.finish(
            work.session, run.id, pdf_path=str(pdf), csv_path=str(csv), totals=_figures(report)
        )
        if is_ours and send:
            for reader in readers:
                _enqueue(work, run, report, reader, files[spoken(reader.language)], options, now)
        return work.session.get_one(ReportRun, run.id, populate_existing=True)


def daily_report(
    work: UnitOfWork,
    site_id: str,
    business_date: date,
    rules: RulesConfig,
    *,
    now: datetime,
    revision: int = 1,
    is_fresh: bool = False,
) -> DailyReport:
    """Return what the report of a day says now; the day is recomputed first, unless it is fresh already.
    Raises UnknownSite.
    """
    site = work.session.get(Site, site_id)
    if site is None:
        raise UnknownSite(f"there is no site {site_id}")
    if is_fresh:
        days = days_of(work, site_id, business_date)
    else:
        days = compute_day(work, site_id, business_date, rules, now=now)
    known = people.of_site(work.session, site_id) | people.by_id(work.session, days.keys())
    schedules = shifts.schedules(work.session, known, day_cutoff=rules.day_cutoff)
    told = {key: day for key, day in days.items() if day.status is not Status.NOT_STARTED}
    rows = [report_row(known[employee_id], day) for employee_id, day in told.items()]
    rows += _without_row(work, known.keys() - told.keys(), known, business_date, rules, now)
    waits_for = _waits_for(work, site_id, business_date, days, schedules, now)
    left_out = excluded((each for each in known.values() if each.employee_id not in days), business_date)
    return DailyReport(
        site_id=site_id,
        site_name=site.name,
        timezone=ZoneInfo(site.timezone),
        business_date=business_date,
        made_at=now,
        rows=in_order(rows),
        excluded=left_out,
        totals=totals(rows, left_out),
        revision=revision,
        waits_for=waits_for,
    )


def _without_row(
    work: UnitOfWork,
    employee_ids: Collection[str],
    known: Mapping[str, Person],
    day: date,
    rules: RulesConfig,
    now: datetime,
) -> Iterator[ReportRow]:
    """Yield the rows of who is not missed yet, and of whom nothing is told although they should be here."""
    for employee_id, said in unrecorded_days(work, employee_ids, day, rules, now=now).items():
        if said.status == Status.NOT_STARTED and known[employee_id].can_be_absent_on(day):
            yield unrecorded_row(known[employee_id], Status.NOT_STARTED)
        elif said.is_due:  # the boxes have not told so far: nobody is called absent
            yield unrecorded_row(known[employee_id], Status.INCOMPLETE)


def _waits_for(
    work: UnitOfWork,
    site_id: str,
    business_date: date,
    days: Mapping[str, Attendance],
    schedules: Mapping[str, Schedule],
    now: datetime,
) -> tuple[str, ...]:
    """Return the names of the boxes without which days that are over cannot be final."""
    ends = (schedules[each].closes_at(business_date) for each, day in days.items() if day.is_provisional)
    until = max((each for each in ends if each <= now), default=None)
    return tuple(each.name for each in awaited(work, site_id, until, now)) if until else ()


def _bring_up_to_date(
    engine: Engine, site_id: str, day: date, rules: RulesConfig, *, now: datetime, revise: bool
) -> None:
    """Recompute a site's day, in short transactions, if a report is to be made of it."""
    with UnitOfWork(engine, writes=False) as work:
        is_wanted = revise or not _is_sent(work, reports.latest(work.session, site_id, day))
    if is_wanted:
        compute_in_portions(engine, site_id, day, rules, now=now)


def _is_sent(work: UnitOfWork, run: ReportRun | None) -> bool:
    return run is not None and run.state == "ready" and reports.is_sent(work.session, run.id)


def _begin(
    engine: Engine, site_id: str, day: date, rules: RulesConfig, *, now: datetime, revise: bool
) -> tuple[ReportRun, DailyReport | None, list[Recipient]]:
    """Return the run to work on, and its report; without a report there is nothing left to do."""
    try:
        with UnitOfWork(engine) as work:
            run = reports.latest(work.session, site_id, day)
            is_sent = _is_sent(work, run)
            if run is not None and is_sent and not revise:
                return run, None, []
            number = 1 if run is None else run.revision + is_sent
            report = daily_report(work, site_id, day, rules, now=now, revision=number, is_fresh=True)
            if run is not None and is_sent and _figures(report) == run.totals:
                return run, None, []
            if run is None or is_sent:
                run = reports.begin(work.session, site_id, day, number, now)
            else:
                reports.begin_again(work.session, run.id, now)
            return run, report, people.recipients(work.session, site_id, *READERS)
    except IntegrityError:  # another process began the same revision a moment ago
        with UnitOfWork(engine) as work:
            return reports.latest(work.session, site_id, day), None, []


def _figures(report: DailyReport) -> dict[str, Any]:
    """Return the totals, and a digest by which two reports that say the same can be told."""
    said = repr((report.rows, report.excluded)).encode()
    return asdict(report.totals) | {
        "is_provisional": report.is_provisional,
        "digest": hashlib.sha256(said).hexdigest(),
    }


def _write_files(
    report: DailyReport, languages: list[str], renderers: Mapping[str, ReportRenderer], folder: Path
) -> dict[str, dict[str, Path]]:
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, dict[str, Path]] = {}
    for language in languages:
        for kind, render in renderers.items():
            stem = f"attendance-{report.site_id}-{report.business_date}-r{report.revision}-{language}"
            path = folder / f"{stem}.{kind}"
            scratch = path.with_suffix(f".{kind}.part")
            scratch.write_bytes(render(report, language))
            scratch.replace(path)
            files.setdefault(language, {})[kind] = path
    return files


def _enqueue(
    work: UnitOfWork,
    run: ReportRun,
    report: DailyReport,
    reader: Recipient,
    files: Mapping[str, Path],
    options: ReportOptions,
    now: datetime,
) -> None:
    pdf = {"path": str(files["pdf"]), "filename": files["pdf"].name, "mime": "application/pdf"}
    csv = {"path": str(files["csv"]), "filename": files["csv"].name, "mime": "text/csv"}
    language = spoken(reader.language)
    text = summary_text(report, language)
    template = {
        "name": options.template,
        "language": language,
        "params": summary_params(report, language),
    }
    payloads = {
        "whatsapp": (reader.phone, {"text": text, "template": template, "document": pdf}),
        "email": (
            reader.email,
            {"subject": subject(report, language), "text": text, "attachments": [pdf, csv]},
        ),
    }
    for channel, (address, payload) in payloads.items():
        if address:
            message = {
                "dedupe_key": f"report:{run.id}:{channel}:{address}"[:200],
                "kind": "report",
                "channel": channel,
                "report_run_id": run.id,
                "recipient": address,
                "recipient_name": reader.name,
                "payload": payload,
            }
            alerts.enqueue(work.session, message, now=now, expires_at=now + EXPIRY)
