"""Delete what may not be kept any longer: face snapshots, unreadable messages, who has left."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, or_

from central_server.config import RulesConfig
from central_server.db.models import BadMessage, Snapshot
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note
from central_server.services.erase_files import delete_snapshots
from central_server.services.publish_gallery import sweep_photos
from central_server.services.resign_employee import erase_departed
from central_server.services.take_still import sweep_stills

KEEP_BAD_MESSAGES = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Purged:
    snapshots: int
    bad_messages: int
    departed: int


def purge_expired(work: UnitOfWork, rules: RulesConfig, home: Path, *, now: datetime) -> Purged:
    """Delete everything that is past its time; return how much. What cannot be deleted is tried again."""
    oldest = now - timedelta(days=rules.snapshot_days)
    is_old = or_(Snapshot.expires_at <= now, Snapshot.taken_at <= oldest)
    purged = Purged(
        snapshots=delete_snapshots(work, is_old, home),
        bad_messages=_delete_bad_messages(work, now),
        departed=erase_departed(work, home, now=now),
    )
    sweep_photos(work, home)
    sweep_stills(home, now=now)
    if any((purged.snapshots, purged.bad_messages, purged.departed)):
        note(
            work, "system", "purge", now=now, snapshots=purged.snapshots,
            bad_messages=purged.bad_messages, departed=purged.departed,
        )  # fmt: skip
    return purged


def _delete_bad_messages(work: UnitOfWork, now: datetime) -> int:
    done = work.session.execute(delete(BadMessage).where(BadMessage.received_at < now - KEEP_BAD_MESSAGES))
    return done.rowcount
