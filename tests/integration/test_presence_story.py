"""Events in, presence, attendance and alerts out: on a real database."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, func, select

from central_server.db.models import (
    Agent,
    Alert,
    Attendance,
    Employee,
    Event,
    EventMark,
    FaceTemplate,
    Holiday,
    Leave,
    Notification,
    OrgHierarchy,
    Presence,
    Shift,
    Zone,
)
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.carry_out_recompute import carry_out
from central_server.services.close_day import close_in_portions
from central_server.services.evaluate_presence import evaluate_site
from central_server.services.plan_recompute import plan_recompute
from central_server.services.record_event import record_events
from central_server.services.record_health import record_heartbeat
from common.events import CameraHealth, CameraReason, CameraState, Heartbeat
from common.ids import CameraId
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


def record(engine: Engine, *events, now, first=1, parked=None, agent_id="plant-agent"):
    with UnitOfWork(engine) as work:
        return record_events(
            agent_id, an_envelope(*events, first=first), work, builders.the_rules(), now=now, parked=parked
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
    """Seen at 08:00, unseen at 08:06: off since 08:00, and one message with the mission's words."""
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


def test_one_unreadable_event_does_not_stop_its_siblings(plant):
    """Its number is kept with the reason, and the agent may forget all three."""
    ack = record(plant, an_event(1), an_event(3, at=EIGHT + MINUTE), now=EIGHT + MINUTE, parked={2: "no ts"})
    assert ack.seq == 3
    assert one(plant, Event, seq=2).extra == {"unreadable": "no ts"}


def test_a_hole_holds_the_mark_back_until_it_is_filled_or_given_up(plant):
    """3 waits for 2; an agent that no longer holds 2 says so with the lowest number that it has."""
    assert record(plant, an_event(1), an_event(3), now=EIGHT).seq == 1
    assert record(plant, an_event(3), now=EIGHT, first=3).seq == 3


def test_an_event_id_that_is_taken_loses_nothing(plant):
    """Another agent's event has the same id: both are kept."""
    with UnitOfWork(plant) as work:
        builders.an_agent(work.session, "other")
    record(plant, an_event(1, event_id="same"), now=EIGHT)
    assert record(plant, an_event(1, event_id="same"), now=EIGHT, agent_id="other").seq == 1
    assert count(plant, Event) == 2


def test_a_backlog_corrects_the_record_and_alerts_about_nothing(plant):
    """Two hours of news at once: attendance is right, the absence that is over is not told."""
    evaluate(plant, EIGHT)
    now = EIGHT + 120 * MINUTE
    backlog = [an_event(seq, at=EIGHT + seq * MINUTE) for seq in (1, 2, 3)]
    record(plant, *backlog, now=now)
    assert one(plant, Event, seq=1).is_late
    assert one(plant, Presence, employee_id="EMP001").state != "available"

    record(plant, an_event(4, at=now - MINUTE), now=now)
    evaluate(plant, now)

    assert count(plant, Alert) == 0
    assert one(plant, Attendance).first_in_ts == EIGHT + MINUTE
    assert one(plant, Presence, employee_id="EMP001").state == "available"


def test_nobody_is_off_while_the_agent_is_silent(plant):
    """No heartbeat for three intervals: unknown, one alert to IT, and no word about people."""
    with UnitOfWork(plant) as work:
        builders.a_recipient(work.session, "it", name="Agus", email="it@example.com")
    record(plant, an_event(1, at=EIGHT), now=EIGHT)
    builders.all_healthy(plant, EIGHT)
    for minutes in (6, 7, 60):
        with UnitOfWork(plant) as work:
            evaluate_site(work, "plant", builders.the_rules(), now=EIGHT + minutes * MINUTE)

    presence = one(plant, Presence, employee_id="EMP001")
    assert (presence.state, presence.reason) == ("unknown", "no_coverage")
    alert = one(plant, Alert)
    assert (alert.kind, alert.agent_id) == ("agent_down", "plant-agent")
    with UnitOfWork(plant) as work:
        channels = set(work.session.execute(select(Notification.channel, Notification.recipient)))
    assert channels == {("whatsapp", "6281200000009"), ("email", "it@example.com")}

    evaluate(plant, EIGHT + 61 * MINUTE, since=EIGHT + 60 * MINUTE)
    assert one(plant, Alert).state == "closed"
    assert one(plant, Presence, employee_id="EMP001").state == "unknown"  # a whole threshold of looking first
    evaluate(plant, EIGHT + 66 * MINUTE, since=EIGHT + 60 * MINUTE)
    assert one(plant, Presence, employee_id="EMP001").reason == "out_of_area"


@pytest.mark.parametrize("reason", ["dark", "frozen", "covered", "moved"])
def test_nobody_is_off_while_the_camera_sees_nothing(plant, reason):
    """A picture in which nobody can be seen proves no absence: unknown, and IT is told about the camera.

    Once it sees again, the five minutes begin anew.
    """
    with UnitOfWork(plant) as work:
        builders.a_recipient(work.session, role="it", name="IT", phone="6281200000008")
    record(plant, an_event(1, at=EIGHT), now=EIGHT)
    evaluate(plant, EIGHT + MINUTE)

    blind_from, sees_from = EIGHT + 2 * MINUTE, EIGHT + 20 * MINUTE
    for minute in (2, 6, 15):
        heard(plant, EIGHT + minute * MINUTE, CameraState.DEGRADED, CameraReason(reason), since=blind_from)
        assert one(plant, Presence, employee_id="EMP001").state == "unknown"
    assert (one(plant, Alert).kind, one(plant, Notification).recipient) == ("camera_down", "6281200000008")
    assert f"DOWN ({reason})" in one(plant, Alert).log

    heard(plant, EIGHT + 24 * MINUTE, CameraState.ONLINE, CameraReason.NONE, since=sees_from)
    assert one(plant, Presence, employee_id="EMP001").state == "unknown"
    assert (one(plant, Alert).state, one(plant, Alert).close_reason) == ("closed", "back")
    heard(plant, EIGHT + 26 * MINUTE, CameraState.ONLINE, CameraReason.NONE, since=sees_from)
    assert one(plant, Presence, employee_id="EMP001").state == "off"


def heard(
    engine: Engine, now: datetime, state: CameraState, reason: CameraReason, *, since: datetime
) -> None:
    """The agent says how its camera is; then time passes."""
    ms, began = (round(each.timestamp() * 1000) for each in (now, since))
    camera = CameraHealth(camera_id=CameraId("plant-cam"), state=state, reason=reason, since=began)
    with UnitOfWork(engine) as work:
        beat = Heartbeat(sid="", ts=ms, reported_to=ms, cameras=(camera,))
        record_heartbeat("plant-agent", beat, work, now)
    with UnitOfWork(engine) as work:
        evaluate_site(work, "plant", builders.the_rules(), now=now)


def test_a_backlog_that_is_still_draining_keeps_everybody_unknown(plant):
    """The agent is there, but its news are old: the watermark does not count."""
    record(plant, an_event(1, at=EIGHT), now=EIGHT)
    now = EIGHT + 30 * MINUTE
    builders.all_healthy(plant, now)
    with UnitOfWork(plant) as work:
        work.session.get(Agent, "plant-agent").reported_to = EIGHT + 10 * MINUTE
        evaluate_site(work, "plant", builders.the_rules(), now=now)
    assert one(plant, Presence, employee_id="EMP001").state == "unknown"
    assert count(plant, Alert) == 0


def test_a_zone_may_have_a_threshold_of_its_own(plant):
    """Twenty seconds at the vault."""
    with UnitOfWork(plant) as work:
        work.session.get(Zone, "plant-gate").threshold_s = 20
    record(plant, an_event(1, at=EIGHT), now=EIGHT)
    evaluate(plant, EIGHT + timedelta(seconds=21))
    assert one(plant, Presence, employee_id="EMP001").reason == "out_of_area"


@pytest.mark.parametrize(
    "why", ["not watched", "resigned", "no consent", "not enrolled", "on leave", "holiday"]
)
def test_about_whom_nobody_is_told(plant, why):
    """An alert needs employment, consent, enrolment, a working day, and being watched."""
    record(plant, an_event(1, at=EIGHT), now=EIGHT)
    with UnitOfWork(plant) as work:
        budi = work.session.get(Employee, "EMP001")
        match why:
            case "not watched":
                budi.is_watched = False
            case "resigned":
                budi.status = "resigned"
            case "no consent":
                budi.consent_withdrawn_at = EIGHT
            case "not enrolled":
                work.session.query(FaceTemplate).delete()
            case "on leave":
                work.session.add(
                    Leave(employee_id="EMP001", first_on=builders.MONDAY, last_on=builders.MONDAY)
                )
            case "holiday":
                work.session.add(Holiday(day=builders.MONDAY, name="Hari Guru"))
    evaluate(plant, EIGHT + 6 * MINUTE)
    assert count(plant, Alert) == 0


def test_the_end_of_the_shift_closes_the_alert(plant):
    """Whoever is still away at five has gone home."""
    five = EIGHT + 540 * MINUTE
    record(plant, an_event(1, at=five - 20 * MINUTE), now=five - 20 * MINUTE)
    evaluate(plant, five - 10 * MINUTE)
    evaluate(plant, five)
    assert (one(plant, Alert).state, one(plant, Alert).close_reason) == ("closed", "off_shift")


def test_without_a_supervisor_hr_is_told_and_without_a_phone_by_email(plant):
    """Never nobody."""
    with UnitOfWork(plant) as work:
        work.session.query(OrgHierarchy).delete()
        builders.a_recipient(work.session, "hr", phone="", email="hr@example.com")
    record(plant, an_event(1, at=EIGHT), now=EIGHT)
    evaluate(plant, EIGHT + 6 * MINUTE)
    message = one(plant, Notification)
    assert (message.channel, message.recipient) == ("email", "hr@example.com")
    assert message.payload["subject"] == "[ALERT] EMP001 - Budi Santoso"


@pytest.mark.parametrize("timezone", ["Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"])
def test_a_night_shift_is_one_row_on_its_first_date(engine, timezone):
    """22:00 to 06:00 in each zone of Indonesia, on a server in UTC: one row, eight hours."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session, timezone=timezone)
        builders.a_shift(work.session, "night", starts=time(22), ends=time(6))
        builders.an_employee(work.session)
    starts = datetime.combine(builders.MONDAY, time(22), tzinfo=ZoneInfo(timezone)).astimezone(UTC)
    for hour in range(9):
        at = starts + timedelta(hours=hour)
        record(engine, an_event(hour + 1, at=at), now=at)
    day = one(engine, Attendance)
    assert (day.business_date, day.first_in_ts, day.work_seconds) == (builders.MONDAY, starts, 8 * 3600)


def test_recomputing_changes_nothing_and_a_new_shift_moves_what_belongs_elsewhere(plant):
    """Twice the same; then it is a night shift, and its early hours move to its first date."""
    at = datetime(2026, 11, 24, 22, 0, tzinfo=UTC)  # 05:00 on Wednesday in Jakarta
    record(plant, an_event(1, at=at), an_event(2, at=at + 50 * MINUTE), now=at + 240 * MINUTE)
    assert one(plant, Attendance).business_date == date(2026, 11, 25)
    for _ in range(2):
        recompute(plant)
        assert one(plant, Attendance, business_date=date(2026, 11, 25)).revision == 1

    with UnitOfWork(plant) as work:
        work.session.get(Shift, "day").starts, work.session.get(Shift, "day").ends = time(22), time(6)
    recompute(plant)
    moved = one(plant, Attendance, business_date=date(2026, 11, 24))
    assert (moved.first_in_ts, moved.seconds) == (at, 0)
    assert one(plant, Attendance, business_date=date(2026, 11, 25)).first_in_ts is None


def recompute(engine: Engine) -> None:
    now = datetime(2026, 11, 25, 2, tzinfo=UTC)
    plan = plan_recompute(engine, date(2026, 11, 24), date(2026, 11, 25), builders.the_rules(), now=now)
    carry_out(engine, plan, builders.the_rules(), actor="test", now=lambda: now, pause=lambda: None)


def test_the_day_closes_once_everything_is_reported(plant):
    """At 21:00 the absent get their row and the rest is final; late news make a revision that tells."""
    with UnitOfWork(plant) as work:
        builders.an_employee(work.session, "EMP002")
    record(plant, an_event(1, at=EIGHT), an_event(2, at=EIGHT + 480 * MINUTE), now=EIGHT + 481 * MINUTE)
    nine = EIGHT + timedelta(hours=13)
    close(plant, nine - MINUTE)
    assert one(plant, Attendance, employee_id="EMP001").is_provisional
    for _ in range(2):
        close(plant, nine)
    assert one(plant, Attendance, employee_id="EMP002").status == "absent"
    day = one(plant, Attendance, employee_id="EMP001")
    assert (day.is_provisional, day.revision, day.early_leave_min) == (False, 1, 60)

    record(plant, an_event(3, at=EIGHT + 540 * MINUTE), now=nine + 60 * MINUTE)

    day = one(plant, Attendance, employee_id="EMP001")
    assert (day.revision, day.early_leave_min, day.changes["early_leave_min"]) == (2, 0, [60, 0])
    assert not day.is_provisional


def close(engine: Engine, now: datetime) -> None:
    builders.all_healthy(engine, now)
    close_in_portions(engine, "plant", builders.the_rules(), now=now)


def test_seen_at_another_site_is_available_there(plant):
    """No alert at home; the board says elsewhere."""
    with UnitOfWork(plant) as work:
        builders.a_site(work.session, "depot")
    event = an_event(1, at=EIGHT, agent_id="depot-agent", camera_id="depot-cam")
    record(plant, event, now=EIGHT, agent_id="depot-agent")
    evaluate(plant, EIGHT + MINUTE)
    here = one(plant, Presence, employee_id="EMP001")
    assert (here.site_id, here.state, here.reason) == ("depot", "available", "elsewhere")
