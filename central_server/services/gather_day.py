"""Gather the facts of one person-day: what was seen and punched, HR's corrections, and who watched."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from central_server.config import RulesConfig
from central_server.db.models import Site
from central_server.db.stores import attendance, coverage, events, presence
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import DayFacts, Punch
from central_server.domain.intervals import Interval
from central_server.domain.people import Person
from central_server.domain.presence import State
from central_server.domain.shifts import Schedule


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
    session = work.session
    here = presence.by_id(session, [person.employee_id]).get(person.employee_id)
    seen = events.of_day(session, person.employee_id, day)
    shift_day = schedule.shift_on(day)
    unwatched = (
        coverage.unwatched(session, person.site_id, Interval(shift_day.opens_at, shift_day.closes_at))
        if shift_day and not person.punches_on(day)  # a kiosk needs nobody to watch it
        else []
    )
    first = min(seen, key=lambda each: each.at, default=None)
    is_away = first is not None and first.site_id != person.site_id
    site = session.get(Site, first.site_id) if first and is_away else None
    return DayFacts(
        employee_id=person.employee_id,
        site_id=person.site_id,
        business_date=day,
        schedule=schedule,
        seen_at=[each.at for each in seen if not each.is_punch],
        punches=[Punch(each.at, each.kind == "in") for each in seen if each.is_punch],
        corrections=attendance.corrections(session, person.employee_id, day),
        unwatched=unwatched,
        as_of=complete_to,
        is_in_area=here is not None and here.state is State.AVAILABLE and here.business_date == day,
        merge_gap=rules.unseen_after,
        overtime=rules.overtime,
        known_at=person.known_at,
        timezone=ZoneInfo(site.timezone) if site else None,
    )
