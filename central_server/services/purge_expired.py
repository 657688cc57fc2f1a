"""Delete what may not be kept any longer: face snapshots, unreadable messages, who has left."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, or_

from central_server.config import RulesConfig
from central_server.db.models import BadMessage, Snapshot
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note
from central_server.services.embed_photos import sweep_jobs
from central_server.services.erase_files import delete_snapshots
from central_server.services.gallery_bodies import sweep_bodies
from central_server.services.publish_gallery import compact_log, sweep_photos
from central_server.services.resign_employee import erase_departed
from central_server.services.retire_models import retire_models
from central_server.services.take_still import sweep_stills

KEEP_BAD_MESSAGES = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Purged:
    snapshots: int
    bad_messages: int
    departed: int
    retired: int  # templates of models that nobody uses


def purge_expired(work: UnitOfWork, rules: RulesConfig, home: Path, *, now: datetime) -> Purged:
    """Delete everything that is past its time; return how much. What cannot be deleted is tried again."""
    oldest = now - timedelta(days=rules.snapshot_days)
    is_old = or_(Snapshot.expires_at <= now, Snapshot.taken_at <= oldest)
    purged = Purged(
        snapshots=delete_snapshots(work, is_old, home),
        bad_messages=_delete_bad_messages(work, now),
        departed=erase_departed(work, home, now=now),
        retired=retire_models(work, now=now),
    )
    sweep_photos(work, home)
    sweep_bodies(work, home, now=now)
    sweep_jobs(work)
    sweep_stills(home, now=now)
    compact_log(work, now)
    if any(asdict(purged).values()):
        note(work, "system", "purge", now=now, **asdict(purged))
    return purged


def _delete_bad_messages(work: UnitOfWork, now: datetime) -> int:
    done = work.session.execute(delete(BadMessage).where(BadMessage.received_at < now - KEEP_BAD_MESSAGES))
    return done.rowcount
