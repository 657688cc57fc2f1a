"""Delete files that hold faces, and the rows that know them."""

import logging
from pathlib import Path

from sqlalchemy import ColumnElement, delete, select

from central_server.db.models import Snapshot
from central_server.db.unit_of_work import UnitOfWork

log = logging.getLogger(__name__)


def delete_snapshots(work: UnitOfWork, which: ColumnElement[bool], home: Path) -> int:
    """Delete the files of those snapshots, then the rows; a file that will not go keeps its row."""
    gone = []
    for snapshot_id, path in work.session.execute(select(Snapshot.snapshot_id, Snapshot.path).where(which)):
        if delete_file(home, path):
            gone.append(snapshot_id)
    for start in range(0, len(gone), 500):
        work.session.execute(delete(Snapshot).where(Snapshot.snapshot_id.in_(gone[start : start + 500])))
    return len(gone)


def delete_file(home: Path, path: str) -> bool:
    """Delete a file below the server's data folder; True when it is not there afterwards."""
    whole = (home / path).resolve()
    if not whole.is_relative_to(home.resolve()):
        log.error("A stored path leads out of the data folder and was left alone: %s", path)
        return False
    try:
        whole.unlink(missing_ok=True)
    except OSError as error:
        log.error("Cannot delete %s (%s); it is tried again.", path, error.strerror)
        return False
    return True
