"""Which recognition models are in use; the templates of one that nobody uses any more are erased in time."""

from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from central_server.db.models import Agent, AgentCommand, AuditLog, FaceTemplate
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import audit, publish_gallery

GRACE = timedelta(days=30)  # a technician may go back to the model of before
LEFT = "model.left"  # the action in the audit log; its subject is the model


def change_model(work: UnitOfWork, agent: Agent, model_id: str, now: datetime) -> None:
    """Note what an agent recognises with now. What it held of the model before, it has erased."""
    model_id = model_id[:120]
    if model_id == agent.model_id:
        return
    if agent.model_id:
        audit.note(work, f"agent:{agent.agent_id}", LEFT, agent.model_id, now=now, to=model_id)
    agent.model_id, agent.gallery_gen = model_id, 0


def retire_models(work: UnitOfWork, *, now: datetime) -> int:
    """Erase the templates of models that no agent has used for 30 days; return how many there were."""
    used = set(work.session.scalars(select(Agent.model_id).where(Agent.revoked_at.is_(None))))
    newest = select(FaceTemplate.model_id, func.max(FaceTemplate.created_at)).group_by(FaceTemplate.model_id)
    erased = 0
    for model_id, made_at in work.session.execute(newest).all():
        if model_id not in used and max(made_at, _last_used(work, model_id) or made_at) < now - GRACE:
            erased += _erase(work, model_id, now)
    return erased


def _last_used(work: UnitOfWork, model_id: str) -> datetime | None:
    left = select(func.max(AuditLog.at)).where(AuditLog.action == LEFT, AuditLog.subject == model_id)
    revoked = select(func.max(Agent.revoked_at)).where(Agent.model_id == model_id)
    moments = [work.session.scalar(each) for each in (left, revoked)]
    return max((each for each in moments if each), default=None)


def _erase(work: UnitOfWork, model_id: str, now: datetime) -> int:
    rows = select(FaceTemplate).where(FaceTemplate.model_id == model_id)
    count = 0
    for template in work.session.scalars(rows.execution_options(yield_per=500)):
        publish_gallery.log_change(work, "del", template, now)
        count += 1
    work.session.execute(delete(FaceTemplate).where(FaceTemplate.model_id == model_id))
    for job in work.session.scalars(select(AgentCommand).where(AgentCommand.kind == "embed")).all():
        if job.args["model_id"] == model_id:
            work.session.delete(job)
    audit.note(work, "system", "model.retired", model_id, now=now, templates=count)
    return count
