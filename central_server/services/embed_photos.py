"""Photos and the models they were not embedded with yet: shared out among the agents of a model, each once.

A claim, and later the reason of a refusal, is a row of AgentCommand of the kind `embed`: one for each photo
and model. It never goes over the wire; agents ask for work.
"""

import hashlib
import math
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, AgentCommand, Employee, EnrolmentPhoto, FaceTemplate
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import audit, publish_gallery

JOB = "embed"
CLAIM_LIFE = timedelta(minutes=10)  # then another agent may have the photo
AT_ONCE = 5  # photos that one agent claims


class BadEmbedding(Exception):
    """What an agent sent as an embedding is none."""


class NotWanted(Exception):
    """This agent need not embed this photo; says why."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an agent made of a photo: an embedding (float32, little-endian, unit length), or why not."""

    accepted: bool
    model_id: str
    embedding: bytes = b""
    quality: float = 0.0
    reason: str = ""


def job_id(photo_id: str, model_id: str) -> str:
    """Return the key of a photo's row for a model."""
    return f"{JOB}-{hashlib.sha256(f'{photo_id}|{model_id}'.encode()).hexdigest()[:40]}"


def jobs_of(session: Session, model_id: str) -> Mapping[str, AgentCommand]:
    """Return the claims and refusals of a model, by photo."""
    rows = session.scalars(select(AgentCommand).where(AgentCommand.kind == JOB))
    return {str(each.args["photo_id"]): each for each in rows if each.args["model_id"] == model_id}


def claim_photos(work: UnitOfWork, agent: Agent, now: datetime) -> list[EnrolmentPhoto]:
    """Give the agent a few photos that its model has no template of: newcomers first, then the oldest."""
    if not agent.model_id:
        return []
    jobs = jobs_of(work.session, agent.model_id)
    closed = {photo_id for photo_id, job in jobs.items() if not _may_take(job, agent, now)}
    query = (
        _open_photos(agent)
        .order_by(EnrolmentPhoto.state == "accepted", EnrolmentPhoto.uploaded_at, EnrolmentPhoto.photo_id)
        .limit(AT_ONCE + len(closed))
        .with_for_update(of=EnrolmentPhoto, skip_locked=True)  # PostgreSQL; SQLite has one writer
    )
    found = [each for each in work.session.scalars(query) if each.photo_id not in closed][:AT_ONCE]
    for photo in found:
        _claim(work, agent, photo.photo_id, jobs.get(photo.photo_id), now)
    return found


def photo_for(work: UnitOfWork, agent: Agent, photo_id: str, *, now: datetime) -> EnrolmentPhoto | None:
    """Return a photo that the agent may embed now, and write down that it got it.

    None when there is no such photo (any more). Raises NotWanted.
    """
    photo = work.session.scalar(_photos(agent).where(EnrolmentPhoto.photo_id == photo_id))
    if photo is None:
        return None
    job = work.session.get(AgentCommand, job_id(photo_id, agent.model_id))
    if not _lacks_template(work, photo_id, agent.model_id):
        raise NotWanted("The photo is embedded already.")
    if job is not None and job.finished_at is not None:
        raise NotWanted(f"The photo could not be used: {job.detail}.")
    if job is not None and not _may_take(job, agent, now):
        raise NotWanted("Another agent is embedding the photo.")
    _claim(work, agent, photo_id, job, now)
    if photo.state == "pending":
        photo.state, photo.agent_id = "sent", agent.agent_id
    audit.note(work, f"agent:{agent.agent_id}", "photo.read", photo.employee_id, now=now, photo_id=photo_id)
    return photo


def record_enrolment(
    work: UnitOfWork, agent: Agent, photo_id: str, enrolment: Enrolment, *, now: datetime
) -> bool:
    """Store the template, or why there is none; False when the photo is not (or no longer) wanted.

    Raises BadEmbedding. Told twice, the second time changes nothing.
    """
    photo = work.session.scalar(_open_photos(agent).where(EnrolmentPhoto.photo_id == photo_id))
    job = work.session.get(AgentCommand, job_id(photo_id, agent.model_id))
    if photo is None or (job is not None and job.finished_at is not None):
        return False
    if enrolment.model_id != agent.model_id:
        raise BadEmbedding(f"the agent runs {agent.model_id!r}, the embedding is of {enrolment.model_id!r}")
    photo.agent_id, photo.decided_at = agent.agent_id, now
    if not enrolment.accepted:
        _refuse(work, agent, photo, enrolment.reason[:40] or "unknown", now)
        return True
    check_embedding(enrolment.embedding)
    photo.state, photo.reason = "accepted", ""
    if job is not None:
        work.session.delete(job)
    publish_gallery.add_template(
        work, photo.employee_id, enrolment.model_id, enrolment.embedding, enrolment.quality, photo_id, now
    )
    audit.note(
        work, f"agent:{agent.agent_id}", "template.made", photo.employee_id, now=now, photo_id=photo_id
    )
    return True


def try_again(work: UnitOfWork, photo_ids: Iterable[str]) -> None:
    """Forget what any model made of these photos: they came anew, or are gone."""
    wanted = set(photo_ids)
    for job in work.session.scalars(select(AgentCommand).where(AgentCommand.kind == JOB)).all():
        if job.args["photo_id"] in wanted:
            work.session.delete(job)


def sweep_jobs(work: UnitOfWork) -> int:
    """Forget the claims and refusals of photos that are gone; return how many."""
    jobs = work.session.scalars(select(AgentCommand).where(AgentCommand.kind == JOB)).all()
    known = set(work.session.scalars(select(EnrolmentPhoto.photo_id))) if jobs else set()
    gone = [job for job in jobs if job.args["photo_id"] not in known]
    for job in gone:
        work.session.delete(job)
    return len(gone)


def check_embedding(embedding: bytes) -> None:
    """Raise BadEmbedding unless this is a unit vector of float32, little-endian, of 64 to 4096 numbers."""
    count, rest = divmod(len(embedding), 4)
    if rest or not 64 <= count <= 4096:
        raise BadEmbedding(f"{len(embedding)} bytes are not an embedding")
    values = struct.unpack(f"<{count}f", embedding)
    if not all(map(math.isfinite, values)) or abs(math.hypot(*values) - 1) > 0.01:
        raise BadEmbedding("the embedding is not a unit vector")


def _refuse(work: UnitOfWork, agent: Agent, photo: EnrolmentPhoto, reason: str, now: datetime) -> None:
    """Note why this model cannot use the photo; another one may have, or may still."""
    job = work.session.get(AgentCommand, job_id(photo.photo_id, agent.model_id))
    job = job or _claim(work, agent, photo.photo_id, None, now)
    job.finished_at, job.ok, job.detail = now, False, reason
    if not work.session.scalar(select(exists().where(FaceTemplate.photo_id == photo.photo_id))):
        photo.state, photo.reason = "rejected", reason


def _claim(
    work: UnitOfWork, agent: Agent, photo_id: str, job: AgentCommand | None, now: datetime
) -> AgentCommand:
    if job is None:
        job = AgentCommand(
            command_id=job_id(photo_id, agent.model_id),
            agent_id=agent.agent_id,
            kind=JOB,
            args={"photo_id": photo_id, "model_id": agent.model_id},
        )
        work.session.add(job)
    # As if it had been published: it is not for the wire.
    job.agent_id, job.created_at, job.published_at = agent.agent_id, now, now
    return job


def _may_take(job: AgentCommand, agent: Agent, now: datetime) -> bool:
    if job.finished_at is not None:
        return False
    return job.agent_id == agent.agent_id or now - job.created_at > CLAIM_LIFE


def _lacks_template(work: UnitOfWork, photo_id: str, model_id: str) -> bool:
    has = exists().where(FaceTemplate.photo_id == photo_id, FaceTemplate.model_id == model_id)
    return not work.session.scalar(select(has))


def _photos(agent: Agent) -> Select[tuple[EnrolmentPhoto]]:
    return (
        select(EnrolmentPhoto)
        .join(Employee, Employee.employee_id == EnrolmentPhoto.employee_id)
        .where(Employee.site_id == agent.site_id, *publish_gallery.MAY_BE_SEARCHED)
    )


def _open_photos(agent: Agent) -> Select[tuple[EnrolmentPhoto]]:
    has_template = exists().where(
        FaceTemplate.employee_id == EnrolmentPhoto.employee_id,  # by the index
        FaceTemplate.photo_id == EnrolmentPhoto.photo_id,
        FaceTemplate.model_id == agent.model_id,
    )
    return _photos(agent).where(~has_template)
