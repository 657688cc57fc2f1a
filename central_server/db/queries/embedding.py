"""How far the people of a site are embedded, for each model that its agents recognise with."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, AgentCommand, Employee, EnrolmentPhoto, FaceTemplate
from central_server.db.queries.places import Places

IN_USE = timedelta(days=30)  # an agent that was heard of within this time still needs its model


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Somebody whom a model does not know, and will not by itself."""

    employee_id: str
    name: str
    reason: str  # why the photo was refused, or no_photo


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelLine:
    """One model at one site."""

    site: str
    model_id: str
    agents: tuple[str, ...]  # names
    people: int  # with consent, and a photo or a template of any model
    done: int
    left: tuple[Left, ...]  # HR can help

    @property
    def waiting(self) -> int:
        return self.people - self.done - len(self.left)

    @property
    def percent(self) -> int:
        return 100 * self.done // self.people if self.people else 100


def models_in_use(session: Session, places: Places, *, now: datetime) -> tuple[ModelLine, ...]:
    """Return a line for each model of each site that an agent recognises with."""
    agents: dict[tuple[str, str], list[str]] = {}
    for each in session.scalars(select(Agent).where(Agent.revoked_at.is_(None), Agent.model_id != "")):
        if now - (each.heartbeat_at or each.joined_at) < IN_USE:
            agents.setdefault((each.site_id, each.model_id), []).append(each.name)
    if not agents:
        return ()
    known, photos = _templates(session), _photos(session)
    refused = _refused(session)
    lines = []
    for (site_id, model_id), names in agents.items():
        people = {who: name for who, name in _people(session, site_id) if who in photos or who in known}
        done = {who for who in people if model_id in known.get(who, ())}
        left = [
            Left(employee_id=who, name=people[who], reason=reason)
            for who in people.keys() - done
            if (reason := _reason(photos.get(who, ()), refused.get(model_id, {})))
        ]
        lines.append(
            ModelLine(
                site=places.sites[site_id].name if site_id in places.sites else site_id,
                model_id=model_id,
                agents=tuple(sorted(names)),
                people=len(people),
                done=len(done),
                left=tuple(sorted(left, key=lambda each: (each.name, each.employee_id))),
            )
        )
    return tuple(sorted(lines, key=lambda each: (each.site, each.model_id)))


def _reason(photos: Iterable[str], refused: Mapping[str, str]) -> str:
    """Return why none of somebody's photos will do; nothing while one of them may."""
    reasons = [refused.get(each, "") for each in photos]
    if not reasons:
        return "no_photo"
    return reasons[0] if all(reasons) else ""


def _people(session: Session, site_id: str) -> Iterable[Row[tuple[str, str]]]:
    return session.execute(
        select(Employee.employee_id, Employee.name).where(
            Employee.site_id == site_id,
            Employee.status == "active",
            Employee.consent_at.is_not(None),
            Employee.consent_withdrawn_at.is_(None),
        )
    )


def _templates(session: Session) -> Mapping[str, set[str]]:
    """Return the models that know each person."""
    known: dict[str, set[str]] = {}
    for who, model_id in session.execute(select(FaceTemplate.employee_id, FaceTemplate.model_id).distinct()):
        known.setdefault(who, set()).add(model_id)
    return known


def _photos(session: Session) -> Mapping[str, list[str]]:
    """Return each person's photos, the newest first."""
    photos: dict[str, list[str]] = {}
    query = select(EnrolmentPhoto.employee_id, EnrolmentPhoto.photo_id)
    for who, photo_id in session.execute(query.order_by(EnrolmentPhoto.uploaded_at.desc())):
        photos.setdefault(who, []).append(photo_id)
    return photos


def _refused(session: Session) -> Mapping[str, dict[str, str]]:
    """Return why photos were refused, by model and photo."""
    refused: dict[str, dict[str, str]] = {}
    jobs = select(AgentCommand).where(AgentCommand.kind == "embed", AgentCommand.ok.is_(False))
    for job in session.scalars(jobs):
        refused.setdefault(job.args["model_id"], {})[job.args["photo_id"]] = job.detail
    return refused
