"""The daily reports that were made, who got them, and who gets the next one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Notification, ReportRecipient, ReportRun, Site
from central_server.db.queries.places import Places


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    name: str
    channel: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportLine:
    run_id: int
    business_date: date
    site: str
    revision: int
    state: str
    error: str
    totals: Mapping[str, Any]
    has_pdf: bool
    has_csv: bool
    made: datetime | None  # local
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipientLine:
    recipient_id: int
    name: str
    role: str
    phone: str
    email: str
    site: str
    language: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteLine:
    site_id: str
    name: str
    report_at: str  # local time, 17:30
    zone: str  # IANA time zone


def read_reports(session: Session, places: Places, limit: int = 40) -> tuple[ReportLine, ...]:
    runs = session.scalars(
        select(ReportRun).order_by(ReportRun.business_date.desc(), ReportRun.id.desc()).limit(limit)
    ).all()
    sent: dict[int, list[Delivery]] = {}
    query = select(Notification).where(Notification.report_run_id.in_([each.id for each in runs]))
    for each in session.scalars(query.order_by(Notification.created_at)):
        if each.report_run_id is not None:
            name = each.recipient_name or each.recipient
            sent.setdefault(each.report_run_id, []).append(
                Delivery(name=name, channel=each.channel, state=each.state)
            )
    return tuple(
        ReportLine(
            run_id=run.id,
            business_date=run.business_date,
            site=places.sites[run.site_id].name if run.site_id in places.sites else run.site_id,
            revision=run.revision,
            state=run.state,
            error=run.error,
            totals=run.totals or {},
            has_pdf=bool(run.pdf_path),
            has_csv=bool(run.csv_path),
            made=places.local(run.created_at, run.site_id),
            deliveries=tuple(sent.get(run.id, ())),
        )
        for run in runs
    )


def recipients(session: Session, places: Places) -> tuple[RecipientLine, ...]:
    query = select(ReportRecipient).order_by(ReportRecipient.site_id, ReportRecipient.name)
    return tuple(
        RecipientLine(
            recipient_id=each.id,
            name=each.name,
            role=each.role,
            phone=each.phone,
            email=each.email,
            site=places.sites[each.site_id].name if each.site_id in places.sites else each.site_id,
            language=each.language,
        )
        for each in session.scalars(query)
    )


def report_sites(session: Session) -> tuple[SiteLine, ...]:
    query = select(Site).order_by(Site.name)
    return tuple(
        SiteLine(
            site_id=each.site_id, name=each.name, report_at=f"{each.report_at:%H:%M}", zone=each.timezone
        )
        for each in session.scalars(query)
    )
