"""Everything that one evaluation of a site's presence looks at, and what is kept of it until the next."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from central_server.config import RulesConfig
from central_server.db.stores import coverage, people, presence, shifts
from central_server.db.stores import roster as stored
from central_server.db.stores.person_days import MOST_IN_A_QUESTION
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.coverage import AgentFacts, CameraFacts, Proof, SiteCoverage, site_coverage
from central_server.domain.people import Person
from central_server.domain.presence import Circumstances, Presence, Reason, State
from central_server.domain.shifts import Duty, Schedule, Standing
from central_server.domain.watch import Touched, Watch
from central_server.domain.whereabouts import Whereabouts

READ_EVERY = timedelta(seconds=30)  # what HR changes acts within this time
ANEW_EVERY = timedelta(minutes=10)  # and everybody is looked at, whatever happened
_CALM = (Standing.OFF_SHIFT, Standing.ON_LEAVE)  # nobody is missed


@dataclass(frozen=True, slots=True)
class Judged:
    """What the schedule of a person says at a moment, and until when it says the same."""

    since: datetime
    until: datetime
    today: date
    duty: Duty


@dataclass
class Roster:
    """Who is at a site, or belongs there, and what HR says about them."""

    people: dict[str, Person] = field(default_factory=dict)
    kinds: dict[str, object] = field(default_factory=dict)  # people of one kind are expected alike
    schedules: dict[object, Schedule] = field(default_factory=dict)  # of each kind
    judged: dict[object, Judged] = field(default_factory=dict)
    given: Mapping[str, frozenset[str]] = field(default_factory=dict)
    zone_thresholds: Mapping[str, timedelta] = field(default_factory=dict)
    role_thresholds: Mapping[str, timedelta] = field(default_factory=dict)

    def add(self, found: Mapping[str, Person], schedules: Mapping[str, Schedule], at: datetime) -> None:
        self.people.update(found)
        shared: dict[int, object] = {}
        for employee_id in found:
            schedule = schedules[employee_id]
            if (kind := shared.get(id(schedule))) is None:
                kind = shared[id(schedule)] = _kind(schedule, at.date())
                self.schedules.setdefault(kind, schedule)
            self.kinds[employee_id] = kind

    def schedule_of(self, employee_id: str) -> Schedule:
        return self.schedules[self.kinds[employee_id]]

    def judge(self, employee_id: str, at: datetime) -> Judged:
        kind = self.kinds[employee_id]
        known = self.judged.get(kind)
        if known is None or not known.since <= at < known.until:
            schedule = self.schedule_of(employee_id)
            known = Judged(
                at, schedule.next_change(at), schedule.business_date(at), schedule.duty_at(at)
            )  # fmt: skip
            self.judged[kind] = known
        return known

    def unseen_after(self, person: Person, zone_id: str | None, default: timedelta) -> timedelta:
        """Return how long the person may be unseen: as the zone or the role says, the longer of both."""
        said = (
            self.zone_thresholds.get(zone_id or ""),
            self.role_thresholds.get(person.role.strip().casefold()) if self.role_thresholds else None,
        )
        return max((each for each in said if each is not None), default=default)


@dataclass
class SiteMemory:
    """What the last evaluation of a site knew. Without it, everybody is looked at.

    It may be used again only after the transaction of that evaluation was committed.
    """

    roster: Roster | None = None
    said: stored.Said | None = None  # what HR said, of which the roster was made
    read_at: datetime | None = None
    made_at: datetime | None = None
    at: datetime | None = None  # the watermark, which goes on from there
    watch: Watch | None = None  # which cameras watched, and since when

    def is_stale(self, now: datetime) -> bool:
        return not _is_within(self.read_at, now, READ_EVERY)


@dataclass
class Scene:
    """One moment of a site. presences: of those who are to be looked at."""

    at: datetime  # the watermark; without one, now
    now: datetime  # by the server's clock, which is a kiosk's too
    coverage: SiteCoverage
    roster: Roster
    rules: RulesConfig
    presences: dict[str, Presence]
    check_at: dict[str, datetime | None]
    newcomers: dict[str, Person] = field(default_factory=dict)  # without a presence
    whereabouts: Whereabouts = field(init=False)

    def __post_init__(self) -> None:
        self.whereabouts = Whereabouts(self.coverage)

    def facts(self, person: Person, here: Presence | None) -> tuple[Circumstances, datetime]:
        """Return what the rule looks at, and when something else may be expected of the person."""
        judged = self.roster.judge(person.employee_id, self.at)
        proof = self._proof(person, here, judged)
        return Circumstances(
            at=min(self.at, proof.to) if proof.to else self.at,
            today=judged.today,
            duty=judged.duty,
            is_followed=person.is_followed_on(judged.today),
            home_site_id=person.site_id,
            unseen_after=self.roster.unseen_after(
                person, here.zone_id if here else None, self.rules.unseen_after
            ),
            covered_since=proof.since,
            is_camera_watching=here is not None and self._is_watched(here),
            is_held=self.coverage.is_held,
        ), judged.until

    def is_plainly_there(self, person: Person, here: Presence) -> datetime | None:
        """Return until when nothing can be said but that the person is there; None: the rule is asked.

        A short cut for nearly everybody at nearly every time; it must say what the rule says.
        """
        if here.state is not State.AVAILABLE or here.last_seen is None or not self._is_watched(here):
            return None
        until = here.last_seen + self.roster.unseen_after(person, here.zone_id, self.rules.unseen_after)
        at_home = Reason.IN_AREA if here.site_id == person.site_id else Reason.ELSEWHERE
        if self.at > until or here.reason is not at_home:
            return None
        judged = self.roster.judge(person.employee_id, self.at)
        return min(until, judged.until) if person.is_followed_on(judged.today) else None

    def _is_watched(self, here: Presence) -> bool:
        """Tell whether what saw the person last still would; a kiosk always would."""
        return self.coverage.is_watching(here.camera_id) or not self.coverage.is_known(here.camera_id)

    def _proof(self, person: Person, here: Presence | None, judged: Judged) -> Proof:
        """Return over which time the person would have been seen, wherever they may have been."""
        is_seen_today = here is not None and here.business_date == judged.today
        if not is_seen_today and judged.duty.standing in _CALM:
            return Proof(self.coverage.site_since)  # nothing is held against anybody: the site is not blind
        given = self.roster.given.get(person.employee_id, frozenset())
        if here is None:
            return self.whereabouts.proof({}, given, None, judged.today)
        return self.whereabouts.proof(here.zones, given, here.camera_id, judged.today)


def look_at(
    work: UnitOfWork,
    site_id: str,
    rules: RulesConfig,
    memory: SiteMemory,
    agents: list[AgentFacts],
    cameras: list[CameraFacts],
    *,
    now: datetime,
    waiting_since: datetime,
    also: Collection[str],
) -> Scene:
    """Return who is to be looked at now: everybody, or those of whom time alone may have changed something.

    also: who is looked at in any case.
    """
    covered = site_coverage(agents, cameras, now, waiting_since)
    covered = covered.joined_with(coverage.of_others(work.session, site_id, now))
    at = _not_back(covered.watermark, memory.at, now) or now
    if covered.watermark is not None:
        memory.at = at
    watch = Watch.of(covered)
    touched, memory.watch = watch.touched(memory.watch), watch
    is_reading = memory.roster is None or memory.is_stale(now)
    roster, changed = _roster(work, site_id, rules, memory, at=at, now=now)
    who = None
    if changed is not None and touched is not None:
        who = {*also, *changed, *_concerned(work, site_id, touched, roster, at)}
    if who is not None and len(who) > MOST_IN_A_QUESTION:
        who = None  # to ask for everybody is quicker
    presences, checks = presence.of_site_with_checks(
        work.session, site_id, due_at=None if who is None else at, also=who or ()
    )
    _add(work, roster, presences.keys() - roster.people.keys(), rules, at)
    new = stored.newcomers(work.session, site_id) if is_reading else set()
    return Scene(
        at=at,
        now=now,
        coverage=covered,
        roster=roster,
        rules=rules,
        presences=presences,
        check_at=checks,
        newcomers={each: roster.people[each] for each in sorted(new & roster.people.keys())},
    )


def read_again(work: UnitOfWork, scene: Scene, employee_ids: Collection[str]) -> None:
    """Bring what HR says about those people up to date."""
    roster = scene.roster
    roster.given = people.given_zones(work.session)
    roster.zone_thresholds = coverage.thresholds(work.session)
    roster.role_thresholds = coverage.role_thresholds(work.session)
    _add(work, roster, employee_ids, scene.rules, scene.at)


def _concerned(
    work: UnitOfWork, site_id: str, touched: Touched, roster: Roster, at: datetime
) -> Iterator[str]:
    """Yield of whom something else can be said since cameras failed, or are back."""
    if not touched.places and not touched.is_whole_site:
        return
    cameras = touched.cameras
    for employee_id, camera_id, day, zones in presence.not_plainly_there(work.session, site_id, cameras):
        if camera_id in cameras or employee_id not in roster.people:
            yield employee_id
            continue
        judged = roster.judge(employee_id, at)
        if day != judged.today and judged.duty.standing in _CALM:
            continue  # of them the cameras need not prove anything
        if touched.concerns(zones, roster.given.get(employee_id, frozenset()), judged.today):
            yield employee_id


def _roster(
    work: UnitOfWork, site_id: str, rules: RulesConfig, memory: SiteMemory, *, at: datetime, now: datetime
) -> tuple[Roster, Collection[str] | None]:
    """Return what HR says now, and of whom it says something else than before; None: of anybody."""
    roster, before = memory.roster, memory.said
    if roster is not None and not memory.is_stale(now):
        return roster, ()
    said = stored.said(work.session, site_id, at)
    memory.said, memory.read_at = said, now
    is_old = not _is_within(memory.made_at, now, ANEW_EVERY)
    if roster is None or before is None or is_old or said.rules != before.rules:
        memory.roster, memory.made_at = _new_roster(work, said, rules, at), now
        return memory.roster, None
    changed = said.changed(before)
    for employee_id in changed:
        roster.people.pop(employee_id, None)
    _add(work, roster, changed & said.people.keys(), rules, at)
    return roster, changed


def _new_roster(work: UnitOfWork, said: stored.Said, rules: RulesConfig, at: datetime) -> Roster:
    session = work.session
    here = {employee_id: people.person_of(row) for employee_id, row in said.people.items()}
    roster = Roster(
        given=people.given_zones(session),
        zone_thresholds=coverage.thresholds(session),
        role_thresholds=coverage.role_thresholds(session),
    )
    roster.add(here, shifts.schedules(session, here, day_cutoff=rules.day_cutoff), at)
    return roster


def _add(
    work: UnitOfWork, roster: Roster, employee_ids: Collection[str], rules: RulesConfig, at: datetime
) -> None:
    found = people.by_id(work.session, employee_ids)
    if found:
        roster.add(found, shifts.schedules(work.session, found, day_cutoff=rules.day_cutoff), at)


def _not_back(watermark: datetime | None, before: datetime | None, now: datetime) -> datetime | None:
    """Return the watermark, which never goes back: an agent that is well again lags behind for a moment."""
    if watermark is None or before is None or before > now:
        return watermark
    return max(watermark, before)


def _is_within(since: datetime | None, now: datetime, span: timedelta) -> bool:
    return since is not None and timedelta(0) <= now - since < span


def _kind(schedule: Schedule, today: date) -> object:
    """Return what people have in common of whom the same is expected these days."""
    leaves = tuple(
        each
        for each in schedule.leaves
        if each.last_on >= today - stored.AROUND and each.first_on <= today + stored.AROUND
    )
    assigned = tuple(
        (id(each.shift), id(each.rotation), each.is_own, each.valid_from, each.valid_to)
        for each in schedule.assignments
    )
    place = (id(schedule.breaks), id(schedule.holidays), schedule.timezone, schedule.day_cutoff)
    return place, assigned, leaves
