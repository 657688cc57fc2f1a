"""What somebody punches with: HR gives a PIN or a badge, shown once, and takes them away."""

import hashlib
import re
import secrets
from base64 import b32encode
from datetime import datetime

from sqlalchemy.orm import Session

from central_server.db.models import Badge, Employee
from central_server.db.stores import presence
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.punching import PIN_DIGITS
from central_server.services.audit import note
from central_server.services.manage_people import PersonRefused

_BADGE = re.compile(r"HB[A-Z2-7]{32}")  # letters and digits alone: any scanner types them on any keyboard


def new_pin() -> str:
    """Return six digits by chance, so that nobody's is their birthday."""
    return f"{secrets.randbelow(10**PIN_DIGITS):0{PIN_DIGITS}}"


def new_code() -> str:
    """Return what the QR code of a badge says: 160 bits by chance."""
    return f"HB{b32encode(secrets.token_bytes(20)).decode()}"


def hash_of_code(text: str) -> str | None:
    """Return what is kept of a badge's code; None: that is no badge of ours. Capitals do not matter."""
    code = text.strip().upper()
    return hashlib.sha256(code.encode()).hexdigest() if _BADGE.fullmatch(code) else None


def give_pin(work: UnitOfWork, employee_id: str, pin_hash: str, *, now: datetime, by: str) -> None:
    """Keep a new PIN's hash; the old PIN is worthless, and a lock is open. Raises PersonRefused."""
    badge = _badge(work, employee_id, now, by)
    badge.pin_hash, badge.failed, badge.locked_until = pin_hash, 0, None
    note(work, f"user:{by}", "badge.pin", employee_id, now=now)


def give_code(work: UnitOfWork, employee_id: str, code: str, *, now: datetime, by: str) -> None:
    """Keep a new badge's hash; the old badge is worthless. Raises PersonRefused."""
    badge = _badge(work, employee_id, now, by)
    badge.code_hash = hash_of_code(code)
    note(work, f"user:{by}", "badge.code", employee_id, now=now)


def remove_badge(work: UnitOfWork, employee_id: str, *, now: datetime, by: str) -> bool:
    """Take PIN and badge away; tell whether there was one. Attendance so far stays."""
    badge = work.session.get(Badge, employee_id)
    if badge is None:
        return False
    work.session.delete(badge)
    if (here := presence.by_id(work.session, [employee_id]).get(employee_id)) and here.is_punched_in:
        presence.remove(work.session, employee_id)  # nobody could punch out any more
    note(work, f"user:{by}", "badge.remove", employee_id, now=now)
    return True


def badge_of(session: Session, employee_id: str) -> Badge | None:
    return session.get(Badge, employee_id)


def _badge(work: UnitOfWork, employee_id: str, now: datetime, by: str) -> Badge:
    """Return the person's row. given_at stays as it was: since then, not having punched means something."""
    employee = work.session.get(Employee, employee_id)
    if employee is None:
        raise PersonRefused("employee_id", "unknown_employee")
    if employee.status == "resigned":
        raise PersonRefused("employee_id", "resigned")
    badge = work.session.get(Badge, employee_id)
    if badge is None:
        badge = Badge(employee_id=employee_id, given_at=now, given_by=by)
        work.session.add(badge)
        work.session.flush()
    badge.given_by = by
    return badge
