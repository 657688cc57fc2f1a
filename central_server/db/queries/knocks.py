"""Boxes that knock: who waits for an administrator's word."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, JoinRequest
from central_server.db.queries.places import Places


@dataclass(frozen=True, slots=True, kw_only=True)
class KnockLine:
    request_id: str
    pairing: str
    name: str
    version: str
    address: str
    since: datetime | None  # local
    was: tuple[str, ...]  # agents that this box has been, with their sites


def open_knocks(session: Session, places: Places, *, now: datetime) -> tuple[KnockLine, ...]:
    """Return the boxes that wait, the newest first."""
    waiting = select(JoinRequest).where(JoinRequest.state == "open", JoinRequest.expires_at > now)
    return tuple(
        KnockLine(
            request_id=row.request_id,
            pairing=row.pairing,
            name=row.name,
            version=row.version,
            address=row.address,
            since=places.local(row.asked_at),
            was=_former(session, places, row.hardware_id),
        )
        for row in session.scalars(waiting.order_by(JoinRequest.asked_at.desc()))
    )


def _former(session: Session, places: Places, hardware_id: str) -> tuple[str, ...]:
    rows = session.scalars(select(Agent).where(Agent.hardware_id == hardware_id).order_by(Agent.name))
    sites = places.sites
    return tuple(
        f"{row.name} ({sites[row.site_id].name if row.site_id in sites else row.site_id})" for row in rows
    )
