"""Push each day's attendance to the HRIS, through an outbox: every revision once, in the end."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine

from central_server.db.models import Attendance, HrisPush
from central_server.db.stores import hris
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.leave_privacy import told_to_all
from central_server.ports import AttendanceSink, PushError

LEASE = timedelta(minutes=2)
BATCH = 20
REVISIONS_FOR = timedelta(days=60)  # a correction of an older day is not pushed by itself
# Standard Webhooks' own schedule, in seconds; after the last one it is for a person to look at.
WAITS_S = (5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)


def queue_day(work: UnitOfWork, connector: str, site_id: str, day: date, *, now: datetime) -> int:
    """Put a site's day into the outbox, as far as it is not there; return how many rows were new."""
    rows = hris.unqueued(work.session, connector, site_id, day)
    return sum(hris.enqueue(work.session, _push(row, connector, now)) for row in rows)


def queue_revisions(work: UnitOfWork, connector: str, *, now: datetime) -> int:
    """Put what has changed since it was pushed into the outbox; return how many rows were new."""
    rows = hris.revised_since(work.session, connector, (now - REVISIONS_FOR).date())
    return sum(hris.enqueue(work.session, _push(row, connector, now)) for row in rows)


def push_due(
    engine: Engine, sink: AttendanceSink, *, now: Callable[[], datetime], chance: Callable[[], float]
) -> int:
    """Push what is due, outside of any transaction; return how many rows were tried."""
    with UnitOfWork(engine) as work:
        due = hris.take_due(work.session, sink.connector, now=now(), until=now() + LEASE, most=BATCH)
    for row in due:
        state, error, wait_s = _push_one(sink, row, now(), chance())
        with UnitOfWork(engine) as work:
            hris.settle(
                work.session,
                row.id,
                state=state,
                error=error,
                next_attempt_at=now() + timedelta(seconds=wait_s),
                now=now(),
            )
    return len(due)


def payload_of(row: Attendance) -> dict[str, Any]:
    """Return what an HRIS is told about one revision of one person-day. Instants are ISO 8601, UTC."""
    return {
        "type": f"attendance.day.{_stage(row)}",
        "timestamp": row.updated_at.isoformat(),
        "data": {
            "employee_id": row.employee_id,
            "business_date": row.business_date.isoformat(),
            "site_id": row.site_id,
            "shift_id": row.shift_id,
            "status": row.status,
            "first_in_ts": row.first_in_ts.isoformat() if row.first_in_ts else None,
            "last_out_ts": row.last_out_ts.isoformat() if row.last_out_ts else None,
            "work_seconds": row.work_seconds,
            "late_min": row.late_min,
            "early_leave_min": row.early_leave_min,
            "overtime_min": row.overtime_min,
            "overtime_paid_min": row.overtime_paid_min,
            "leave_kind": told_to_all(row.leave_kind),
            "is_verified": row.is_verified,
            "is_provisional": row.is_provisional,
            "revision": row.revision,
            "changes": _told_changes(row),
        },
    }


def _told_changes(row: Attendance) -> dict[str, Any]:
    """Return what changed, with no kind of leave that is nobody's business but HR's."""
    before, after = (told_to_all(str(each)) for each in row.changes.get("leave_kind", ("", "")))
    told = {name: values for name, values in row.changes.items() if name != "leave_kind"}
    return told | ({"leave_kind": [before, after]} if before != after else {})


def _stage(row: Attendance) -> str:
    if row.is_provisional:
        return "provisional"
    return "finalized" if row.revision == 1 or "is_provisional" in row.changes else "revised"


def _push(row: Attendance, connector: str, now: datetime) -> dict[str, Any]:
    return {
        "message_id": f"msg_{uuid4().hex}",
        "connector": connector,
        "employee_id": row.employee_id,
        "business_date": row.business_date,
        "revision": row.revision,
        "payload": payload_of(row),
        "next_attempt_at": now,
        "created_at": now,
        "updated_at": now,
    }


def _push_one(sink: AttendanceSink, row: HrisPush, now: datetime, chance: float) -> tuple[str, str, float]:
    """Return (state, error, seconds to wait) after one attempt."""
    try:
        sink.push(row.message_id, row.payload, now=now)
    except PushError as error:
        if error.permanent or row.attempts > len(WAITS_S):
            return "failed", str(error), 0.0
        wait_s = max(WAITS_S[row.attempts - 1], error.after_s or 0.0)
        return "pending", str(error), wait_s * (1 + chance / 10)
    return "done", "", 0.0
