"""A face crop that goes with an event is kept for as long as the site allows, at most 30 days."""

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from central_server.db.models import Agent, Camera, Event, Snapshot, Zone
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.enrol_person import write_private

MOST_BYTES = 500_000
MOST_DAYS = 30
SNAPSHOTS = "snapshots"  # the folder below the server's home


class SnapshotRefused(Exception):
    """The crop is not kept; says why."""


def store_snapshot(
    work: UnitOfWork, home: Path, agent: Agent, event_id: str, jpeg: bytes, *, days: int, now: datetime
) -> Snapshot:
    """Keep the crop of an event of this agent; the same again changes nothing. Raises SnapshotRefused."""
    if days <= 0:
        raise SnapshotRefused("This server keeps no face crops.")
    if len(jpeg) > MOST_BYTES or not jpeg.startswith(b"\xff\xd8\xff"):
        raise SnapshotRefused(f"A face crop is a JPEG of at most {MOST_BYTES // 1000} kB.")
    event = work.session.scalar(
        select(Event).where(Event.event_id == event_id, Event.agent_id == agent.agent_id)
    )
    if event is None:
        raise SnapshotRefused("There is no such event of this agent.")
    if _is_public(work, event):
        raise SnapshotRefused("No face crop is kept from a public zone.")
    if (kept := work.session.get(Snapshot, event_id)) is not None:
        return kept
    expires_at = event.ts + timedelta(days=min(days, MOST_DAYS))
    if expires_at <= now:
        raise SnapshotRefused("This face crop is too old to be kept.")
    path = f"{SNAPSHOTS}/{event.ts:%Y-%m-%d}/{event_id}.jpg"
    snapshot = Snapshot(
        snapshot_id=event_id,
        agent_id=agent.agent_id,
        employee_id=event.employee_id,
        path=path,
        taken_at=event.ts,
        expires_at=expires_at,
    )
    work.session.add(snapshot)
    work.session.flush()
    write_private(home / path, jpeg)
    return snapshot


def _is_public(work: UnitOfWork, event: Event) -> bool:
    """Tell whether the event is of a public zone, or of a part of the picture of a camera in one."""
    camera = work.session.get(Camera, event.camera_id)
    zones = (work.session.get(Zone, each) for each in (event.zone_id, camera and camera.zone_id) if each)
    return any(zone is not None and zone.is_public for zone in zones)
