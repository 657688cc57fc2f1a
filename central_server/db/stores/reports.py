"""Runs of the daily report: one row a site, day and revision."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from central_server.db.models import Notification, ReportRun

DAILY = "daily"


def latest(session: Session, site_id: str, day: date) -> ReportRun | None:
    """Return the run with the highest revision, whatever its state."""
    wanted = select(ReportRun).where(
        ReportRun.kind == DAILY, ReportRun.site_id == site_id, ReportRun.business_date == day
    )
    return session.scalar(wanted.order_by(ReportRun.revision.desc()).limit(1))


def begin(session: Session, site_id: str, day: date, revision: int, now: datetime) -> ReportRun:
    """Make the row of a new run. The database refuses a second one of the same revision."""
    run = ReportRun(
        kind=DAILY,
        site_id=site_id,
        business_date=day,
        revision=revision,
        state="due",
        totals={},
        created_at=now,
    )
    session.add(run)
    session.flush()
    return run


def begin_again(session: Session, run_id: int, now: datetime) -> None:
    """Take the run up once more: it failed half-way, or nobody has been sent it yet."""
    session.execute(update(ReportRun).where(ReportRun.id == run_id).values(state="due", created_at=now))


def is_sent(session: Session, run_id: int) -> bool:
    """Tell whether anybody has been, or is being, sent the run."""
    sent = select(Notification.notification_id).where(Notification.report_run_id == run_id).limit(1)
    return session.scalar(sent) is not None


def finish(session: Session, run_id: int, *, pdf_path: str, csv_path: str, totals: dict[str, Any]) -> bool:
    """Mark the run ready; False when somebody else did so first."""
    ours = (
        update(ReportRun)
        .where(ReportRun.id == run_id, ReportRun.state != "ready")
        .values(state="ready", pdf_path=pdf_path, csv_path=csv_path, totals=totals, error="")
    )
    return session.scalar(ours.returning(ReportRun.id)) is not None


def fail(session: Session, run_id: int, words: str) -> None:
    session.execute(
        update(ReportRun)
        .where(ReportRun.id == run_id, ReportRun.state != "ready")
        .values(state="failed", error=words[:400])
    )
