"""Build and send the daily reports that are due: exactly once a site and day, late rather than never."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy import Engine, select

from central_server.config import RulesConfig
from central_server.db.models import ReportRun, Site
from central_server.db.stores import people, reports
from central_server.db.unit_of_work import UnitOfWork
from central_server.ports import ReportRenderer
from central_server.services.build_report import READERS, ReportOptions, build_daily_report
from central_server.services.push_attendance import queue_day

MOST_LATE = timedelta(hours=6)  # a report that is later than this is old news


def due_report(site: Site, now: datetime) -> tuple[date, datetime] | None:
    """Return the business date whose report is due, and since when; up to MOST_LATE after its time."""
    zone = ZoneInfo(site.timezone)
    today = now.astimezone(zone).date()
    for day in (today, today - timedelta(days=1)):
        due_at = datetime.combine(day, site.report_at, tzinfo=zone)
        if due_at <= now <= due_at + MOST_LATE:
            return day, due_at
    return None


def send_due_reports(
    engine: Engine,
    home: Path,
    *,
    now: datetime,
    rules: RulesConfig,
    renderers: Mapping[str, ReportRenderer],
    options: ReportOptions,
    hris_connector: str | None = None,
) -> list[ReportRun]:
    """Build what is due and not ready yet, and queue the day for the HRIS; return the runs that were made."""
    with UnitOfWork(engine) as work:
        due = []
        for site in work.session.scalars(select(Site)):
            if (found := due_report(site, now)) and not _is_done(work, site.site_id, *found):
                due.append((site.site_id, found[0]))
    made = []
    for site_id, day in due:
        run = build_daily_report(
            engine,
            site_id,
            day,
            home,
            now=now,
            rules=rules,
            renderers=renderers,
            options=options,
            revise=True,
        )
        made.append(run)
        if hris_connector:
            with UnitOfWork(engine) as work:
                queue_day(work, hris_connector, site_id, day, now=now)
    return made


def _is_done(work: UnitOfWork, site_id: str, day: date, due_at: datetime) -> bool:
    """Tell whether the report was made after its time; an earlier one was a look at the day so far."""
    run = reports.latest(work.session, site_id, day)
    if run is None or run.state != "ready" or run.created_at < due_at:
        return False
    return reports.is_sent(work.session, run.id) or not people.recipients(work.session, site_id, *READERS)
