"""Facts that arrive late: the day follows, what was said wrongly is taken back, and nothing is opened."""

import random
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from central_server.db.models import Agent, Alert, Attendance, Camera, EmployeeZone, Notification, Presence
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.alerts import PastAlert, contradiction
from central_server.services.close_day import close_in_portions
from central_server.services.evaluate_presence import evaluate_site
from central_server.services.recompute_attendance import recompute_days_due
from central_server.services.record_event import Delivery, record_deliveries
from tests import builders
from tests.builders import EIGHT_IN_JAKARTA as EIGHT
from tests.builders import MONDAY, an_envelope, an_event

MINUTE = timedelta(minutes=1)
JAKARTA = ZoneInfo("Asia/Jakarta")


@pytest.fixture
def plant(engine: Engine) -> Engine:
    """A site with a day shift, a gate and a yard with an agent each; Budi, who works at the gate."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.a_zone(work.session, "yard", name="Yard")
        builders.an_agent(work.session, "yard-agent")
        builders.a_camera(work.session, "yard-cam", "yard-agent", "plant", "yard")
        builders.a_shift(work.session)
        works_at_the_gate(work.session, "EMP001", name="Budi Santoso")
        builders.a_supervisor(work.session, "EMP900", of="EMP001")
    return engine


def works_at_the_gate(session: Session, employee_id: str, **more: str) -> None:
    """So that the gate's watch alone proves an absence, as HR said."""
    builders.an_employee(session, employee_id, **more)
    session.add(EmployeeZone(employee_id=employee_id, zone_id="plant-gate"))
    session.flush()


def record(engine: Engine, *events, now: datetime, agent_id: str = "plant-agent", first: int = 1) -> None:
    with UnitOfWork(engine) as work:
        envelope = an_envelope(*events, first=first)
        record_deliveries([Delivery(agent_id, envelope)], work, builders.the_rules(), now=now)


def from_yard(seq: int, at: datetime, employee_id: str = "EMP001"):
    return an_event(seq, employee_id, at, agent_id="yard-agent", camera_id="yard-cam")


def evaluate(engine: Engine, now: datetime, *, offline: tuple[str, ...] = ()) -> None:
    """Evaluate the site with every agent healthy but those that are offline."""
    builders.all_healthy(engine, now)
    with UnitOfWork(engine) as work:
        for agent_id in offline:
            work.session.get_one(Agent, agent_id).state = "offline"
            for camera in work.session.query(Camera).filter_by(agent_id=agent_id):
                camera.covered_since = None
        evaluate_site(work, "plant", builders.the_rules(), now=now)


def rows(engine: Engine, table, *order):
    with UnitOfWork(engine) as work:
        return list(work.session.scalars(select(table).order_by(*order)))


def gone_at_ten_past(engine: Engine) -> None:
    """Budi was seen at the gate at 08:00; the yard's agent is away; the alert is opened at 08:06."""
    record(engine, an_event(1, at=EIGHT), now=EIGHT)
    evaluate(engine, EIGHT + 6 * MINUTE, offline=("yard-agent",))


@pytest.mark.parametrize(
    ("seen_after", "expected"),
    [
        ((), None),
        ((0,), None),  # that is what the alert said itself
        ((0.5,), None),  # then five minutes had passed since all the same
        ((1,), 1),  # 08:01, and the alert of 08:06 said: missing for more than five minutes
        ((3, 2), 3),
        ((6,), 6),
        ((6.5,), None),  # back after the alert: it was right
        ((0.5, 7), None),
    ],
)
def test_what_contradicts_an_alert(seen_after, expected):
    """A sighting between the last one and the alert, so near to it that nobody was missing for too long."""
    alert = PastAlert(
        alert_id=1,
        employee_id="EMP001",
        opened_at=EIGHT + 6 * MINUTE,
        last_seen=EIGHT,
    )
    found = contradiction(alert, [EIGHT + each * MINUTE for each in seen_after], unseen_after=5 * MINUTE)
    assert found == (None if expected is None else EIGHT + expected * MINUTE)


def test_an_open_alert_that_late_news_contradict_is_closed_and_says_so(plant):
    """Seen in the yard at 08:03, known at 09:00: closed as contradicted, and its message is not sent."""
    gone_at_ten_past(plant)
    assert [each.state for each in rows(plant, Alert)] == ["open"]

    record(plant, from_yard(1, EIGHT + 3 * MINUTE), now=EIGHT + 60 * MINUTE, agent_id="yard-agent")

    [alert] = rows(plant, Alert)
    assert (alert.state, alert.close_reason) == ("closed", "contradicted")
    assert alert.contradicted_by == EIGHT + 3 * MINUTE
    assert [each.state for each in rows(plant, Notification)] == ["cancelled"]


def test_an_alert_that_is_over_says_so_too_and_keeps_its_end(plant):
    """Closed because the person came back: that stays, and it is added that it was wrong."""
    gone_at_ten_past(plant)
    record(plant, an_event(2, at=EIGHT + 8 * MINUTE), now=EIGHT + 8 * MINUTE)

    record(plant, from_yard(1, EIGHT + 3 * MINUTE), now=EIGHT + 60 * MINUTE, agent_id="yard-agent")

    [alert] = rows(plant, Alert)
    assert (alert.state, alert.close_reason) == ("closed", "returned")
    assert alert.closed_at == EIGHT + 8 * MINUTE
    assert alert.contradicted_by == EIGHT + 3 * MINUTE


def test_news_that_bear_an_alert_out_leave_it_alone(plant):
    """Seen half a minute after the last time: the person was missing for more than five minutes indeed."""
    gone_at_ten_past(plant)
    record(plant, from_yard(1, EIGHT + MINUTE / 2), now=EIGHT + 60 * MINUTE, agent_id="yard-agent")
    [alert] = rows(plant, Alert)
    assert (alert.state, alert.contradicted_by) == ("open", None)


def test_the_threshold_of_the_zone_decides(plant):
    """Where fifteen minutes are allowed, a sighting ten minutes before the alert contradicts it."""
    with UnitOfWork(plant) as work:
        work.session.get_one(builders.models.Zone, "plant-gate").threshold_s = 15 * 60
    record(plant, an_event(1, at=EIGHT), now=EIGHT)
    evaluate(plant, EIGHT + 16 * MINUTE, offline=("yard-agent",))
    record(plant, from_yard(1, EIGHT + 6 * MINUTE), now=EIGHT + 60 * MINUTE, agent_id="yard-agent")
    assert [each.close_reason for each in rows(plant, Alert)] == ["contradicted"]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 2, 1), (2, 3, 1)])
def test_in_whatever_order_the_news_come_the_last_sighting_is_named(plant, order):
    """One at a time, in any order, and twice: always the same instant."""
    gone_at_ten_past(plant)
    for number in (*order, *order):
        event = from_yard(number, EIGHT + (1 + number) * MINUTE)
        record(plant, event, now=EIGHT + 60 * MINUTE, agent_id="yard-agent", first=number)
    assert [each.contradicted_by for each in rows(plant, Alert)] == [EIGHT + 4 * MINUTE]


def test_who_is_missing_still_is_told_of_anew(plant):
    """The alert of 08:06 was wrong, as Budi was in the yard at 08:05; but since then nobody has seen him."""
    gone_at_ten_past(plant)
    record(plant, from_yard(1, EIGHT + 5 * MINUTE), now=EIGHT + 20 * MINUTE, agent_id="yard-agent")
    evaluate(plant, EIGHT + 21 * MINUTE)
    first, second = rows(plant, Alert, Alert.alert_id)
    assert (first.state, first.close_reason) == ("closed", "contradicted")
    assert (second.state, second.last_seen, second.ts) == ("open", EIGHT + 5 * MINUTE, EIGHT + 21 * MINUTE)
    evaluate(plant, EIGHT + 22 * MINUTE)
    assert len(rows(plant, Alert)) == 2


def a_day_in_the_yard(people: int, per_person: int) -> list:
    """Everybody in the yard the whole shift, seen every few minutes: what its agent kept for itself."""
    step = timedelta(hours=9) / per_person
    events = []
    for number in range(people):
        for n in range(per_person):
            seen_at = EIGHT + n * step
            events.append(from_yard(len(events) + 1, seen_at, f"EMP{number + 100}"))
    return events


def test_an_agent_that_comes_back_after_a_day(plant):
    """5,000 events, shuffled and doubled: days are right, revisions say what changed, no alert is opened, and
    the one that was wrong is taken back.
    """
    people, per_person = 40, 125
    with UnitOfWork(plant) as work:
        for number in range(people):
            works_at_the_gate(work.session, f"EMP{number + 100}")
    # On the day itself the gate sees them come at 07:55; one of them is alerted about at 09:05.
    gate = [an_event(n + 1, f"EMP{n + 100}", EIGHT - 5 * MINUTE) for n in range(people)]
    record(plant, *gate, an_event(people + 1, "EMP100", EIGHT + 59 * MINUTE), now=EIGHT + 59 * MINUTE)
    evaluate(plant, EIGHT + 65 * MINUTE, offline=("yard-agent",))
    wrong = {each.alert_id for each in rows(plant, Alert)}
    assert wrong, "with the yard away the gate's watch alone calls them out of area"
    # The day is closed without the yard.
    tuesday = EIGHT + timedelta(hours=25)
    builders.all_healthy(plant, tuesday)
    close_in_portions(plant, "plant", builders.the_rules(), now=tuesday)
    before = {each.employee_id: each for each in rows(plant, Attendance) if each.business_date == MONDAY}
    assert before["EMP101"].status == "incomplete"
    assert not before["EMP101"].is_provisional

    events = a_day_in_the_yard(people, per_person)
    arriving = events + events
    random.Random(7).shuffle(arriving)
    for start in range(0, len(arriving), 250):
        now = tuesday + timedelta(seconds=start / 50)
        record(plant, *arriving[start : start + 250], now=now, agent_id="yard-agent")
        if start % 2500 == 0:
            evaluate(plant, now)
    end = tuesday + timedelta(minutes=10)
    with UnitOfWork(plant) as work:
        recompute_days_due(work, builders.the_rules(), now=end)
    for minute in range(5):
        evaluate(plant, end + minute * MINUTE)

    after = {each.employee_id: each for each in rows(plant, Attendance) if each.business_date == MONDAY}
    last = events[per_person - 1].last_seen / 1000
    for number in range(people):
        day = after[f"EMP{number + 100}"]
        assert (day.status, day.first_in_ts) == ("present", EIGHT - 5 * MINUTE)
        assert day.last_out_ts == datetime.fromtimestamp(last, UTC)
        assert day.revision == 2, "however many pieces the backlog came in"
        assert number == 0 or day.changes["status"] == ["incomplete", "present"]
        assert day.changes["last_out_ts"][1] == day.last_out_ts.isoformat()
        assert day.changes["work_seconds"][1] == day.work_seconds
    alerts = rows(plant, Alert)
    assert {each.alert_id for each in alerts if each.employee_id} == wrong
    for alert in alerts:
        if alert.alert_id in wrong:
            assert alert.contradicted_by is not None
            assert alert.state == "closed"
    assert {each.state for each in rows(plant, Presence)} <= {"off", "unknown"}


def test_nothing_is_opened_about_the_past_on_the_same_day_either(plant):
    """The yard's agent is back at noon with what it saw until 11:00: Budi is missing since then, and only
    that is told, once, as of now.
    """
    noon = EIGHT + 4 * 60 * MINUTE
    record(plant, an_event(1, at=EIGHT), now=EIGHT)
    evaluate(plant, EIGHT + 6 * MINUTE, offline=("yard-agent",))
    events = [from_yard(n + 1, EIGHT + 2 * n * MINUTE) for n in range(1, 91)]
    random.Random(3).shuffle(events)
    for event in events:
        record(plant, event, now=noon, agent_id="yard-agent", first=event.seq)
        evaluate(plant, noon, offline=("yard-agent",))
    assert len(rows(plant, Alert)) == 1, "while it drains nobody is called missing"
    for minute in range(1, 10):
        evaluate(plant, noon + minute * MINUTE)
    first, *more = rows(plant, Alert, Alert.alert_id)
    assert first.close_reason == "contradicted"
    assert [each.last_seen for each in more] == [EIGHT + 180 * MINUTE]
    assert all(each.ts > noon for each in more)
    assert datetime.combine(MONDAY, time(11), JAKARTA).astimezone(UTC) == EIGHT + 180 * MINUTE
