"""Who is told about whom: the nearest superior who can act now, finally HR, and never nobody."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from central_server.domain.people import Link, Person, Recipient


class Passed(StrEnum):
    """Why a superior is not told."""

    UNKNOWN = "unknown"  # nobody has this code
    CIRCULAR = "circular"  # it is the person themselves
    RESIGNED = "resigned"
    SUSPENDED = "suspended"
    NOT_EMPLOYED = "not_employed"  # not yet, or no longer
    UNREACHABLE = "unreachable"  # neither a phone nor an address
    ON_LEAVE = "on_leave"
    ON_TRIP = "on_trip"
    NOT_ARRIVED = "not_arrived"  # expected at work now, and proven not to have come


@dataclass(frozen=True, slots=True)
class PassedOver:
    employee_id: str
    reason: Passed


@dataclass(frozen=True, slots=True)
class Escalation:
    """Who is told, and who would have been told before, with the reasons; in the order of asking."""

    chosen: Recipient | None  # None: there is not even an HR recipient
    passed: tuple[PassedOver, ...] = ()


def escalation_for(
    employee_id: str,
    links: Iterable[Link],
    people: Mapping[str, Person],
    *,
    on: date,
    hr: Iterable[Recipient],
    away: Mapping[str, Passed] | None = None,
) -> Escalation:
    """Return who is told about employee_id on a day.

    Superiors are asked level by level, then their own superiors; each at most once, so that a hierarchy that
    goes round in circles ends at HR. away: who is not at work now, and why.
    """
    passed: list[PassedOver] = []
    for superior_id in _superiors(employee_id, links, on):
        person = people.get(superior_id)
        why = Passed.CIRCULAR if superior_id == employee_id else _why_not(person, on)
        why = why or (away or {}).get(superior_id)
        if why is None and person is not None:
            told = Recipient(
                name=person.name, phone=person.phone, email=person.email, employee_id=person.employee_id
            )
            return Escalation(told, tuple(passed))
        passed.append(PassedOver(superior_id, why or Passed.UNKNOWN))
    return Escalation(next((each for each in hr if each.phone or each.email), None), tuple(passed))


def _why_not(person: Person | None, on: date) -> Passed | None:
    if person is None:
        return Passed.UNKNOWN
    if person.status in ("resigned", "suspended"):
        return Passed(person.status)
    if not person.is_employed_on(on):
        return Passed.NOT_EMPLOYED
    return None if person.is_reachable else Passed.UNREACHABLE


def _superiors(employee_id: str, links: Iterable[Link], on: date) -> list[str]:
    """Return every superior once, nearest first; a link that leads back to the employee, too."""
    above: dict[str, list[Link]] = {}
    for link in links:
        if link.is_valid_on(on):
            above.setdefault(link.employee_id, []).append(link)
    below, order = [employee_id], []
    for each in below:  # grows while we read it: breadth first
        for link in sorted(above.get(each, []), key=lambda one: (one.level, one.supervisor_id)):
            if link.supervisor_id not in order:
                order.append(link.supervisor_id)
                below += [link.supervisor_id] if link.supervisor_id != employee_id else []
    return order
