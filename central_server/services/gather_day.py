"""Gather the facts of person-days: what was seen and punched, HR's corrections, and who watched."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.config import RulesConfig
from central_server.db.models import Site
from central_server.db.stores import attendance, events, presence
from central_server.db.stores.person_days import PersonDay
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import DayFacts, Punch
from central_server.domain.intervals import Interval
from central_server.domain.people import Person
from central_server.domain.presence import State
from central_server.domain.shifts import Schedule, ShiftDay
from central_server.services.watch_of_days import Watch, given_up, sites_lately


@dataclass(slots=True)
class DaySeen:
    """When somebody was seen on one business date, in no order, and where at first."""

    seen_at: list[datetime] = field(default_factory=list)
    punches: list[Punch] = field(default_factory=list)
    first_at: datetime | None = None
    first_site_id: str = ""
    site_ids: set[str] = field(default_factory=set)

    def add(self, at: datetime, kind: str, site_id: str) -> None:
        """Take in a sighting, or a punch at a kiosk."""
        if kind in events.PUNCHES:
            self.punches.append(Punch(at, kind == "in"))
        else:
            self.seen_at.append(at)
        self.site_ids.add(site_id)
        if self.first_at is None or (at, site_id) < (self.first_at, self.first_site_id):
            self.first_at, self.first_site_id = at, site_id

    def take(self, more: "DaySeen") -> None:
        """Take in what was seen besides."""
        self.seen_at += more.seen_at
        self.punches += more.punches
        self.site_ids |= more.site_ids
        if more.first_at is not None and (
            self.first_at is None or (more.first_at, more.first_site_id) < (self.first_at, self.first_site_id)
        ):
            self.first_at, self.first_site_id = more.first_at, more.first_site_id


@dataclass(frozen=True, slots=True)
class Cast:
    """Everybody whose days are gathered, and when they are expected."""

    people: Mapping[str, Person]
    schedules: Mapping[str, Schedule]


def facts_of_day(
    work: UnitOfWork,
    person: Person,
    day: date,
    schedule: Schedule,
    rules: RulesConfig,
    *,
    complete_to: datetime,
) -> DayFacts:
    """Return everything that the person-day follows from. complete_to: how far the record is complete."""
    cast = Cast({person.employee_id: person}, {person.employee_id: schedule})
    [facts] = facts_of_days(work, {(person.employee_id, day): complete_to}, cast, rules)
    return facts


def facts_of_days(
    work: UnitOfWork,
    days: Mapping[PersonDay, datetime],
    cast: Cast,
    rules: RulesConfig,
    *,
    seen: Mapping[PersonDay, DaySeen] | None = None,
) -> Iterator[DayFacts]:
    """Yield the facts of person-days of the cast, in their order, each kind asked for once.

    days: each with how far the record is complete. seen: what was seen on them, for who knows already.
    """
    session = work.session
    if seen is None:
        seen = seen_on(session, days.keys())
    said = attendance.corrections_of(session, days.keys())
    here = presence.by_id(session, {employee_id for employee_id, _ in days})
    zones = _timezones(session, seen, days.keys(), cast)
    watched = _Watched(session, seen, cast, zones)
    watched.look_around(days, rules.unseen_after)
    nothing = DaySeen()
    for (employee_id, day), complete_to in days.items():
        person, schedule = cast.people[employee_id], cast.schedules[employee_id]
        of_day, now = seen.get((employee_id, day), nothing), here.get(employee_id)
        is_away = of_day.first_at is not None and of_day.first_site_id != person.site_id
        yield DayFacts(
            employee_id=employee_id,
            site_id=person.site_id,
            business_date=day,
            schedule=schedule,
            seen_at=of_day.seen_at,
            punches=of_day.punches,
            corrections=said.get((employee_id, day), []),
            unwatched=watched.gaps(employee_id, day, complete_to),
            as_of=complete_to,
            is_in_area=now is not None and now.state is State.AVAILABLE and now.business_date == day,
            merge_gap=rules.unseen_after,
            overtime=rules.overtime,
            known_at=person.known_at,
            timezone=zones.get(of_day.first_site_id) if is_away else None,
        )


def sites_of_day(
    work: UnitOfWork,
    person: Person,
    day: date,
    schedule: Schedule,
    *,
    as_of: datetime,
    unseen_after: timedelta,
) -> set[str]:
    """Return the sites whose watch counts for a person-day. as_of: how far the record is complete."""
    cast = Cast({person.employee_id: person}, {person.employee_id: schedule})
    whose = (person.employee_id, day)
    seen = seen_on(work.session, [whose])
    watched = _Watched(work.session, seen, cast, _timezones(work.session, seen, [whose], cast))
    watched.look_around({whose: as_of}, unseen_after)
    return watched.sites(*whose)


def seen_on(session: Session, days: Collection[PersonDay]) -> dict[PersonDay, DaySeen]:
    """Return what was seen of people on business dates; a day without anything is not in it."""
    return collected(
        ((employee_id, day), at, kind, site_id)
        for _, employee_id, day, at, kind, site_id in events.of_days(session, days)
    )


def collected(told: Iterable[tuple[PersonDay, datetime, str, str]]) -> dict[PersonDay, DaySeen]:
    """Put sightings (whose day, seen at, kind, site) together by person-day."""
    found: dict[PersonDay, DaySeen] = {}
    for whose, at, kind, site_id in told:
        if (of_day := found.get(whose)) is None:
            of_day = found[whose] = DaySeen()
        of_day.add(at, kind, site_id)
    return found


def _timezones(
    session: Session, seen: Mapping[PersonDay, DaySeen], days: Collection[PersonDay], cast: Cast
) -> dict[str, ZoneInfo]:
    """Return the time zones of the sites that saw somebody from elsewhere first."""
    away = {
        of_day.first_site_id
        for each in days
        if (of_day := seen.get(each)) and of_day.first_site_id != cast.people[each[0]].site_id
    }
    if not away:
        return {}
    rows = session.execute(select(Site.site_id, Site.timezone).where(Site.site_id.in_(away)))
    return {site_id: ZoneInfo(timezone) for site_id, timezone in rows}


class _Watched:
    """When nobody watched, by what was seen of people."""

    def __init__(
        self,
        session: Session,
        seen: Mapping[PersonDay, DaySeen],
        cast: Cast,
        timezones: Mapping[str, ZoneInfo],
    ) -> None:
        self._session, self._seen, self._cast, self._timezones = session, seen, cast, timezones
        self._watch = Watch(session)
        self._lately: dict[PersonDay, set[str]] = {}
        self._shift_days: dict[tuple[int, str, date], ShiftDay | None] = {}

    def look_around(self, days: Mapping[PersonDay, datetime], unseen_after: timedelta) -> None:
        """Note at which other sites people may have been without being seen, as they were there lately.

        Only of those who seem to be missing, or late, and only sites that were dark: else it changes nothing.
        """
        wanted: dict[PersonDay, set[str]] = {}
        for (employee_id, day), as_of in days.items():
            shift_day, person = self._shift_on(employee_id, day), self._cast.people[employee_id]
            of_day = self._seen.get((employee_id, day))
            first_at = of_day.first_at if of_day else None
            if shift_day is None or person.punches_on(day) or (first_at and first_at <= shift_day.starts_at):
                continue
            dark = self._watch.dark_sites(shift_day, as_of, unseen_after)
            if dark := dark - self.sites(employee_id, day):
                wanted[employee_id, day] = dark
        self._lately = sites_lately(self._session, wanted) if wanted else {}

    def gaps(self, employee_id: str, day: date, as_of: datetime) -> list[Interval]:
        """Return the gaps around the person's shift as far as the record is complete."""
        shift_day, person = self._shift_on(employee_id, day), self._cast.people[employee_id]
        if shift_day is None:
            return []
        of_day = self._seen.get((employee_id, day))
        last_seen = None
        if of_day and person.status == "resigned":
            last_seen = max((*of_day.seen_at, *(each.at for each in of_day.punches)), default=None)
        found = (
            [] if person.punches_on(day) else self._watch.gaps(self.sites(employee_id, day), shift_day, as_of)
        )
        return [*found, *given_up(person, shift_day, last_seen)]

    def sites(self, employee_id: str, day: date) -> set[str]:
        """Return where the person belongs, was seen on that day, or may have been."""
        of_day = self._seen.get((employee_id, day))
        sites = {self._cast.people[employee_id].site_id} | self._lately.get((employee_id, day), set())
        return sites | of_day.site_ids if of_day else sites

    def _shift_on(self, employee_id: str, day: date) -> ShiftDay | None:
        """Return the shift of the day, by the clocks of the site that saw the person first."""
        schedule, timezone = self._cast.schedules[employee_id], None
        of_day = self._seen.get((employee_id, day))
        if of_day and of_day.first_site_id != self._cast.people[employee_id].site_id:
            timezone = self._timezones.get(of_day.first_site_id)
        key = (id(schedule), str(timezone), day)
        if key not in self._shift_days:
            here = replace(schedule, timezone=timezone) if timezone else schedule
            self._shift_days[key] = here.shift_on(day)
        return self._shift_days[key]
