"""Which templates each agent should hold: the log of changes, the manifest, and what an agent is sent."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, Employee, EnrolmentPhoto, FaceTemplate, TemplateLog
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import audit
from central_server.services.configure_agent import NO_CONFIG, Served
from common.events import Manifest
from common.signing import gallery_digest, signed

LEASE_S = 7 * 86_400
FLOAT_BYTES = 4
PHOTOS = "photos"  # the folder below the server's home


@dataclass(frozen=True, slots=True)
class Delta:
    """What brings an agent to generation `gen`; `full`: forget everything held before."""

    gen: int
    model_id: str
    sha256: str
    full: bool
    add: tuple[FaceTemplate, ...]
    remove: tuple[int, ...]


def add_template(
    work: UnitOfWork,
    employee_id: str,
    model_id: str,
    embedding: bytes,
    quality: float,
    photo_id: str | None,
    now: datetime,
) -> FaceTemplate:
    """Store an embedding (float32, little-endian, unit length) and log it for the agents."""
    template = FaceTemplate(
        employee_id=employee_id,
        model_id=model_id,
        embedding=embedding,
        dimension=len(embedding) // FLOAT_BYTES,
        source="photo" if photo_id else "camera",
        photo_id=photo_id,
        quality=quality,
        created_at=now,
    )
    work.session.add(template)
    work.session.flush()
    _log(work, "add", template, now)
    return template


def remove_templates(work: UnitOfWork, employee_id: str, now: datetime) -> int:
    """Erase a person's templates and photos; return how many templates there were.

    The photos' files go when this is committed: see sweep_photos.
    """
    templates = work.session.scalars(
        select(FaceTemplate).where(FaceTemplate.employee_id == employee_id)
    ).all()
    for template in templates:
        _log(work, "del", template, now)
    work.session.execute(delete(FaceTemplate).where(FaceTemplate.employee_id == employee_id))
    work.session.execute(delete(EnrolmentPhoto).where(EnrolmentPhoto.employee_id == employee_id))
    return len(templates)


def sweep_photos(work: UnitOfWork, home: Path) -> int:
    """Delete the files of photos that no row knows any more; return how many."""
    known = set(work.session.scalars(select(EnrolmentPhoto.path)))
    strays = [path for path in (home / PHOTOS).glob("*/*") if str(path.relative_to(home)) not in known]
    for path in strays:
        path.unlink(missing_ok=True)
    return len(strays)


def current_manifest(
    work: UnitOfWork, agent: Agent, *, now: datetime, config: Served = NO_CONFIG
) -> Manifest:
    """Return, signed for this agent, which gallery it should hold, and which configuration."""
    manifest = Manifest(
        config_gen=config.gen,
        config_sha256=config.sha256,
        gallery_gen=_generation(work, agent, agent.model_id),
        gallery_sha256=gallery_digest(_owners(work, agent, agent.model_id)),
        issued=round(now.timestamp() * 1000),
        lease_s=LEASE_S,
    )
    return signed(manifest, bytes.fromhex(agent.manifest_key))


def delta(work: UnitOfWork, agent: Agent, since: int, model_id: str) -> Delta:
    """Return what an agent that holds generation `since` of a model lacks; since 0 asks for everything."""
    gen = max(_generation(work, agent, model_id), since)
    full = since <= 0
    add = _eligible(agent, model_id)
    remove: list[int] = []
    if not full:
        after = select(TemplateLog.template_id).where(
            TemplateLog.gen > since, TemplateLog.model_id == model_id
        )
        add = add.where(FaceTemplate.template_id.in_(after.where(TemplateLog.op == "add")))
        remove = list(work.session.scalars(after.where(TemplateLog.op == "del")))
    return Delta(
        gen=gen,
        model_id=model_id,
        sha256=gallery_digest(_owners(work, agent, model_id)),
        full=full,
        add=tuple(work.session.scalars(add.order_by(FaceTemplate.template_id))),
        remove=tuple(remove),
    )


def note_read(work: UnitOfWork, agent: Agent, given: Delta, since: int, *, now: datetime) -> None:
    """Write down that an agent was given embeddings, if it was."""
    if given.add:
        audit.note(
            work,
            f"agent:{agent.agent_id}",
            "templates.read",
            agent.site_id,
            now=now,
            count=len(given.add),
            people=sorted({each.employee_id for each in given.add})[:100],
            since=since,
            gen=given.gen,
            model_id=given.model_id,
        )


def gallery_stamps(session: Session) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Return, for each site and model, a number pair that changes when its people or templates do. Cheap."""
    question = (
        select(
            Employee.site_id,
            FaceTemplate.model_id,
            func.count(),
            func.sum(FaceTemplate.template_id * FaceTemplate.template_id),
        )
        .join(Employee, Employee.employee_id == FaceTemplate.employee_id)
        .where(*MAY_BE_SEARCHED)
        .group_by(Employee.site_id, FaceTemplate.model_id)
    )
    return {
        (site, model): (int(count), int(total)) for site, model, count, total in session.execute(question)
    }


MAY_BE_SEARCHED = (
    Employee.status == "active",
    Employee.consent_at.is_not(None),
    Employee.consent_withdrawn_at.is_(None),
)


def _eligible(agent: Agent, model_id: str) -> Select[tuple[FaceTemplate]]:
    return (
        select(FaceTemplate)
        .join(Employee, Employee.employee_id == FaceTemplate.employee_id)
        .where(Employee.site_id == agent.site_id, FaceTemplate.model_id == model_id, *MAY_BE_SEARCHED)
    )


def _owners(work: UnitOfWork, agent: Agent, model_id: str) -> dict[int, str]:
    rows = work.session.execute(
        _eligible(agent, model_id).with_only_columns(FaceTemplate.template_id, FaceTemplate.employee_id)
    )
    return {int(template_id): str(employee_id) for template_id, employee_id in rows}


def _generation(work: UnitOfWork, agent: Agent, model_id: str) -> int:
    """Return the newest generation of a model; never below what the agent holds, which refuses to go back.

    (It can hold a later one when this database was restored from a backup.)
    """
    newest = work.session.scalar(select(func.max(TemplateLog.gen)).where(TemplateLog.model_id == model_id))
    return max(newest or 0, agent.gallery_gen)


def _log(work: UnitOfWork, op: str, template: FaceTemplate, now: datetime) -> None:
    work.session.add(
        TemplateLog(
            op=op,
            template_id=template.template_id,
            employee_id=template.employee_id,
            model_id=template.model_id,
            at=now,
        )
    )
