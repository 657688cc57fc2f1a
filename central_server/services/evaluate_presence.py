"""Evaluate one site's presence at its watermark: who has gone unseen for too long, and whom to tell."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from central_server.config import RulesConfig
from central_server.db.stores import alerts, coverage, people, presence, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.alerts import CloseAlert, OpenAlert, OpenOne, alerts_for
from central_server.domain.coverage import SiteCoverage
from central_server.domain.people import Person
from central_server.domain.presence import Circumstances, Presence, State, nobody_yet, presence_at
from central_server.domain.punching import presence_by_punches
from central_server.domain.shifts import Duty, Schedule
from central_server.services.open_alerts import AlertTemplate, open_out_of_area, open_outages
from central_server.services.recompute_attendance import recompute_days


def evaluate_site(
    work: UnitOfWork,
    site_id: str,
    rules: RulesConfig,
    *,
    now: datetime,
    listening_since: datetime | None = None,
    template: AlertTemplate | None = None,
) -> None:
    """Bring the presence of everybody at a site up to its watermark, and open or close alerts.

    listening_since: when this server began to hear agents (default: always did); silence from before
    proves nothing. template: the approved WhatsApp template for alerts.
    """
    template = template or AlertTemplate()
    open_now = alerts.open_ones(work.session, site_id)
    open_outages(work, site_id, open_now, rules, now=now, listening_since=listening_since, template=template)
    scene = _scene(work, site_id, rules, now)
    about = {each.employee_id: each for each in open_now if each.employee_id}
    changed: set[tuple[str, date]] = set()
    for employee_id, person in scene.people.items():
        before = scene.presences.get(employee_id)
        known = before or nobody_yet(employee_id, person.site_id, scene.at)
        by_punches = presence_by_punches(known, person, scene.schedules[employee_id], now)
        after = by_punches or presence_at(known, scene.facts(person))
        if after != before:
            presence.put(work.session, after)
        if before and before.business_date and (before.state is State.OFF) != (after.state is State.OFF):
            changed.add((employee_id, before.business_date))
        _tell(work, person, after, about.get(employee_id), scene, rules, now, template)
    recompute_days(work, changed, rules, now=now)


@dataclass
class _Scene:
    """Everything that one evaluation looks at; schedules shared by many are judged once."""

    at: datetime
    coverage: SiteCoverage
    people: dict[str, Person]
    presences: dict[str, Presence]
    schedules: dict[str, Schedule]
    thresholds: dict[str, timedelta]
    unseen_after: timedelta
    judged: dict[int, tuple[date, Duty]] = field(default_factory=dict)

    def facts(self, person: Person) -> Circumstances:
        schedule = self.schedules[person.employee_id]
        today, duty = self._judge(schedule)
        here = self.presences.get(person.employee_id)
        is_seen_today = here is not None and here.business_date == today
        zone_id, camera_id = (here.zone_id, here.camera_id) if here else (None, None)
        return Circumstances(
            at=self.at,
            today=today,
            duty=duty,
            is_followed=person.is_followed_on(today),
            home_site_id=person.site_id,
            unseen_after=self.thresholds.get(zone_id or "", self.unseen_after),
            covered_since=(
                self.coverage.since(zone_id, camera_id) if is_seen_today else self.coverage.site_since
            ),
            is_camera_watching=self.coverage.is_watching(camera_id),
        )

    def _judge(self, schedule: Schedule) -> tuple[date, Duty]:
        if id(schedule) not in self.judged:
            self.judged[id(schedule)] = schedule.business_date(self.at), schedule.duty_at(self.at)
        return self.judged[id(schedule)]


def _scene(work: UnitOfWork, site_id: str, rules: RulesConfig, now: datetime) -> _Scene:
    session = work.session
    covered = coverage.of_site(session, site_id, now)
    presences = presence.of_site(session, site_id)
    at_home = people.of_site(session, site_id)
    away = presence.elsewhere(session, site_id)
    visitors = people.by_id(session, presences.keys() - at_home.keys())
    present = {key: each for key, each in (at_home | visitors).items() if key not in away}
    at = covered.watermark or now
    return _Scene(
        at=at,
        coverage=covered,
        people={key: each for key, each in present.items() if each.status == "active" or key in presences},
        presences=presences,
        schedules=shifts.schedules(session, present, day_cutoff=rules.day_cutoff),
        thresholds=coverage.thresholds(session),
        unseen_after=rules.unseen_after,
    )


def _tell(
    work: UnitOfWork,
    person: Person,
    after: Presence,
    open_one: OpenOne | None,
    scene: _Scene,
    rules: RulesConfig,
    now: datetime,
    template: AlertTemplate,
) -> None:
    match alerts_for(after, open_one, is_watched=person.is_watched, at=scene.at):
        case CloseAlert() as over:
            alerts.close(work.session, over.alert_id, over.reason, now)
        case OpenAlert() as alert:
            open_out_of_area(work, alert, person, rules, now=now, template=template)
