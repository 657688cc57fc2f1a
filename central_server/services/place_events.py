"""Where an event happened: in its camera's zone, or in a part of the picture that is a zone of its own.

In a public zone nobody may be identified. What an agent says of a name there is not kept, and it is written
down that it did.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from central_server.db.models import AuditLog, Camera, Zone
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import audit
from common.events import EventKind, RecognitionEvent

HIDDEN = "public"  # in a row's extra: the event told of a name, which was not kept
ACTION = "zone.identified_in_public"
_NAMELESS: Mapping[str, Any] = {"employee_id": None, "sim_score": None, "margin": None, "snapshot": None}


class Places:
    """The zones there are, by site and by id or name."""

    def __init__(self, work: UnitOfWork) -> None:
        zones = work.session.execute(select(Zone.zone_id, Zone.site_id, Zone.name, Zone.is_public)).all()
        self.named = {(zone.site_id, zone.name): zone.zone_id for zone in zones}
        self.named |= {(zone.site_id, zone.zone_id): zone.zone_id for zone in zones}
        self.public = {zone.zone_id for zone in zones if zone.is_public}

    def zone_of(self, event: RecognitionEvent, camera: Camera | None) -> str | None:
        """Return the zone in which an event of a camera happened."""
        if camera is None:
            return None
        part = event.extra.get("zone")
        named = self.named.get((camera.site_id, part)) if isinstance(part, str) else None
        return named or camera.zone_id

    def is_nameless(self, camera: Camera | None, zone_id: str | None) -> bool:
        """Tell whether nobody may be identified there: a public zone, or a part of its camera's picture."""
        return zone_id in self.public or (camera is not None and camera.zone_id in self.public)


def without_name(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of an event without whom it tells of."""
    kind = row["kind"] if row["kind"] == EventKind.GAP.value else EventKind.UNKNOWN.value
    is_told = row["employee_id"] is not None
    return {
        **row,
        **_NAMELESS,
        "kind": kind,
        "extra": {**row["extra"], **({HIDDEN: True} if is_told else {})},
    }


def note_hidden(work: UnitOfWork, rows: Iterable[Mapping[str, Any]], now: datetime) -> None:
    """Write down, once a day and camera, that an agent still identifies people in a public zone."""
    told = Counter((row["agent_id"], row["camera_id"]) for row in rows if row["extra"].get(HIDDEN))
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    for (agent_id, camera_id), events in told.items():
        known = select(AuditLog.id).where(
            AuditLog.at >= today, AuditLog.action == ACTION, AuditLog.subject == camera_id
        )
        if work.session.scalar(known.limit(1)) is None:
            audit.note(work, f"agent:{agent_id}", ACTION, camera_id, now=now, events=events)
