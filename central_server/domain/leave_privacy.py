"""What others than HR learn of a leave: that there is one, or that it is a trip; never that it is illness.

Why somebody is away can be health, which UU 27/2022, article 4, protects in particular.
"""

from central_server.domain.shifts import LeaveKind


def told_to_all(kind: str) -> str:
    """Return the kind that everybody may know who sees the day; "" stays: no leave."""
    return kind if kind in ("", LeaveKind.TRIP) else str(LeaveKind.LEAVE)
