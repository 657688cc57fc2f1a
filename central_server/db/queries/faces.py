"""Where faces are: which boxes hold a person's templates, or may still hold those of somebody erased."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, AuditLog, Employee, TemplateLog
from central_server.db.queries.places import Places
from central_server.domain.coverage import MISSED_HEARTBEATS
from central_server.domain.holding import LEASE, Box, Hold, Lent, hold_of, may_hold

AT_A_TIME = 500  # numbers of one question
MOST_CHANGES = 20_000  # of the log, newest first, that are looked at for the list


@dataclass(frozen=True, slots=True, kw_only=True)
class HolderLine:
    """One box that holds, or may hold, somebody's face."""

    agent_id: str
    name: str
    site: str
    hold: Hold
    heard: datetime | None  # local
    lease_ends: datetime | None  # local
    people: tuple[tuple[str, str], ...] = ()  # code and name, of the erased; the name may be gone

    @property
    def is_lapsed(self) -> bool:
        return self.hold is Hold.LAPSED


def holders_of(
    session: Session, places: Places, employee_id: str, *, now: datetime
) -> tuple[HolderLine, ...]:
    """Return the boxes that may hold somebody's face; also of a code that only the log still knows."""
    log = select(TemplateLog).where(TemplateLog.employee_id == employee_id)
    lents = _lents(session.scalars(log).all())
    person = session.get(Employee, employee_id)
    found = []
    for agent, box in _boxes(session, now, {each.model_id for each in lents.values()}):
        if person is not None and person.site_id != agent.site_id:
            continue
        if hold := hold_of(box, lents.values(), now):
            found.append(_line(agent, box, hold, places))
    return tuple(sorted(found, key=lambda each: (each.hold is Hold.ENROLLED, each.site, each.name)))


def is_known(session: Session, employee_id: str) -> bool:
    """Tell whether anybody has, or had, this code: as an employee, or as a face that was erased since."""
    if session.get(Employee, employee_id) is not None:
        return True
    log = select(TemplateLog.gen).where(TemplateLog.employee_id == employee_id)
    return session.scalar(log.limit(1)) is not None


def boxes_to_forget(session: Session, places: Places, *, now: datetime) -> tuple[HolderLine, ...]:
    """Return the boxes that may still hold somebody who was erased, with these people."""
    people = session.execute(select(Employee.employee_id, Employee.site_id, Employee.name)).all()
    sites, names = {who: site for who, site, _ in people}, {who: name for who, _, name in people}
    by_model: dict[str, list[tuple[Agent, Box]]] = {}
    for agent, box in _boxes(session, now):
        if max(box.applied_gen, box.given_gen) > 0:
            by_model.setdefault(box.model_id, []).append((agent, box))
    found = []
    for model_id, boxes in by_model.items():
        erased = _erased_since(session, model_id, min(box.applied_gen for _, box in boxes))
        for agent, box in boxes:
            theirs = [(who, lent) for who, lent in erased if sites.get(who, agent.site_id) == agent.site_id]
            if hold := hold_of(box, (lent for _, lent in theirs), now):
                erased_people = sorted({who for who, lent in theirs if may_hold(box, lent)})
                line = _line(agent, box, hold, places)
                found.append(replace(line, people=tuple((who, names.get(who, "")) for who in erased_people)))
    return tuple(sorted(found, key=lambda each: (each.is_lapsed, each.site, each.name)))


def _erased_since(session: Session, model_id: str, gen: int) -> list[tuple[str, Lent]]:
    """Return the templates of a model that were erased after a generation, with whose they were."""
    log = select(TemplateLog).where(
        TemplateLog.model_id == model_id, TemplateLog.op == "del", TemplateLog.gen > gen
    )
    gone = session.scalars(log.order_by(TemplateLog.gen.desc()).limit(MOST_CHANGES)).all()
    numbers = [each.template_id for each in gone]
    rows = list(gone)
    for start in range(0, len(numbers), AT_A_TIME):
        some = TemplateLog.template_id.in_(numbers[start : start + AT_A_TIME])
        rows += session.scalars(select(TemplateLog).where(TemplateLog.op == "add", some))
    lents = _lents(rows)
    return [(each.employee_id, lents[each.template_id]) for each in gone]


def _lents(rows: Iterable[TemplateLog]) -> Mapping[int, Lent]:
    """Return the life of each template that the rows speak of."""
    lents: dict[int, Lent] = {}
    for row in rows:
        lent = lents.get(row.template_id, Lent(row.model_id, 0))
        change = {"added_gen": row.gen} if row.op == "add" else {"deleted_gen": row.gen}
        lents[row.template_id] = replace(lent, **change)
    return lents


def _boxes(session: Session, now: datetime, models: set[str] | None = None) -> list[tuple[Agent, Box]]:
    agents = [each for each in session.scalars(select(Agent)) if models is None or each.model_id in models]
    given = _given(session, now)
    return [(each, _box(each, given.get((each.agent_id, each.model_id), 0), now)) for each in agents]


def _given(session: Session, now: datetime) -> Mapping[tuple[str, str], int]:
    """Return the newest generation that each agent was given, by agent and model, within one lease."""
    newest: dict[tuple[str, str], int] = {}
    reads = select(AuditLog.actor, AuditLog.detail).where(
        AuditLog.at > now - LEASE, AuditLog.action == "templates.read"
    )
    for actor, detail in session.execute(reads):
        key = actor.removeprefix("agent:"), str(detail.get("model_id", ""))
        newest[key] = max(newest.get(key, 0), int(detail.get("gen", 0)))
    return newest


def _box(agent: Agent, given_gen: int, now: datetime) -> Box:
    heard = agent.heartbeat_at
    patience = MISSED_HEARTBEATS * timedelta(seconds=agent.heartbeat_interval_s)
    left = (agent.health or {}).get("lease_left_s")
    lasts = timedelta(seconds=left) if isinstance(left, int | float) else LEASE
    return Box(
        agent_id=agent.agent_id,
        model_id=agent.model_id,
        applied_gen=agent.gallery_gen,
        given_gen=given_gen,
        is_well=agent.state == "online" and heard is not None and now - heard <= patience,
        is_revoked=agent.revoked_at is not None,
        lease_ends_at=(heard or agent.joined_at) + lasts,
    )


def _line(agent: Agent, box: Box, hold: Hold, places: Places) -> HolderLine:
    return HolderLine(
        agent_id=agent.agent_id,
        name=agent.name,
        site=places.sites[agent.site_id].name if agent.site_id in places.sites else "",
        hold=hold,
        heard=places.local(agent.heartbeat_at, agent.site_id),
        lease_ends=places.local(box.lease_ends_at, agent.site_id),
    )
