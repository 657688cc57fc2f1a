"""Whether the worker lives: without it nothing on the board changes."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from central_server.db.models import Lease

PARTS = ("worker", "broker")  # the leases that a living worker keeps renewing


def stopped_parts(session: Session, *, now: datetime) -> tuple[str, ...]:
    """Return which of them nobody holds: the worker itself, or its link to the broker."""
    query = select(Lease.name).where(Lease.name.in_(PARTS), Lease.until > now)
    held = set(session.scalars(query))
    return tuple(each for each in PARTS if each not in held)
