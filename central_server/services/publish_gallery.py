"""Which templates each agent should hold: the log of changes, the manifest, and what an agent is sent."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, Employee, EnrolmentPhoto, FaceTemplate, TemplateLog
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.holding import LEASE
from central_server.services import audit
from central_server.services.configure_agent import NO_CONFIG, Served
from common.events import Manifest
from common.gallery_body import GalleryHead
from common.signing import gallery_digest, signed

LEASE_S = round(LEASE.total_seconds())
FLOAT_BYTES = 4
KEEP_LOG = timedelta(days=90)
AT_A_TIME = 500  # embeddings of one question
PHOTOS = "photos"  # the folder below the server's home


class TooOld(Exception):
    """The log does not go back that far any more: the agent needs everybody."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What an agent that holds generation `since` lacks of generation `gen`, without the embeddings.

    full: it is to forget everything held before.
    """

    site_id: str
    model_id: str
    since: int
    gen: int
    sha256: str  # common.signing.gallery_digest of what is held afterwards
    full: bool
    dimension: int  # of an embedding; 0 when there is none
    add: tuple[tuple[int, str], ...]  # number and employee, by number
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
    log_change(work, "add", template, now)
    return template


def remove_templates(work: UnitOfWork, employee_id: str, now: datetime) -> int:
    """Erase a person's templates and photos; return how many templates there were.

    The photos' files go when this is committed: see sweep_photos.
    """
    templates = work.session.scalars(
        select(FaceTemplate).where(FaceTemplate.employee_id == employee_id)
    ).all()
    for template in templates:
        log_change(work, "del", template, now)
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
    work: UnitOfWork,
    agent: Agent,
    *,
    now: datetime,
    config: Served = NO_CONFIG,
    digests: dict[tuple[str, str], str] | None = None,
) -> Manifest:
    """Return, signed for this agent, which gallery it should hold, and which configuration.

    digests: those of this transaction by site and model, for whoever asks for many agents; filled here.
    """
    key, known = (agent.site_id, agent.model_id), {} if digests is None else digests
    if key not in known:
        known[key] = gallery_digest(owners_of(work.session, *key))
    manifest = Manifest(
        config_gen=config.gen,
        config_sha256=config.sha256,
        gallery_gen=_generation(work.session, agent, agent.model_id),
        gallery_sha256=known[key],
        issued=round(now.timestamp() * 1000),
        lease_s=LEASE_S,
    )
    return signed(manifest, bytes.fromhex(agent.manifest_key))


def what_is_lacking(session: Session, agent: Agent, since: int, model_id: str) -> Asked:
    """Return what an agent that holds generation `since` of a model lacks; since 0 asks for everything.

    Raises TooOld.
    """
    full, gen = since <= 0, max(_generation(session, agent, model_id), since)
    oldest = select(func.min(TemplateLog.gen)).where(TemplateLog.model_id == model_id)
    if not full and since < (session.scalar(oldest) or gen + 1):
        raise TooOld(f"what came after generation {since} is not known any more")
    owners, remove = owners_of(session, agent.site_id, model_id), set[int]()
    added = set(owners)
    if not full:
        log = select(TemplateLog.op, TemplateLog.template_id)
        rows = session.execute(log.where(TemplateLog.gen > since, TemplateLog.model_id == model_id)).all()
        added &= {number for op, number in rows if op == "add"}
        remove = {number for op, number in rows if op == "del"}
    add = tuple((number, owners[number]) for number in sorted(added))
    return Asked(
        agent.site_id, model_id, since, gen, gallery_digest(owners), full,
        _dimension(session, add), add, tuple(sorted(remove)),
    )  # fmt: skip


def _dimension(session: Session, add: Sequence[tuple[int, str]]) -> int:
    if not add:
        return 0
    query = select(FaceTemplate.dimension).where(FaceTemplate.template_id == add[0][0])
    return session.scalar(query) or 0


def embeddings_of(session: Session, asked: Asked) -> Iterator[tuple[int, bytes]]:
    """Return the embeddings that are asked for, by their numbers; a few at a time are in memory."""
    numbers = [number for number, _ in asked.add]
    for start in range(0, len(numbers), AT_A_TIME):
        some = FaceTemplate.template_id.in_(numbers[start : start + AT_A_TIME])
        query = select(FaceTemplate.template_id, FaceTemplate.embedding).where(some)
        for number, embedding in session.execute(query.order_by(FaceTemplate.template_id)):
            yield int(number), bytes(embedding)


def note_read(work: UnitOfWork, agent: Agent, head: GalleryHead, since: int, *, now: datetime) -> None:
    """Write down that an agent is given the embeddings of a body, if there are any."""
    if head.templates:
        people = sorted({owner for _, owner in head.templates})
        audit.note(
            work,
            f"agent:{agent.agent_id}",
            "templates.read",
            agent.site_id,
            now=now,
            count=len(head.templates),
            people=people[:100],
            people_count=len(people),
            since=since,
            gen=head.gen,
            model_id=head.model_id,
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


def owners_of(session: Session, site_id: str, model_id: str) -> dict[int, str]:
    """Return whose each template is that the agents of a site and model may search, by number."""
    rows = session.execute(
        select(FaceTemplate.template_id, FaceTemplate.employee_id)
        .join(Employee, Employee.employee_id == FaceTemplate.employee_id)
        .where(Employee.site_id == site_id, FaceTemplate.model_id == model_id, *MAY_BE_SEARCHED)
        .order_by(FaceTemplate.template_id)
    )
    return {int(number): str(owner) for number, owner in rows}


def _generation(session: Session, agent: Agent, model_id: str) -> int:
    """Return the newest generation of a model; never below what the agent holds, which refuses to go back.

    (It can hold a later one when this database was restored from a backup.)
    """
    newest = session.scalar(select(func.max(TemplateLog.gen)).where(TemplateLog.model_id == model_id))
    return max(newest or 0, agent.gallery_gen)


def compact_log(work: UnitOfWork, now: datetime) -> int:
    """Forget changes of 90 days ago; return how many. The newest of each model stays: it is its generation.

    That is much longer than any lease: no agent can hold what the log does not know any more.
    """
    newest = select(func.max(TemplateLog.gen)).group_by(TemplateLog.model_id)
    old = delete(TemplateLog).where(TemplateLog.at < now - KEEP_LOG, TemplateLog.gen.not_in(newest))
    return work.session.execute(old).rowcount


def log_change(work: UnitOfWork, op: str, template: FaceTemplate, now: datetime) -> None:
    """Write down that a template came (add) or went (del); never the embedding itself."""
    work.session.add(
        TemplateLog(
            op=op,
            template_id=template.template_id,
            employee_id=template.employee_id,
            model_id=template.model_id,
            at=now,
        )
    )
