"""The bodies that agents download: made once for everybody who lacks the same, and kept on the disk.

They hold embeddings. So a body is thrown away as soon as it holds anybody who may not be searched any more,
and otherwise a while after it was superseded: an agent may be in the middle of it.
"""

import hashlib
import logging
import os
import secrets
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session

from central_server.db.models import Agent
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.publish_gallery import Asked, embeddings_of, owners_of, what_is_lacking
from common.gallery_body import GalleryHead, MalformedGallery, encode_head, read_head

log = logging.getLogger("hadir.gallery")

FOLDER = "galleries"  # below the server's home
KEEP = timedelta(hours=1)  # superseded or not: for those who are in the middle of it
TRIES = 5
MOST_BODIES = 40  # of a site
Owners = dict[tuple[str, str], dict[int, str]]  # by site and model: whose each template is
_making = threading.Lock()  # one at a time in this process: what the first makes, the others find


class GalleryChanging(Exception):
    """The gallery changed each time that it was being written down; ask again."""


@dataclass(frozen=True, slots=True)
class Body:
    """A body on the disk; `sha256` is that of the file, and its strong ETag."""

    path: Path
    sha256: str

    def head(self) -> GalleryHead:
        """Return what is in it. Raises FileNotFoundError when it was thrown away meanwhile."""
        with self.path.open("rb") as file:
            return read_head(file)[0]


def body_for(engine: Engine, home: Path, agent: Agent, since: int, model_id: str, wanted: str = "") -> Body:
    """Return what brings the agent from generation `since` up to date; made now if nobody has asked yet.

    wanted: the SHA-256 of a body that the agent has a part of; it gets the rest of that if it is still there.
    No transaction is held meanwhile. Raises publish_gallery.TooOld, GalleryChanging.
    """
    for _ in range(TRIES):
        with Session(engine) as session:
            asked = what_is_lacking(session, agent, since, model_id)
        if found := _kept(home, asked, wanted):
            return found
        with _making:
            if found := _kept(home, asked):
                return found
            made = _make(engine, home, asked)
        with Session(engine) as session:  # somebody may have been erased meanwhile: nothing of them stays
            if made and what_is_lacking(session, agent, since, model_id) == asked:
                return made
        if made:
            made.path.unlink(missing_ok=True)
    raise GalleryChanging


def _kept(home: Path, asked: Asked, wanted: str = "") -> Body | None:
    folder, stem = home / FOLDER, _stem(asked)
    if wanted.isalnum():
        for path in folder.glob(f"{stem}-*-{wanted}.body"):
            return _body(path)
    for path in folder.glob(f"{stem}-{asked.gen}-{asked.sha256[:16]}-*.body"):
        return _body(path)
    return None


def _stem(asked: Asked) -> str:
    model = hashlib.sha256(asked.model_id.encode()).hexdigest()[:12]
    return f"{asked.site_id}.{model}.{asked.since}"


def _body(path: Path) -> Body:
    return Body(path, path.stem.rpartition("-")[2])


def _make(engine: Engine, home: Path, asked: Asked) -> Body | None:
    """Write a body; None when what is to be written changes under our hands."""
    folder = home / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = folder / f".{secrets.token_hex(8)}.new"
    head = GalleryHead(
        gen=asked.gen,
        model_id=asked.model_id,
        sha256=asked.sha256,
        full=asked.full,
        dimension=asked.dimension,
        templates=asked.add,
        remove=asked.remove,
    )
    try:
        with Session(engine) as session:
            digest = _write(draft, head, embeddings_of(session, asked))
        if digest is None:
            return None
        name = f"{_stem(asked)}-{asked.gen}-{asked.sha256[:16]}-{digest}.body"
        draft.replace(folder / name)
        _prune(folder, asked.site_id)
        return _body(folder / name)
    finally:
        draft.unlink(missing_ok=True)


def _write(path: Path, head: GalleryHead, rows: Iterable[tuple[int, bytes]]) -> str | None:
    """Write a body that only its owner may read; return its SHA-256, or None when the rows do not fit."""
    digest, expected = hashlib.sha256(), iter(head.templates)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        line = encode_head(head)
        digest.update(line)
        file.write(line)
        for number, vector in rows:
            if next(expected, (None, ""))[0] != number or len(vector) != head.vector_bytes:
                return None
            digest.update(vector)
            file.write(vector)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest() if next(expected, None) is None else None


def _prune(folder: Path, site_id: str) -> None:
    """Keep the newest few of a site: an agent that asks from every generation must not fill the disk."""
    made = sorted(folder.glob(f"{site_id}.*"), key=lambda path: (path.stat().st_mtime_ns, path.name))
    for path in made[:-MOST_BODIES]:
        _unlink(path)


# -- throwing away -------------------------------------------------------------------------------------------


def forget_when_done(work: UnitOfWork, home: Path, site_id: str) -> None:
    """Throw away every body of a site, at once when this transaction is committed: somebody was erased."""

    @event.listens_for(work.session, "after_commit", once=True)
    def throw_away(_session: Session) -> None:
        for path in (home / FOLDER).glob(f"{site_id}.*"):
            _unlink(path)


def sweep_bodies(work: UnitOfWork, home: Path, *, now: datetime) -> int:
    """Throw away what holds somebody who may not be searched, or is an hour old; return how many."""
    owners: Owners = {}
    gone = 0
    for path in sorted((home / FOLDER).glob("*")):
        if not _may_stay(work, path, owners, now):
            gone += _unlink(path)
    return gone


def _may_stay(work: UnitOfWork, path: Path, owners: Owners, now: datetime) -> bool:
    try:
        age = now.timestamp() - path.stat().st_mtime
        if path.name.startswith("."):  # a draft; an old one was left by a process that died
            return age < KEEP.total_seconds()
        with path.open("rb") as file:
            head, _ = read_head(file)
    except (OSError, MalformedGallery):
        return False
    key = (path.name.split(".")[0], head.model_id)
    if key not in owners:
        owners[key] = owners_of(work.session, *key)
    if not owners[key].items() >= set(head.templates):
        return False
    return age < KEEP.total_seconds()


def _unlink(path: Path) -> bool:
    with suppress(FileNotFoundError):
        path.unlink()
        return True
    return False
