"""The gallery on this machine's disk: verified when read, changed as a whole, and never by an older one.

One SQLite file, mode 0600. A change writes the templates that came and went, not everybody; what is deleted
is overwritten with zeros (secure_delete).
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.ids import EmployeeId
from common.signing import gallery_digest
from edge_agent.adapters.erasure import erase
from edge_agent.adapters.gallery_download import TemplatePage, Vector, discard
from edge_agent.core.gallery import Gallery, Template

_SCHEMA = """
CREATE TABLE IF NOT EXISTS held (
    gen INTEGER NOT NULL, model_id TEXT NOT NULL, sha256 TEXT NOT NULL, seal BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS template (
    template_id INTEGER PRIMARY KEY, employee_id TEXT NOT NULL, vector BLOB NOT NULL, seal BLOB NOT NULL);
"""


class GalleryError(Exception):
    """What the server sent, or what the disk holds, is not a gallery that may be used."""


class GalleryDamaged(GalleryError):
    """The file on the disk is not what was written there."""


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What the server sent, found to fit what is held."""

    gen: int
    sha256: str  # of what is held after it
    is_full: bool  # it is everybody, in the place of everybody
    owners: dict[int, str]  # after it: whose each template is
    add: tuple[Template, ...]
    gone: tuple[int, ...]  # templates that go; those that are replaced one by one too


@dataclass(frozen=True, slots=True, eq=False)
class HeldGallery:
    """What this agent holds: the server's generation, its digest, whose each template is, and the vectors."""

    gen: int
    model_id: str
    sha256: str
    owners: dict[int, str]
    gallery: Gallery  # the keeper's anchors are in it too

    @classmethod
    def empty(cls, model_id: str) -> "HeldGallery":
        return cls(0, model_id, gallery_digest({}), {}, Gallery.empty(model_id))

    def after(self, change: Change) -> "HeldGallery":
        """Return what is held after a change. Who is gone is erased from the memory at once."""
        return HeldGallery(change.gen, self.model_id, change.sha256, change.owners, self._searchable(change))

    def _searchable(self, change: Change) -> Gallery:
        if change.sha256 == self.sha256:
            return self.gallery
        everybody = Gallery.build(self.model_id, change.gen, change.add) if change.is_full else None
        fewer = self.gallery.without(change.gone, gen=change.gen) if change.gone else self.gallery
        return fewer.with_templates(change.add, gen=change.gen) if everybody is None else everybody


def checked(held: HeldGallery, page: TemplatePage, dimension: int) -> Change:
    """Return what the server sent as a change of what is held.

    Raises GalleryError when it is older than what is held, of another model, or not what it says it is.
    """
    if page.model_id != held.model_id:
        raise GalleryError(f"the server sent templates of {page.model_id}, this agent runs {held.model_id}")
    if page.gen < held.gen:
        raise GalleryError(f"generation {page.gen} is older than the {held.gen} that is held")
    owners = {} if page.full else dict(held.owners)
    for template_id in page.remove:
        owners.pop(template_id, None)
    owners |= {template_id: employee_id for template_id, employee_id, _ in page.add}
    digest = gallery_digest(owners)
    if digest != page.sha256:
        raise GalleryError(f"generation {page.gen} does not add up to what the server says it holds")
    add = {
        template_id: _template(template_id, who, vector, dimension) for template_id, who, vector in page.add
    }
    gone = held.owners.keys() - owners.keys()
    if not page.full:
        gone |= held.owners.keys() & add.keys()
    is_full = page.full or not held.owners
    return Change(page.gen, digest, is_full, owners, tuple(add.values()), tuple(sorted(gone)))


def _template(template_id: int, employee_id: str, embedding: Vector, dimension: int) -> Template:
    if len(embedding) != 4 * dimension:
        raise GalleryError(f"template {template_id} has {len(embedding)} bytes, not {4 * dimension}")
    vector = np.frombuffer(embedding, dtype="<f4")
    length = float(vector @ vector)
    if not abs(length - 1) <= 0.02:
        raise GalleryError(f"template {template_id} is not a unit vector")
    return Template(template_id, EmployeeId(employee_id), vector)


def _seal(number: int, name: str, content: bytes) -> bytes:
    """Return what shows that a row is as it was written."""
    return hashlib.sha256(f"{number}:{name}:".encode() + content).digest()[:16]


@dataclass(frozen=True, slots=True)
class GalleryFile:
    path: Path

    def save(self, change: Change, held: HeldGallery) -> None:
        """Put a change of what is held on the disk, whole or not at all.

        Raises GalleryError; GalleryDamaged when what is there is not what is held.
        """
        with self._opened() as db, db:
            if change.is_full:
                db.execute("DELETE FROM template")
            elif db.execute("SELECT * FROM held").fetchall() != [_head(held.gen, held.model_id, held.sha256)]:
                raise GalleryDamaged(f"{self.path} is not what was last written there")
            db.executemany("DELETE FROM template WHERE template_id = ?", ((each,) for each in change.gone))
            db.executemany("INSERT INTO template VALUES (?, ?, ?, ?)", map(_row, change.add))
            db.execute("DELETE FROM held")
            head = _head(change.gen, held.model_id, change.sha256)
            db.execute("INSERT INTO held VALUES (?, ?, ?, ?)", head)

    def load(self, model_id: str, dimension: int) -> HeldGallery:
        """Return what is on the disk, or an empty gallery when there is nothing.

        What is of another model is of no use here, and erased.

        Raises GalleryError; GalleryDamaged when the file is not what was written there.
        """
        if not self.path.exists():
            return HeldGallery.empty(model_id)
        with self._opened() as db:
            head = db.execute("SELECT * FROM held").fetchone()
            owners: dict[int, str] = {}
            if is_ours := head is not None and head[1] == model_id:
                gen, _, digest, _ = head
                gallery = Gallery.build(model_id, gen, self._templates(db, owners, dimension))
        if not is_ours:
            self.wipe()
            return HeldGallery.empty(model_id)
        if head != _head(gen, model_id, digest) or gallery_digest(owners) != digest:
            raise GalleryDamaged(f"{self.path} is damaged: it does not add up")
        return HeldGallery(gen, model_id, digest, owners, gallery)

    def _templates(
        self, db: sqlite3.Connection, owners: dict[int, str], dimension: int
    ) -> Iterator[Template]:
        for template_id, who, vector, seal in db.execute("SELECT * FROM template ORDER BY template_id"):
            if _seal(template_id, who, vector) != seal:
                raise GalleryDamaged(f"{self.path} is damaged: template {template_id}")
            owners[template_id] = who
            yield _template(template_id, who, vector, dimension)

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite would let others read it
            with closing(sqlite3.connect(self.path)) as db:
                db.execute("PRAGMA secure_delete = ON")
                db.execute("PRAGMA journal_mode = PERSIST")  # it holds who was deleted: we erase it ourselves
                db.executescript(_SCHEMA)
                yield db
            erase(self._journal)  # of no use any more: what it was for is committed, or undone
        except OSError as error:
            raise GalleryError(f"{self.path} cannot be opened ({error.strerror})") from error
        except sqlite3.OperationalError as error:
            raise GalleryError(f"{self.path} cannot be used ({error})") from error
        except (sqlite3.Error, TypeError, ValueError) as error:
            raise GalleryDamaged(f"{self.path} is damaged ({error})") from error

    @property
    def _journal(self) -> Path:
        return self.path.with_name(f"{self.path.name}-journal")

    @property
    def incoming(self) -> Path:
        """The folder for what is being downloaded."""
        return self.path.with_name("incoming")

    def has_downloads(self) -> bool:
        return any(self.incoming.glob("*"))

    def changed_at(self) -> float | None:
        """Return when the file was last changed, epoch seconds; None when nothing is held."""
        return self.path.stat().st_mtime if self.path.exists() else None

    def wipe(self) -> None:
        """Erase everybody, also those who were still arriving. Raises OSError."""
        for path in (self.path, self._journal):
            erase(path)
        discard(self.incoming)


def _head(gen: int, model_id: str, sha256: str) -> tuple[int, str, str, bytes]:
    return gen, model_id, sha256, _seal(gen, model_id, sha256.encode())


def _row(template: Template) -> tuple[int, str, bytes, bytes]:
    vector = np.asarray(template.vector, "<f4").tobytes()
    seal = _seal(template.template_id, template.employee_id, vector)
    return template.template_id, template.employee_id, vector, seal
