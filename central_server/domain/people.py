"""Who is followed, by the cameras or by punches at a kiosk, and who is above whom."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """An employee, as far as presence, attendance and messages need to know."""

    employee_id: str
    site_id: str
    name: str
    department: str = ""
    phone: str = ""  # digits with country code
    email: str = ""
    status: str = "active"  # active | suspended | resigned
    started_on: date | None = None
    resigned_on: date | None = None  # the last day of employment
    has_consent: bool = True
    is_enrolled: bool = True  # at least one face template
    is_watched: bool = True  # False: known, never alerted about
    known_since: date | None = None  # the day of record and face or badge; earlier days prove nothing
    known_at: datetime | None = None  # the instant of that
    role: str = ""  # what the person works as
    has_badge: bool = False  # a PIN or a badge to punch with at a kiosk
    badge_since: date | None = None  # without a break
    withdrawn_at: datetime | None = None  # when consent was withdrawn, and the face erased

    @property
    def is_reachable(self) -> bool:
        return bool(self.phone or self.email)

    def is_employed_on(self, day: date) -> bool:
        return (
            self.status == "active"
            and (self.started_on is None or self.started_on <= day)
            and (self.resigned_on is None or day <= self.resigned_on)
        )

    def is_recognised_on(self, day: date) -> bool:
        """Tell whether the cameras may and can name the person: employed, with consent, and enrolled."""
        return self.is_employed_on(day) and self.has_consent and self.is_enrolled

    def is_followed_on(self, day: date) -> bool:
        """Tell whether presence and attendance are kept: by face, or by punches at a kiosk."""
        return self.is_recognised_on(day) or (self.has_badge and self.is_employed_on(day))

    def punches_on(self, day: date) -> bool:
        """Tell whether the day is told by punches alone: then it does not matter what the cameras watched."""
        if not self.is_followed_on(day) or self.is_recognised_on(day):
            return False
        return self.badge_since is None or self.badge_since <= day

    def can_be_absent_on(self, day: date) -> bool:
        """Tell whether not having been seen on day means something."""
        return self.is_followed_on(day) and (self.known_since is None or self.known_since <= day)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One line of the OrgHierarchy: level 1 is the supervisor, 2 the manager, and so on."""

    employee_id: str
    supervisor_id: str
    level: int = 1
    valid_from: date | None = None
    valid_to: date | None = None

    def is_valid_on(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (
            self.valid_to is None or day <= self.valid_to
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody who can be told; at least one of phone and email is given."""

    name: str
    phone: str = ""
    email: str = ""
    employee_id: str | None = None  # None: not an employee, e.g. HR's own number
    language: str = "id"


def above(links: Iterable[Link]) -> dict[str, list[Link]]:
    """Return the links of each employee, upwards."""
    found: dict[str, list[Link]] = {}
    for link in links:
        found.setdefault(link.employee_id, []).append(link)
    return found


def closes_circle(link: Link, links_above: Mapping[str, Sequence[Link]]) -> bool:
    """Tell whether with link somebody would, on some day, be above and below the same person."""
    whole = (link.valid_from or date.min, link.valid_to or date.max)
    waiting = [(link.supervisor_id, *whole)]
    been: set[tuple[str, date, date]] = set()
    while waiting:
        person, first, last = waiting.pop()
        if person == link.employee_id:
            return True
        if (person, first, last) in been:
            continue
        been.add((person, first, last))
        for each in links_above.get(person, ()):
            since, until = max(first, each.valid_from or date.min), min(last, each.valid_to or date.max)
            if since <= until:
                waiting.append((each.supervisor_id, since, until))
    return False
