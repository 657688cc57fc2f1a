"""Find out who punches: by code and PIN, or by badge. Whoever guesses learns nothing and soon has to wait."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from central_server.db.models import Badge, Employee
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.punching import PIN_DIGITS, locked_until
from central_server.services.audit import note
from central_server.services.give_badge import hash_of_code
from central_server.services.manage_users import is_secret_of


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt with a PIN, already counted as a wrong one: only the right PIN takes that back."""

    employee_id: str | None  # None: nobody has that code and a PIN
    pin_hash: str = ""


def begin_try(work: UnitOfWork, code: str, *, now: datetime, kiosk_id: str = "") -> Try:
    """Count an attempt before it is judged, so that many at once are not more than one after the other.

    While the PIN is locked it is nobody's. The audit tells whose was locked, and where: it may have been a
    colleague's doing.
    """
    by_code = func.lower(Badge.employee_id) == code.strip().lower()[:64]
    badge = work.session.scalar(select(Badge).where(by_code, Badge.pin_hash != ""))
    if badge is None or (badge.locked_until and badge.locked_until > now):
        return Try(None)
    badge.failed += 1
    badge.locked_until = locked_until(badge.failed, now)
    if badge.locked_until is not None:
        until = badge.locked_until.isoformat()
        note(
            work,
            f"kiosk:{kiosk_id}",
            "badge.locked",
            badge.employee_id,
            now=now,
            tries=badge.failed,
            until=until,
        )
    return Try(badge.employee_id, badge.pin_hash)


def holder_by_pin(attempt: Try, pin: str) -> str | None:
    """Return whose code and PIN belong together. Takes as long when they do not, or nobody has the code."""
    is_right = is_secret_of(attempt.pin_hash, pin[: 4 * PIN_DIGITS])
    return attempt.employee_id if is_right else None


def holder_by_code(session: Session, text: str) -> str | None:
    """Return whose badge says that. Its 160 bits cannot be guessed, so nothing is counted."""
    code_hash = hash_of_code(text)
    if code_hash is None:
        return None
    return session.scalar(select(Badge.employee_id).where(Badge.code_hash == code_hash))


def take_back(work: UnitOfWork, employee_id: str) -> None:
    """After a right PIN there are no wrong ones in a row."""
    if badge := work.session.get(Badge, employee_id):
        badge.failed, badge.locked_until = 0, None


def note_refusal(work: UnitOfWork, kiosk_id: str, *, now: datetime) -> None:
    """Write down that somebody was refused. What they typed stays out of it: it may be half a PIN."""
    note(work, f"kiosk:{kiosk_id}", "punch.refused", kiosk_id, now=now)


def first_name(session: Session, employee_id: str) -> str:
    """Return what the kiosk calls somebody."""
    name = session.scalar(select(Employee.name).where(Employee.employee_id == employee_id)) or ""
    return name.split()[0] if name.split() else employee_id
