"""Identifiers, as types that cannot be swapped for one another."""

import re
from typing import NewType

SiteId = NewType("SiteId", str)
ZoneId = NewType("ZoneId", str)
AgentId = NewType("AgentId", str)
CameraId = NewType("CameraId", str)
EmployeeId = NewType("EmployeeId", str)  # the company's own code, e.g. EMP001

_SLUG = re.compile(r"[a-z0-9-]{1,32}")
_EMPLOYEE_ID = re.compile(r"[^\s/\\](?:[^\x00-\x1f\x7f/\\]{0,62}[^\s/\\])?")


def is_slug(text: str) -> bool:
    """Tell whether text may stand in a topic: 1 to 32 of a-z, 0-9 and '-'."""
    return _SLUG.fullmatch(text) is not None


def is_employee_id(text: str) -> bool:
    """Tell whether text may be an employee code: 1 to 64 printable characters without '/' or '\\'."""
    return _EMPLOYEE_ID.fullmatch(text) is not None


def slug_from(text: str) -> str:
    """Return the nearest slug to text, or 'x' when nothing of it can stay."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:32].strip("-") or "x"
