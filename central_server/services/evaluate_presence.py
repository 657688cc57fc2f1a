"""Evaluate one site's presence at its watermark: who has gone unseen for too long, and whom to tell."""

from dataclasses import dataclass, field
from datetime import date, datetime

from central_server.config import RulesConfig
from central_server.db.stores import alerts, coverage, days_due, presence
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.alerts import CloseAlert, OpenAlert, OpenOne, alerts_for
from central_server.domain.coverage import LONG_AGO
from central_server.domain.people import Person
from central_server.domain.presence import Presence, Reason, State, next_check, nobody_yet, presence_at
from central_server.services.open_alerts import AlertTemplate, open_out_of_area, open_outages
from central_server.services.recompute_attendance import recompute_days
from central_server.services.site_scene import Scene, SiteMemory, look_at, read_again

MOST_DAYS = 20  # when more people than this come or go in one tick, their days are computed a little later


def evaluate_site(
    work: UnitOfWork,
    site_id: str,
    rules: RulesConfig,
    *,
    now: datetime,
    listening_since: datetime | None = None,
    template: AlertTemplate | None = None,
    memory: SiteMemory | None = None,
) -> None:
    """Bring the presence of everybody at a site up to its watermark, and open or close alerts.

    listening_since: when this server began to hear agents (default: always did); silence from before
    proves nothing. template: the approved WhatsApp template for alerts. memory: what the last evaluation
    knew, to look only at those of whom something can have changed; None: everybody is looked at.
    """
    template = template or AlertTemplate()
    heard = listening_since or LONG_AGO
    open_now = alerts.open_ones(work.session, site_id)
    agents, cameras = coverage.agents(work.session, site_id), coverage.cameras(work.session, site_id)
    open_outages(work, site_id, open_now, rules, agents, cameras, now=now, heard=heard)
    about = {each.employee_id: each for each in open_now if each.employee_id}
    scene = look_at(
        work, site_id, rules, memory or SiteMemory(), agents, cameras,
        now=now, listening_since=heard, also=about.keys(),
    )  # fmt: skip
    changes = _Changes()
    for employee_id, here in scene.presences.items():
        changes.judge(scene, employee_id, here, about.get(employee_id))
    for employee_id in scene.newcomers:
        changes.judge(scene, employee_id, None, about.get(employee_id))
    if memory is not None and changes.missed:  # before anybody is told: what does HR say this very moment?
        read_again(work, scene, changes.missed)
        for employee_id in changes.missed:
            changes.judge(scene, employee_id, scene.presences.get(employee_id), about.get(employee_id))
    presence.put(work.session, *changes.put.values(), check_at=changes.check_at)
    presence.look_again(
        work.session, {key: at for key, at in changes.check_at.items() if key not in changes.put}
    )
    for person, decision in changes.decided.values():
        _tell(work, person, decision, rules, now, template)
    if len(changes.days) > MOST_DAYS:
        days_due.mark(work.session, changes.days, now)
    else:
        recompute_days(work, changes.days, rules, now=now)


@dataclass
class _Changes:
    """What an evaluation comes to, by person."""

    put: dict[str, Presence] = field(default_factory=dict)
    check_at: dict[str, datetime] = field(default_factory=dict)
    decided: dict[str, tuple[Person, OpenAlert | CloseAlert]] = field(default_factory=dict)
    days: set[tuple[str, date]] = field(default_factory=set)

    @property
    def missed(self) -> list[str]:
        """Who is newly missed."""
        return [key for key, (_, each) in self.decided.items() if isinstance(each, OpenAlert)]

    def judge(self, scene: Scene, employee_id: str, here: Presence | None, open_one: OpenOne | None) -> None:
        for found in (self.put, self.check_at, self.decided):
            found.pop(employee_id, None)  # type: ignore[attr-defined]
        person = scene.roster.people.get(employee_id)
        if person is None:
            return
        if here and not open_one and (until := scene.is_plainly_there(person, here)):
            self._look_again(scene, employee_id, until)
            return
        before = here or nobody_yet(employee_id, person.site_id, scene.at)
        facts, next_duty = scene.facts(person, here)
        after = presence_at(before, facts)
        check_at = next_check(after, facts, next_duty)
        if after is not before or here is None:
            self.put[employee_id] = after
            self.check_at[employee_id] = check_at
        else:
            self._look_again(scene, employee_id, check_at)
        if here and here.business_date and (here.state is State.OFF) != (after.state is State.OFF):
            self.days.add((employee_id, here.business_date))
        if open_one is not None or after.reason is Reason.OUT_OF_AREA:
            decision = alerts_for(
                after, open_one, is_watched=person.is_watched, at=scene.at, standing=facts.duty.standing
            )
            if decision is not None:
                self.decided[employee_id] = person, decision

    def _look_again(self, scene: Scene, employee_id: str, check_at: datetime) -> None:
        """Note when the person is to be looked at again; an earlier look than needed does no harm."""
        known = scene.check_at.get(employee_id)
        if known != check_at and (known is None or known <= scene.at or known > check_at):
            self.check_at[employee_id] = check_at


def _tell(
    work: UnitOfWork,
    person: Person,
    decision: OpenAlert | CloseAlert,
    rules: RulesConfig,
    now: datetime,
    template: AlertTemplate,
) -> None:
    if isinstance(decision, CloseAlert):
        alerts.close(work.session, decision.alert_id, decision.reason, now)
    else:
        open_out_of_area(work, decision, person, rules, now=now, template=template)
