"""A portrait comes in, an agent embeds it, and the person can be recognised; or somebody learns why not."""

import hashlib
import os
import secrets
from datetime import datetime
from pathlib import Path, PurePath

from sqlalchemy import select

from central_server.db.models import Agent, AgentCommand, Employee, EnrolmentPhoto
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import audit, publish_gallery
from central_server.services.embed_photos import try_again

MOST_BYTES = 15_000_000
LEAST_BYTES = 500
MOST_PHOTOS = 12  # of one person
_MAGIC = {b"\xff\xd8\xff": "jpg", b"\x89PNG\r\n\x1a\n": "png"}


class PhotoRefused(Exception):
    """The photo is not taken; `reason` is a code, the message a sentence."""

    def __init__(self, reason: str, words: str) -> None:
        self.reason = reason
        super().__init__(words)


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
    try_again(work, [photo.photo_id])
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
    """Queue the command for the agent of each of the site's models that was last heard of.

    Without one the photo waits.
    """
    agents = select(Agent).where(Agent.site_id == site_id, Agent.revoked_at.is_(None))
    found = sorted(
        work.session.scalars(agents),
        key=lambda each: (each.state == "online", each.heartbeat_at or each.joined_at),
    )
    for agent in {each.model_id: each for each in found}.values():
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


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read: whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    draft.replace(path)
