"""Events in, presence, attendance and alerts out: on a real database."""

from datetime import timedelta

import pytest
from sqlalchemy import Engine, func, select

from central_server.db.models import Alert, Attendance, Event, EventMark, Notification, Presence
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.evaluate_presence import evaluate_site
from central_server.services.record_event import record_events
from tests import builders
from tests.builders import EIGHT_IN_JAKARTA as EIGHT
from tests.builders import an_envelope, an_event

MINUTE = timedelta(minutes=1)


@pytest.fixture
def plant(engine: Engine) -> Engine:
    """A site with a day shift, Budi (EMP001) and his supervisor Sari."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.a_shift(work.session)
        builders.an_employee(work.session, name="Budi Santoso")
        builders.a_supervisor(work.session, "EMP900", of="EMP001")
    return engine


def record(engine: Engine, *events, now=None, first=1):
    now = now or max(builders.EIGHT_IN_JAKARTA, EIGHT)
    with UnitOfWork(engine) as work:
        return record_events(
            "plant-agent", an_envelope(*events, first=first), work, builders.the_rules(), now=now
        )


def evaluate(engine: Engine, now, **health):
    builders.all_healthy(engine, now, **health)
    with UnitOfWork(engine) as work:
        evaluate_site(work, "plant", builders.the_rules(), now=now)


def one(engine: Engine, table, **where):
    with UnitOfWork(engine) as work:
        return work.session.scalars(select(table).filter_by(**where)).one()


def count(engine: Engine, table) -> int:
    with UnitOfWork(engine) as work:
        return work.session.scalar(select(func.count()).select_from(table))


def test_who_leaves_for_more_than_five_minutes_is_off_and_the_supervisor_is_told_once(plant):
    """Seen at 08:00, unseen at 08:06: off, last_out_ts is 08:00, and one message with the words of the mission."""
    record(
        plant,
        an_event(
            1,
            at=EIGHT - 10 * MINUTE,
        ),
        an_event(2, at=EIGHT),
        now=EIGHT,
    )
    assert one(plant, Presence).state == "available"
    assert one(plant, Attendance).last_out_ts is None

    for tick in range(3):
        evaluate(plant, EIGHT + 6 * MINUTE + tick * MINUTE)

    presence, day = one(plant, Presence, employee_id="EMP001"), one(plant, Attendance, employee_id="EMP001")
    assert (presence.state, presence.reason, presence.since) == ("off", "out_of_area", EIGHT)
    assert (day.first_in_ts, day.last_out_ts) == (EIGHT - 10 * MINUTE, EIGHT)
    assert one(plant, Alert).supervisor_name == "Sari Dewi"
    message = one(plant, Notification)
    assert message.payload["text"] == (
        "[ALERT] EMP001 - Budi Santoso\n"
        "Status: OUT OF AREA (last seen 6 min ago)\n"
        "Location: Entrance Zone\n"
        "Notified to: Supervisor - Sari Dewi"
    )
    assert (message.channel, message.recipient, message.state) == ("whatsapp", "6281200000001", "pending")


def test_who_is_back_before_it_was_sent_costs_nobody_a_message(plant):
    """A return closes the alert and cancels its messages; the next absence is a new alert."""
    record(plant, an_event(1, at=EIGHT), now=EIGHT)
    evaluate(plant, EIGHT + 6 * MINUTE)

    record(plant, an_event(2, at=EIGHT + 7 * MINUTE), now=EIGHT + 7 * MINUTE)

    assert (one(plant, Alert).state, one(plant, Alert).close_reason) == ("closed", "returned")
    assert one(plant, Notification).state == "cancelled"
    assert one(plant, Presence, employee_id="EMP001").state == "available"
    evaluate(plant, EIGHT + 13 * MINUTE)
    assert count(plant, Alert) == 2


def test_a_redelivered_batch_changes_nothing(plant):
    """The same events three times, in parts and shuffled: one row each, one attendance, one mark."""
    events = [an_event(seq, at=EIGHT + seq * MINUTE) for seq in range(1, 6)]
    now = EIGHT + 6 * MINUTE
    record(plant, *events[2:], now=now)
    assert one(plant, EventMark).seq == 0

    for batch in (events[::-1], events[:3], events):
        ack = record(plant, *batch, now=now)

    assert ack.seq == 5
    assert count(plant, Event) == 5
    assert one(plant, Attendance).seconds == 4 * 60
    assert one(plant, Attendance).revision == 1
