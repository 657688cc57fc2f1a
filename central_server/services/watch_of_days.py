"""When somebody could have come or gone unseen: at every site where they may have been on their day."""

from collections.abc import Collection, Iterable, Mapping
from datetime import date, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Event
from central_server.db.stores import coverage
from central_server.db.stores.person_days import MOST_IN_A_QUESTION, PersonDay
from central_server.domain.intervals import Interval, joined, total
from central_server.domain.people import Person
from central_server.domain.shifts import DAY, ShiftDay
from central_server.domain.whereabouts import LATELY


class Watch:
    """When nobody watched around shifts; what is the same for many people is asked once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[tuple[str, datetime, datetime], list[Interval]] = {}
        self._dark: dict[tuple[datetime, datetime], set[str]] = {}

    def gaps(self, site_ids: Iterable[str], shift_day: ShiftDay, as_of: datetime) -> list[Interval]:
        """Return when any of those sites was not watched whole, around a shift.

        as_of: how far the record is complete. After it every camera's proof is open, and nothing counts.
        """
        found = [self._of(site_id, shift_day, as_of) for site_id in sorted(site_ids)]
        return found[0] if len(found) == 1 else joined(each for gaps in found for each in gaps)

    def dark_sites(self, shift_day: ShiftDay, as_of: datetime, unseen_after: timedelta) -> set[str]:
        """Return the sites that went unwatched around a shift for longer than one may be unseen."""
        until = min(shift_day.closes_at, as_of)
        window = (shift_day.opens_at, until)
        if window not in self._dark:
            span = Interval(shift_day.opens_at, max(until, shift_day.opens_at))
            perhaps = coverage.perhaps_dark(self._session, span, unseen_after)
            self._dark[window] = {
                each for each in perhaps if total(self._of(each, shift_day, as_of)) > unseen_after
            }
        return self._dark[window]

    def _of(self, site_id: str, shift_day: ShiftDay, as_of: datetime) -> list[Interval]:
        if as_of <= shift_day.opens_at:
            return []
        window = (site_id, shift_day.opens_at, min(shift_day.closes_at, as_of))
        if window not in self._known:
            self._known[window] = coverage.unwatched(self._session, site_id, Interval(*window[1:]))
        return self._known[window]


def sites_lately(session: Session, wanted: Mapping[PersonDay, set[str]]) -> dict[PersonDay, set[str]]:
    """Return at which of some sites people were seen within LATELY before a day: they may be there again.

    wanted: by person-day, the sites in question; of who was at none of them nothing is returned.
    """
    found: dict[PersonDay, set[str]] = {}
    for day in {day for _, day in wanted}:
        people = [employee_id for employee_id, on in wanted if on == day]
        for employee_id, site_id in _been(session, people, day):
            if site_id in wanted[employee_id, day]:
                found.setdefault((employee_id, day), set()).add(site_id)
    return found


def _been(session: Session, people: list[str], day: date) -> Collection[tuple[str, str]]:
    found: set[tuple[str, str]] = set()
    dates = [day - n * DAY for n in range(1, LATELY.days)]
    for first in range(0, len(people), MOST_IN_A_QUESTION):
        some = people[first : first + MOST_IN_A_QUESTION]
        rows = select(Event.employee_id, Event.site_id).distinct()
        on_days = (Event.employee_id.in_(some), Event.business_date.in_(dates))
        found |= {(employee_id, site_id) for employee_id, site_id in session.execute(rows.where(*on_days))}
    return found


def given_up(person: Person, shift_day: ShiftDay, last_seen: datetime | None) -> list[Interval]:
    """Return from when to when the cameras could not name somebody any more on their day.

    Consent withdrawn at noon, or gone from the record on the last day: the face was erased then, and having
    been seen no more says nothing about the afternoon.
    """
    until = shift_day.closes_at
    withdrawn_at = person.withdrawn_at
    if withdrawn_at is not None and shift_day.opens_at < withdrawn_at < until:
        return [Interval(withdrawn_at, until)]
    if person.status == "resigned" and person.resigned_on == shift_day.day and last_seen is not None:
        return [Interval(last_seen, until)] if last_seen < until else []
    return []
