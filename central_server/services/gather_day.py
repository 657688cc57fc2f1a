"""Gather the facts of person-days: what was seen and punched, HR's corrections, and who watched."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.config import RulesConfig
from central_server.db.models import Site
from central_server.db.stores import attendance, coverage, events, presence
from central_server.db.stores.person_days import PersonDay
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import DayFacts, Punch
from central_server.domain.intervals import Interval
from central_server.domain.people import Person
from central_server.domain.presence import State
from central_server.domain.shifts import Schedule


@dataclass(slots=True)
class DaySeen:
    """When somebody was seen on one business date, in no order, and where at first."""

    seen_at: list[datetime] = field(default_factory=list)
    punches: list[Punch] = field(default_factory=list)
    first_at: datetime | None = None
    first_site_id: str = ""

    def add(self, at: datetime, kind: str, site_id: str) -> None:
        """Take in a sighting, or a punch at a kiosk."""
        if kind in events.PUNCHES:
            self.punches.append(Punch(at, kind == "in"))
        else:
            self.seen_at.append(at)
        if self.first_at is None or (at, site_id) < (self.first_at, self.first_site_id):
            self.first_at, self.first_site_id = at, site_id

    def take(self, more: "DaySeen") -> None:
        """Take in what was seen besides."""
        self.seen_at += more.seen_at
        self.punches += more.punches
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
    watch = _Watch(session)
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
            unwatched=(
                [] if person.punches_on(day) else watch.gaps(person.site_id, schedule, day, complete_to)
            ),
            as_of=complete_to,
            is_in_area=now is not None and now.state is State.AVAILABLE and now.business_date == day,
            merge_gap=rules.unseen_after,
            overtime=rules.overtime,
            known_at=person.known_at,
            timezone=zones.get(of_day.first_site_id) if is_away else None,
        )


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


class _Watch:
    """When nobody watched around a shift; asked once for everybody who works it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[tuple[str, datetime, datetime], list[Interval]] = {}

    def gaps(self, site_id: str, schedule: Schedule, day: date, complete_to: datetime) -> list[Interval]:
        """Return the gaps around the shift as far as the record is complete: no others count for the day, and
        after that every camera's proof is open.
        """
        shift_day = schedule.shift_on(day)
        if shift_day is None or complete_to <= shift_day.opens_at:
            return []
        window = (site_id, shift_day.opens_at, min(shift_day.closes_at, complete_to))
        if window not in self._known:
            self._known[window] = coverage.unwatched(self._session, site_id, Interval(*window[1:]))
        return self._known[window]
