"""The kiosks, for the administrator's page."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Kiosk
from central_server.db.queries.places import Places

SILENT_AFTER = timedelta(minutes=3)  # its page asks every ten seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class KioskLine:
    kiosk_id: str
    name: str
    site: str
    zone: str
    state: str  # waiting (for its link to be opened) | online | silent | revoked
    made: datetime | None  # local
    made_by: str
    used: datetime | None  # local


def read_kiosks(session: Session, places: Places, *, now: datetime) -> tuple[KioskLine, ...]:
    """Return every kiosk by name, those that were shut out last."""
    rows = session.scalars(select(Kiosk).order_by(Kiosk.revoked_at.is_not(None), Kiosk.name, Kiosk.kiosk_id))
    return tuple(
        KioskLine(
            kiosk_id=row.kiosk_id,
            name=row.name,
            site=places.sites[row.site_id].name if row.site_id in places.sites else row.site_id,
            zone=places.zones[row.zone_id].name if row.zone_id in places.zones else "",
            state=_state(row, now),
            made=places.local(row.created_at, row.site_id),
            made_by=row.created_by,
            used=places.local(row.used_at, row.site_id),
        )
        for row in rows
    )


def _state(row: Kiosk, now: datetime) -> str:
    if row.revoked_at is not None:
        return "revoked"
    if row.used_at is None:
        return "waiting"
    return "online" if now - row.used_at < SILENT_AFTER else "silent"
