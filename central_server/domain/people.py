"""Who is followed by the cameras, and who is above whom."""

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
    known_since: date | None = None  # the day of record and consent; earlier days prove nothing
    known_at: datetime | None = None  # the instant of that
    role: str = ""  # what the person works as

    @property
    def is_reachable(self) -> bool:
        return bool(self.phone or self.email)

    def is_employed_on(self, day: date) -> bool:
        return (
            self.status == "active"
            and (self.started_on is None or self.started_on <= day)
            and (self.resigned_on is None or day <= self.resigned_on)
        )

    def is_followed_on(self, day: date) -> bool:
        """Tell whether presence and attendance are kept: employed, with consent, and enrolled."""
        return self.is_employed_on(day) and self.has_consent and self.is_enrolled

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
