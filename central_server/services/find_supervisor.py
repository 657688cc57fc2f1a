"""Find out who is told about a person now: the hierarchy, and who of it is at work."""

from collections.abc import Mapping
from datetime import date, datetime

from central_server.config import RulesConfig
from central_server.db.stores import attendance, people, presence, shifts
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import Status
from central_server.domain.day_at_hand import last_said
from central_server.domain.escalation import Escalation, Passed, escalation_for
from central_server.domain.people import Person
from central_server.domain.presence import Reason
from central_server.domain.shifts import LeaveKind, Standing

SAID_AWAY = {str(Status.LEAVE): Passed.ON_LEAVE, str(Status.ABSENT): Passed.NOT_ARRIVED}  # by HR, of today


def find_supervisor(
    work: UnitOfWork, person: Person, rules: RulesConfig, *, on: date, now: datetime
) -> Escalation:
    """Return who is told about a person, and who was passed over why; on: the business date."""
    links = people.links_above(work.session, person.employee_id)
    superiors = people.by_id(work.session, {each.supervisor_id for each in links})
    return escalation_for(
        person.employee_id,
        links,
        superiors,
        on=on,
        hr=people.recipients(work.session, person.site_id, "hr"),
        away=_away(work, superiors, rules, now),
    )


def _away(
    work: UnitOfWork, superiors: Mapping[str, Person], rules: RulesConfig, now: datetime
) -> dict[str, Passed]:
    """Return who of them is not at work now. Whoever is off duty may be told all the same."""
    schedules = shifts.schedules(work.session, superiors, day_cutoff=rules.day_cutoff)
    here = presence.by_id(work.session, superiors.keys())
    today = {(employee_id, each.business_date(now)) for employee_id, each in schedules.items()}
    corrections = attendance.corrections_of(work.session, today)
    corrected = {employee_id: last_said(each) for (employee_id, _), each in corrections.items()}
    found = {}
    for employee_id, schedule in schedules.items():
        is_expected = schedule.duty_at(now).standing in (Standing.ON_DUTY, Standing.ON_BREAK)
        known = here.get(employee_id)
        if leave := schedule.leave_on(schedule.business_date(now)):
            found[employee_id] = Passed.ON_TRIP if leave.kind == LeaveKind.TRIP else Passed.ON_LEAVE
        elif (said := corrected.get(employee_id, {}).get("status")) in SAID_AWAY:
            found[employee_id] = SAID_AWAY[said]
        elif is_expected and known is not None and known.reason is Reason.NOT_ARRIVED:
            found[employee_id] = Passed.NOT_ARRIVED
    return found
