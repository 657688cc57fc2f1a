"""An employee does not agree with a day: it is noted in their words, and answered by HR."""

from datetime import date, datetime, timedelta

from sqlalchemy import update

from central_server.db.models import Dispute, Employee
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.audit import note
from central_server.services.manage_people import PersonRefused

LONGEST = 600


def note_dispute(
    work: UnitOfWork, employee_id: str, day: date, words: str, *, by: str, now: datetime
) -> Dispute:
    """Write down what the employee says about the day. Raises PersonRefused."""
    words = _clean(words)
    if not words:
        raise PersonRefused("words", "words_empty")
    if work.session.get(Employee, employee_id) is None:
        raise PersonRefused("employee_id", "unknown_employee")
    if day > (now + timedelta(days=1)).date():  # somewhere on earth it may be that day already
        raise PersonRefused("words", "in_future")
    row = Dispute(
        employee_id=employee_id, business_date=day, words=words, noted_by=by, noted_at=now, answer=""
    )
    work.session.add(row)
    work.session.flush()
    note(work, f"user:{by}", "dispute.note", f"{employee_id} {day}", now=now, dispute=row.id)
    return row


def settle_dispute(
    work: UnitOfWork, dispute_id: int, employee_id: str, day: date, answer: str, *, by: str, now: datetime
) -> None:
    """Answer a dispute about that day, once. A correction is made apart. Raises PersonRefused."""
    answer = _clean(answer)
    if not answer:
        raise PersonRefused("answer", "answer_empty")
    mine = (Dispute.employee_id == employee_id, Dispute.business_date == day)
    ours = work.session.scalar(
        update(Dispute)
        .where(Dispute.id == dispute_id, *mine, Dispute.settled_at.is_(None))
        .values(answer=answer, settled_by=by, settled_at=now)
        .returning(Dispute.id)
    )
    if ours is None:
        raise PersonRefused("answer", "settled_already")
    subject = f"{employee_id} {day}"
    note(work, f"user:{by}", "dispute.settle", subject, now=now, dispute=dispute_id)


def _clean(text: str) -> str:
    """Return the words as one paragraph, not longer than is kept."""
    return " ".join(text.split())[:LONGEST]
