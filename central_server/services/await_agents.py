"""Tell how far a site's record is complete, and which boxes a day waits for before it can be final."""

from collections.abc import Collection, Mapping
from datetime import date, datetime

from central_server.config import RulesConfig
from central_server.db.stores import coverage, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.completeness import complete_to, waited_for
from central_server.domain.coverage import AgentFacts
from central_server.domain.people import Person

AT_A_KIOSK = "@kiosk"  # beside the sites: the server itself, to which nothing is on its way


def recorded_to(work: UnitOfWork, site_id: str, now: datetime) -> datetime:
    """Return how far the record of a site is complete: every box has told what it saw until then.

    Boxes that are switched off count too, but for a day at most: see domain/completeness.py.
    """
    return complete_to(coverage.agents(work.session, site_id), now)


def recorded_at(work: UnitOfWork, site_ids: Collection[str], now: datetime) -> dict[str, datetime]:
    """Return how far the record of each of those sites is complete, and that of kiosks: see complete_for."""
    return {AT_A_KIOSK: now} | {site_id: recorded_to(work, site_id, now) for site_id in set(site_ids)}


def complete_for(person: Person, day: date, complete_to: Mapping[str, datetime]) -> datetime:
    """Return how far the record of a person-day is complete: a day of punches alone waits for no box."""
    return complete_to[AT_A_KIOSK if person.punches_on(day) else person.site_id]


def awaited(work: UnitOfWork, site_id: str, until: datetime, now: datetime) -> list[AgentFacts]:
    """Return the boxes of a site that still have to tell what they saw up to an instant.

    For somebody who wonders why a day that is over is provisional; until: when the day closes
    (Schedule.closes_at). The furthest behind comes first; empty when nobody is waited for.
    """
    return waited_for(coverage.agents(work.session, site_id), until, now)


def awaited_for_day(
    work: UnitOfWork, site_ids: Collection[str], day: date, rules: RulesConfig, *, now: datetime
) -> list[AgentFacts]:
    """Return the boxes of some sites that a business date waits for, by each site's own working hours."""
    found: list[AgentFacts] = []
    for site_id in site_ids:
        schedule = shifts.of_site(work.session, site_id, rules.day_cutoff)
        if schedule is not None:
            found += awaited(work, site_id, schedule.closes_at(day), now)
    return found
