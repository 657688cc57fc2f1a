"""The gallery on this machine's disk: verified when read, replaced whole, and never by an older one."""

import base64
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.ids import EmployeeId
from common.signing import gallery_digest
from edge_agent.adapters.central_api import TemplatePage
from edge_agent.adapters.identity_file import write_private
from edge_agent.core.gallery import Gallery, Template


class GalleryError(Exception):
    """What the server sent, or what the disk holds, is not a gallery that may be used."""


@dataclass(frozen=True, slots=True, eq=False)
class HeldGallery:
    """What this agent holds: the server's generation, its digest, and the templates by id."""

    gen: int
    model_id: str
    sha256: str
    templates: dict[int, tuple[str, np.ndarray]]  # id: employee, float32 unit vector

    @classmethod
    def empty(cls, model_id: str) -> "HeldGallery":
        return cls(0, model_id, gallery_digest({}), {})

    def searchable(self) -> Gallery:
        return Gallery.build(
            self.model_id,
            self.gen,
            [Template(key, EmployeeId(who), vector) for key, (who, vector) in self.templates.items()],
        )


def applied(held: HeldGallery, page: TemplatePage, dimension: int) -> HeldGallery:
    """Return the gallery after what the server sent.

    Raises GalleryError when it is older than what is held, of another model, or not what it says it is.
    """
    if page.model_id != held.model_id:
        raise GalleryError(f"the server sent templates of {page.model_id}, this agent runs {held.model_id}")
    if page.gen < held.gen:
        raise GalleryError(f"generation {page.gen} is older than the {held.gen} that is held")
    templates = {} if page.full else dict(held.templates)
    for template_id in page.remove:
        templates.pop(template_id, None)
    for template_id, employee_id, embedding in page.add:
        templates[template_id] = (employee_id, _vector(template_id, embedding, dimension))
    digest = gallery_digest({key: who for key, (who, _) in templates.items()})
    if digest != page.sha256:
        raise GalleryError(f"generation {page.gen} does not add up to what the server says it holds")
    return HeldGallery(page.gen, page.model_id, digest, templates)


def _vector(template_id: int, embedding: bytes, dimension: int) -> np.ndarray:
    if len(embedding) != 4 * dimension:
        raise GalleryError(f"template {template_id} has {len(embedding)} bytes, not {4 * dimension}")
    vector = np.frombuffer(embedding, dtype="<f4").astype(np.float32)
    if not np.isfinite(vector).all() or abs(float(np.linalg.norm(vector)) - 1) > 0.01:
        raise GalleryError(f"template {template_id} is not a unit vector")
    return vector


@dataclass(frozen=True, slots=True)
class GalleryFile:
    """One JSON file behind its own SHA-256, mode 0600."""

    path: Path

    def save(self, held: HeldGallery) -> None:
        """Put the gallery on the disk, whole or not at all. Raises GalleryError."""
        body = json.dumps(
            {
                "gen": held.gen,
                "model_id": held.model_id,
                "templates": [
                    [key, who, base64.b64encode(vector.astype("<f4").tobytes()).decode()]
                    for key, (who, vector) in held.templates.items()
                ],
            }
        ).encode()
        try:
            write_private(self.path, hashlib.sha256(body).hexdigest().encode() + b"\n" + body)
        except OSError as error:
            raise GalleryError(f"{self.path} cannot be written ({error.strerror})") from error

    def load(self, model_id: str, dimension: int) -> HeldGallery:
        """Return what is on the disk, or an empty gallery when that is of another model.

        Raises GalleryError when the file is damaged.
        """
        try:
            digest, _, body = self.path.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return HeldGallery.empty(model_id)
        except OSError as error:
            raise GalleryError(f"{self.path} cannot be read ({error.strerror})") from error
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise GalleryError(f"{self.path} is damaged")
        try:
            kept = json.loads(body)
            if kept["model_id"] != model_id:
                return HeldGallery.empty(model_id)
            templates = {
                int(key): (str(who), _vector(key, base64.b64decode(vector), dimension))
                for key, who, vector in kept["templates"]
            }
        except (ValueError, KeyError, TypeError) as error:
            raise GalleryError(f"{self.path} is not a gallery: {error!r}") from error
        owners = {key: who for key, (who, _) in templates.items()}
        return HeldGallery(int(kept["gen"]), model_id, gallery_digest(owners), templates)

    def touch(self) -> None:
        """Note on the disk that the server was heard of now: the templates are lent for a while only."""
        if self.path.exists():
            os.utime(self.path)

    def touched_at(self) -> float | None:
        """Return when the server was last heard of, epoch seconds; None when nothing is held."""
        return self.path.stat().st_mtime if self.path.exists() else None

    def wipe(self) -> None:
        self.path.unlink(missing_ok=True)
