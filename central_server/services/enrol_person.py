"""A portrait comes in, an agent embeds it, and the person can be recognised; or somebody learns why not."""

import hashlib
import math
import os
import secrets
import struct
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePath

from sqlalchemy import Select, exists, select

from central_server.db.models import Agent, AgentCommand, Employee, EnrolmentPhoto, FaceTemplate
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import audit, publish_gallery

MOST_BYTES = 15_000_000
LEAST_BYTES = 500
MOST_PHOTOS = 12  # of one person
_MAGIC = {b"\xff\xd8\xff": "jpg", b"\x89PNG\r\n\x1a\n": "png"}


class PhotoRefused(Exception):
    """The photo is not taken; `reason` is a code, the message a sentence."""

    def __init__(self, reason: str, words: str) -> None:
        self.reason = reason
        super().__init__(words)


class BadEmbedding(Exception):
    """What an agent sent as an embedding is none."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an agent made of a photo: an embedding (float32, little-endian, unit length), or why not."""

    accepted: bool
    model_id: str
    embedding: bytes = b""
    quality: float = 0.0
    reason: str = ""


def upload_photo(
    work: UnitOfWork, home: Path, employee: Employee, filename: str, content: bytes, by: str, now: datetime
) -> EnrolmentPhoto:
    """Keep a portrait and ask an agent of the person's site to embed it. Raises PhotoRefused.

    The same photo twice is one photo; one that was refused is tried again.
    """
    kind = _kind_of(content)
    _check_person(work, employee)
    digest = hashlib.sha256(content).hexdigest()
    photo = work.session.scalar(
        select(EnrolmentPhoto).where(
            EnrolmentPhoto.employee_id == employee.employee_id, EnrolmentPhoto.sha256 == digest
        )
    )
    if photo is None:
        photo_id = f"pho-{secrets.token_hex(10)}"
        photo = EnrolmentPhoto(
            photo_id=photo_id,
            employee_id=employee.employee_id,
            filename=PurePath(filename.replace("\\", "/")).name[:200] or "photo",
            path=f"{publish_gallery.PHOTOS}/{photo_id[4:6]}/{photo_id}.{kind}",
            sha256=digest,
            uploaded_at=now,
            uploaded_by=by,
        )
        work.session.add(photo)
        audit.note(work, f"user:{by}", "photo.uploaded", employee.employee_id, now=now, photo_id=photo_id)
    if photo.state == "accepted":
        return photo
    write_private(home / photo.path, content)
    photo.state, photo.reason, photo.decided_at = "pending", "", None
    ask_an_agent(work, employee.site_id, photo, now)
    return photo


def _kind_of(content: bytes) -> str:
    if len(content) > MOST_BYTES:
        raise PhotoRefused("too_large", f"The photo is larger than {MOST_BYTES // 1_000_000} MB.")
    kind = next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), None)
    if kind is None or len(content) < LEAST_BYTES:
        raise PhotoRefused("not_a_photo", "The file is not a JPEG or PNG picture.")
    return kind


def _check_person(work: UnitOfWork, employee: Employee) -> None:
    if employee.status != "active":
        raise PhotoRefused("not_active", f"{employee.name} is not an active employee.")
    if employee.consent_at is None or employee.consent_withdrawn_at is not None:
        raise PhotoRefused("no_consent", f"{employee.name} has not given consent to face recognition.")
    photos = select(EnrolmentPhoto).where(EnrolmentPhoto.employee_id == employee.employee_id)
    if len(work.session.scalars(photos).all()) >= MOST_PHOTOS:
        raise PhotoRefused("too_many", f"There are already {MOST_PHOTOS} photos of {employee.name}.")


def ask_an_agent(work: UnitOfWork, site_id: str, photo: EnrolmentPhoto, now: datetime) -> None:
    """Queue the command for the site's agent that was last heard of; without one the photo waits."""
    agents = select(Agent).where(Agent.site_id == site_id, Agent.revoked_at.is_(None))
    found = work.session.scalars(agents).all()
    if not found:
        return
    agent = max(found, key=lambda each: (each.state == "online", each.heartbeat_at or each.joined_at))
    photo.agent_id = agent.agent_id
    work.session.add(
        AgentCommand(
            command_id=f"enrol-{secrets.token_hex(8)}",
            agent_id=agent.agent_id,
            kind="enrol",
            args={"photo_id": photo.photo_id},
            created_at=now,
        )
    )


def pending_photos(work: UnitOfWork, agent: Agent) -> list[EnrolmentPhoto]:
    """Return the photos of the agent's site that its model has no template of yet, oldest first."""
    if not agent.model_id:
        return []
    return list(work.session.scalars(_open_photos(agent).order_by(EnrolmentPhoto.uploaded_at).limit(100)))


def photo_for(work: UnitOfWork, agent: Agent, photo_id: str, *, now: datetime) -> EnrolmentPhoto | None:
    """Return a photo that the agent may embed, and write down that it got it; None: it may not."""
    photo = work.session.scalar(_open_photos(agent).where(EnrolmentPhoto.photo_id == photo_id))
    if photo is not None:
        if photo.state == "pending":
            photo.state, photo.agent_id = "sent", agent.agent_id
        audit.note(
            work, f"agent:{agent.agent_id}", "photo.read", photo.employee_id, now=now, photo_id=photo_id
        )
    return photo


def record_enrolment(
    work: UnitOfWork, agent: Agent, photo_id: str, enrolment: Enrolment, *, now: datetime
) -> bool:
    """Store the template, or why there is none; False when the photo is not (or no longer) wanted.

    Raises BadEmbedding. Told twice, the second time changes nothing.
    """
    photo = work.session.scalar(_open_photos(agent).where(EnrolmentPhoto.photo_id == photo_id))
    if photo is None:
        return False
    if enrolment.model_id != agent.model_id:
        raise BadEmbedding(f"the agent runs {agent.model_id!r}, the embedding is of {enrolment.model_id!r}")
    photo.agent_id, photo.decided_at = agent.agent_id, now
    if not enrolment.accepted:
        photo.state, photo.reason = "rejected", enrolment.reason[:40] or "unknown"
        return True
    check_embedding(enrolment.embedding)
    photo.state, photo.reason = "accepted", ""
    publish_gallery.add_template(
        work, photo.employee_id, enrolment.model_id, enrolment.embedding, enrolment.quality, photo_id, now
    )
    audit.note(
        work, f"agent:{agent.agent_id}", "template.made", photo.employee_id, now=now, photo_id=photo_id
    )
    return True


def check_embedding(embedding: bytes) -> None:
    """Raise BadEmbedding unless this is a unit vector of float32, little-endian, of 64 to 4096 numbers."""
    count, rest = divmod(len(embedding), 4)
    if rest or not 64 <= count <= 4096:
        raise BadEmbedding(f"{len(embedding)} bytes are not an embedding")
    values = struct.unpack(f"<{count}f", embedding)
    if not all(map(math.isfinite, values)) or abs(math.hypot(*values) - 1) > 0.01:
        raise BadEmbedding("the embedding is not a unit vector")


def _open_photos(agent: Agent) -> Select[tuple[EnrolmentPhoto]]:
    has_template = exists().where(
        FaceTemplate.photo_id == EnrolmentPhoto.photo_id, FaceTemplate.model_id == agent.model_id
    )
    return (
        select(EnrolmentPhoto)
        .join(Employee, Employee.employee_id == EnrolmentPhoto.employee_id)
        .where(
            Employee.site_id == agent.site_id,
            *publish_gallery.MAY_BE_SEARCHED,
            EnrolmentPhoto.state != "rejected",
            ~has_template,
        )
    )


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read: whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
