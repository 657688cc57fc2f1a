"""The traps of presence and attendance into which other systems fall: one test a row of our table.

The rows are those of the research on attendance, "Semantics traps", in its order.
"""

import sys
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from central_server.db.models import (
    Agent,
    Alert,
    Camera,
    Employee,
    Event,
    FaceTemplate,
    Notification,
    OrgHierarchy,
    Zone,
)
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.deliver_notifications import deliver_due
from central_server.services.manage_alerts import acknowledge_alert
from central_server.services.resign_employee import resign_employee
from tests import builders
from tests.builders import MONDAY, an_event
from tests.day_world import (
    MINUTE,
    a_plant,
    alerts,
    at,
    change,
    every,
    look,
    look_watched,
    record,
    see,
    the_day,
    where_is,
)
from tests.delivery_world import FakeSender
from tests.integration import test_traps_of_a_day

TRAPS = {
    "Camera or agent outage": "camera_or_agent_outage",
    "Threshold on server clock": "threshold_on_server_clock",
    "Broker/server restart": "broker_or_server_restart",
    "Late events after offline": "late_events_after_offline",
    "Duplicates (QoS 1)": "duplicates",
    "Clock skew": "clock_skew",
    "Alert storm (lunch, fire drill, evacuation)": "alert_storm",
    "5-minute threshold vs toilet/prayer/coffee": "five_minutes_and_the_toilet",
    "Lunch, Dhuhr/Asr, Friday prayer 11:30-13:00, Ramadan hours": "lunch_prayers_ramadan",
    "Leave, holiday, WFH, business trip, other branch": "leave_holiday_trip_other_branch",
    "Before shift / after shift": "before_and_after_shift",
    "First event of day": "first_event_of_day",
    "Never seen / not enrolled": "never_seen_or_not_enrolled",
    "Absent at 17:30": "absent_at_half_past_five",
    "One sighting / missing checkout": "one_sighting",
    "Day boundary": "day_boundary",
    "DST": "daylight_saving",
    "Person moves between sites/time zones": "person_moves_between_zones",
    "Wrong supervisor": "wrong_supervisor",
    "Ack then leaves again": "ack_then_leaves_again",
    "Recovery spam": "recovery_spam",
    "Resigned": "resigned",
    "Identity mix-up": "identity_mix_up",
    "Time shown in message": "time_shown_in_message",
}


@pytest.fixture
def plant(engine: Engine) -> Engine:
    return a_plant(engine)


def deliver(engine: Engine, now: datetime) -> FakeSender:
    """Send what is due on WhatsApp, and return the sender with what it sent."""
    sender = FakeSender()
    deliver_due(engine, {"whatsapp": sender}, now=lambda: now, chance=lambda: 0.0)
    return sender


def test_every_trap_has_its_test():
    """A row of the table without a test, or a test without a docstring or a row, is a hole."""
    tests = {
        name.removeprefix("test_trap_"): found
        for module in (sys.modules[__name__], test_traps_of_a_day)
        for name, found in vars(module).items()
        if name.startswith("test_trap_")
    }
    assert sorted(tests) == sorted(TRAPS.values())
    assert all(found.__doc__ for found in tests.values())


def test_trap_camera_or_agent_outage(plant):
    """Who was there when the camera died is unknown, not out of area; IT gets one alert, and it closes."""
    with UnitOfWork(plant) as work:
        builders.a_recipient(work.session, "it", phone="6281200000008")
    see(plant, "08:00")
    builders.all_healthy(plant, at("08:02"))
    change(
        plant,
        Camera,
        "plant-cam",
        state="offline",
        reason="no_frames",
        state_at=at("08:02"),
        covered_since=None,
    )
    for minute in range(3, 60, 10):
        change(
            plant, Agent, "plant-agent", heartbeat_at=at(f"08:{minute:02}"), reported_to=at(f"08:{minute:02}")
        )
        look(plant, at(f"08:{minute:02}"))
    assert where_is(plant) == ("unknown", "no_coverage")
    assert alerts(plant) == []
    assert len(alerts(plant, "camera_down")) == 1
    assert {each.recipient for each in deliver(plant, at("08:04")).sent} == {"6281200000008"}

    look_watched(plant, at("09:00"), since=at("08:58"))
    assert [each.state for each in alerts(plant, "camera_down")] == ["closed"]
    assert where_is(plant) == ("unknown", "no_coverage")  # two minutes of looking prove nothing yet
    look_watched(plant, at("09:04"), since=at("08:58"))
    assert where_is(plant) == ("off", "out_of_area")


def test_trap_threshold_on_server_clock(plant):
    """Who is unseen is judged at the slowest healthy agent's watermark, however late it is on the server."""
    with UnitOfWork(plant) as work:
        builders.an_agent(work.session, "second")
    see(plant, "08:00")
    builders.all_healthy(plant, at("08:05:20"))
    change(plant, Agent, "second", reported_to=at("08:04:50"))  # a few seconds of news are on their way
    look(plant, at("08:05:20"))
    assert where_is(plant)[0] == "available"
    change(plant, Agent, "second", reported_to=at("08:05:05"))
    look(plant, at("08:05:20"))
    assert where_is(plant) == ("off", "out_of_area")


def test_trap_broker_or_server_restart(plant):
    """After two hours down nobody is accused before agents have spoken and a whole threshold was watched."""
    see(plant, "08:00")
    builders.all_healthy(plant, at("08:01"))
    started = at("10:00")
    look(plant, started, listening_since=started)
    assert where_is(plant)[0] != "off"
    builders.all_healthy(plant, at("10:01"), since=at("10:00"))
    look(plant, at("10:01"), listening_since=started)
    assert where_is(plant) == ("unknown", "no_coverage")
    assert every(plant, Alert) == []  # neither about people nor about agents: silence from before is ours
    builders.all_healthy(plant, at("10:06"), since=at("10:00"))
    look(plant, at("10:06"), listening_since=started)
    assert where_is(plant) == ("off", "out_of_area")
    assert len(alerts(plant)) == 1


def test_trap_late_events_after_offline(plant):
    """A backlog sets attendance right, opens no alert about the past, and closes the one it contradicts.

    Who is missed now, after it, is alerted about now.
    """
    see(plant, "08:00")
    look_watched(plant, at("08:30"))
    assert [each.state for each in alerts(plant)] == ["open"]
    backlog = [an_event(10 + n, at=at("08:01") + n * 4 * MINUTE) for n in range(30)]
    record(plant, backlog, now=at("10:30"))
    look_watched(plant, at("10:30"))
    wrong, of_now = alerts(plant)
    assert (wrong.close_reason, wrong.contradicted_by) == ("contradicted", at("08:29"))
    assert (of_now.state, of_now.last_seen, of_now.ts) == ("open", at("09:57"), at("10:30"))
    assert the_day(plant).seconds == (1 + 29 * 4) * 60
    record(plant, [an_event(50, at=at("10:31"))], now=at("10:31"))
    assert [each.close_reason for each in alerts(plant)] == ["contradicted", "returned"]


def test_trap_clock_skew(plant):
    """An agent whose clock is wrong by ten minutes accuses nobody, and nobody is seen in the future."""
    record(plant, [an_event(1, at=at("08:10"))], now=at("08:00"))
    [event] = every(plant, Event)
    assert event.last_seen == at("08:00")
    builders.all_healthy(plant, at("08:30"))
    change(plant, Agent, "plant-agent", skew_ms=600_000)
    look(plant, at("08:30"))
    assert where_is(plant) == ("unknown", "no_coverage")
    assert alerts(plant) == []
    assert [each.log.splitlines()[1] for each in alerts(plant, "agent_down")] == ["Status: DOWN (clock)"]


@pytest.mark.xfail(strict=True, reason="issue 6: one message for a mass exit, and a cap for each recipient")
def test_trap_alert_storm(plant):
    """Twenty people of one supervisor leave at once: she gets one message that says so, not twenty."""
    with UnitOfWork(plant) as work:
        for n in range(2, 21):
            builders.an_employee(work.session, f"EMP{n:03}")
            work.session.add(OrgHierarchy(employee_id=f"EMP{n:03}", supervisor_id="EMP900", level=1))
    record(plant, [an_event(n, f"EMP{n:03}", at("08:30")) for n in range(1, 21)], now=at("08:30"))
    look_watched(plant, at("08:36"))
    assert len({each.employee_id for each in alerts(plant)}) == 20  # each absence is on record
    assert len(every(plant, Notification)) == 1


def test_trap_five_minutes_and_the_toilet(plant):
    """A zone may allow longer than five minutes; the minutes told are those at the opening of the alert."""
    change(plant, Zone, "plant-gate", threshold_s=900)
    see(plant, "08:00")
    look_watched(plant, at("08:14"))
    assert alerts(plant) == []
    look_watched(plant, at("08:15:30"))
    look_watched(plant, at("08:19"))
    [alert] = alerts(plant)
    assert "last seen 15 min ago" in alert.log
    assert "last seen 15 min ago" in deliver(plant, at("08:20")).sent[0].payload["text"]


def test_trap_before_and_after_shift(plant):
    """Outside the shift people come and go as they like; who is away at its end is off, not missing."""
    see(plant, "06:30", "06:31")
    look_watched(plant, at("06:50"))
    assert where_is(plant) == ("off", "off_shift")
    look_watched(plant, at("08:04"))
    assert where_is(plant) == ("off", "off_shift")  # five minutes count from eight o'clock
    see(plant, "16:58", first=10)
    look_watched(plant, at("17:04"))
    assert where_is(plant) == ("off", "off_shift")
    see(plant, "19:00", first=11)
    look_watched(plant, at("19:10"))
    assert alerts(plant) == []


@pytest.mark.parametrize("why", ["resigned", "no phone", "herself", "a circle", "nobody"])
def test_trap_wrong_supervisor(plant, why):
    """A supervisor who is gone, unreachable, the person or in a circle is passed over: at last HR is told."""
    with UnitOfWork(plant) as work:
        builders.a_recipient(work.session, phone="62899")
        sari = work.session.get_one(Employee, "EMP900")
        [link] = work.session.query(OrgHierarchy)
        match why:
            case "resigned":
                sari.status = "resigned"
            case "no phone":
                sari.phone = sari.email = ""
            case "herself":
                link.supervisor_id = "EMP001"
            case "a circle":
                sari.phone = sari.email = ""
                work.session.add(OrgHierarchy(employee_id="EMP900", supervisor_id="EMP001", level=1))
            case "nobody":
                work.session.delete(link)
    see(plant, "08:00")
    look_watched(plant, at("08:06"))
    change(plant, Employee, "EMP900", name="Another Name")  # whom it went to stays as it was
    assert [each.recipient for each in deliver(plant, at("08:07")).sent] == ["62899"]
    assert alerts(plant)[0].supervisor_name == "Human Resources"


def test_trap_ack_then_leaves_again(plant):
    """An acknowledged absence is silent until they return; leaving again is a new alert."""
    see(plant, "08:00")
    look_watched(plant, at("08:06"))
    with UnitOfWork(plant) as work:
        assert acknowledge_alert(
            work, alerts(plant)[0].alert_id, by="Sari", actor="user:sari", now=at("08:07")
        )
    look_watched(plant, at("08:20"))
    assert len(alerts(plant)) == 1
    see(plant, "08:30", first=2)
    look_watched(plant, at("08:36"))
    assert [(each.episode, each.state) for each in alerts(plant)] == [(1, "closed"), (2, "open")]


def test_trap_recovery_spam(plant):
    """A return that comes before the message cancels it, and no return sends a message of its own."""
    for n in range(6):
        see(plant, f"08:{10 * n:02}", first=1 + n)
        look_watched(plant, at(f"08:{10 * n + 6:02}"))
        if n % 2:
            deliver(plant, at(f"08:{10 * n + 7:02}"))
    see(plant, "09:05", first=20)
    look_watched(plant, at("09:06"))
    sent = [each.state for each in every(plant, Notification)]
    assert len(alerts(plant)) == 6
    assert sorted(sent) == ["accepted"] * 3 + ["cancelled"] * 3


def test_trap_resigned(plant, tmp_path):
    """From the day after the last one nobody is alerted about; the face is erased, attendance is kept."""
    see(plant, "08:00", "08:01")
    with UnitOfWork(plant) as work:
        resign_employee(
            work, "EMP001", MONDAY - timedelta(days=1), tmp_path, now=at("08:02"), actor="user:hr"
        )
    see(plant, "08:03", first=7)
    look_watched(plant, at("08:10"))
    assert alerts(plant) == []
    assert every(plant, FaceTemplate, employee_id="EMP001") == []
    assert the_day(plant).first_in_ts == at("08:00")


@pytest.mark.xfail(strict=True, reason="issue 6: one sighting that is barely sure closes an alert by itself")
def test_trap_identity_mix_up(plant):
    """Similarity and margin are kept with each event, and one that is barely sure closes no alert alone."""
    see(plant, "08:00")
    look_watched(plant, at("08:06"))
    barely = an_event(2, at=at("08:07"), sim_score=0.401, threshold=0.4, margin=0.001)
    record(plant, [barely], now=at("08:07"))
    [event] = every(plant, Event, seq=2)
    assert (event.sim_score, event.threshold, event.margin) == (0.401, 0.4, 0.001)
    assert [each.state for each in alerts(plant)] == ["open"]


def test_trap_time_shown_in_message(plant):
    """The minutes are true when it is sent, or it is not sent: a message that waited too long is dropped."""
    see(plant, "08:00")
    look_watched(plant, at("08:06:30"))
    assert "last seen 6 min ago" in every(plant, Notification)[0].payload["text"]
    assert deliver(plant, at("08:21:31")).sent == []
    assert [each.state for each in every(plant, Notification)] == ["dropped_stale"]
    assert where_is(plant) == ("off", "out_of_area")
