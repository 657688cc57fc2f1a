"""What the calendar alone says of a person-day that has no row: that is no fault of anybody."""

from dataclasses import dataclass
from datetime import date, datetime

from central_server.domain.attendance import DayFacts, Status
from central_server.domain.day_figures import day_account
from central_server.domain.people import Person
from central_server.domain.shifts import Schedule

NOT_ON_RECORD = "not_on_record"  # a working day before the person could be recognised, or could punch
NOTHING_TOLD = "none"  # the person was expected, and nothing is known; or it is no working day


@dataclass(frozen=True, slots=True)
class Unrecorded:
    """status: leave | not_started | not_on_record | none. is_due: somebody is expected, and missed by now."""

    status: str
    leave_kind: str = ""
    is_due: bool = False


def unrecorded(person: Person, schedule: Schedule, day: date, *, now: datetime) -> Unrecorded:
    """Return what a day without a row is called. Of who is not followed, only leave is told."""
    if not person.is_employed_on(day):
        return Unrecorded(NOTHING_TOLD)
    facts = DayFacts(
        employee_id=person.employee_id,
        site_id=person.site_id,
        business_date=day,
        schedule=schedule,
        seen_at=(),
        as_of=now,
        known_at=person.known_at,
    )
    account = day_account(facts)
    row = account.attendance
    if row.status is Status.LEAVE:
        return Unrecorded(Status.LEAVE, row.leave_kind)
    if not person.is_followed_on(day) or account.shift_day is None:
        return Unrecorded(NOTHING_TOLD)
    if row.status is Status.OFF:  # there is a shift, but the person could not have been known
        return Unrecorded(NOT_ON_RECORD)
    if row.status is Status.NOT_STARTED:
        return Unrecorded(Status.NOT_STARTED)
    return Unrecorded(NOTHING_TOLD, is_due=row.status is Status.ABSENT and person.can_be_absent_on(day))
