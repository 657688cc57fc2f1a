"""Boxes whose clocks are wrong, and boxes of which there are two: in the database, as HR would see it."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from central_server.db.models import Agent, Alert, Attendance, Camera, DayDue, Event, Presence
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.evaluate_presence import evaluate_site
from central_server.services.recompute_attendance import recompute_days_due
from central_server.services.record_event import Delivery, record_deliveries
from central_server.services.record_health import record_birth, record_camera, record_heartbeat, record_state
from common.events import (
    AgentState,
    Birth,
    CameraHealth,
    CameraInfo,
    CameraState,
    CameraStatus,
    Clock,
    Envelope,
    EventKind,
    Heartbeat,
    LinkState,
    RecognitionEvent,
)
from common.ids import CameraId
from tests import builders
from tests.builders import EIGHT_IN_JAKARTA as EIGHT

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
AGENT, CAMERA, BOOT = "plant-agent", CameraId("plant-cam"), "boot-1"
BOOTED = EIGHT - 3 * HOUR  # when the box was switched on


@pytest.fixture
def plant(engine: Engine) -> Engine:
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.a_shift(work.session)
        for number in range(1, 31):
            builders.an_employee(work.session, f"EMP{number:03d}")
        builders.a_supervisor(work.session, "EMP900", of="EMP001")
        builders.a_recipient(work.session, "it")
    return engine


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def mono(moment: datetime) -> int:
    return round((moment - BOOTED).total_seconds() * 1000)


def beat(engine: Engine, at: datetime, *, off: timedelta, clock: Clock = Clock.RTC, sid: str = "s") -> None:
    """Let a heartbeat arrive at `at` from a box whose wall clock is ahead by off; its camera is fine."""
    health = CameraHealth(camera_id=CAMERA, state=CameraState.ONLINE, since=ms(BOOTED + off), fps=5.0)
    said = Heartbeat(
        sid=sid, ts=ms(at + off), reported_to=ms(at + off), mono=mono(at), boot_id=BOOT, clock=clock,
        cameras=(health,),
    )  # fmt: skip
    with UnitOfWork(engine) as work:
        record_state(AGENT, AgentState(state=LinkState.ONLINE, sid=sid, ts=0), work, at)
        record_heartbeat(AGENT, said, work, at)


def seen(seq: int, at: datetime, *, off: timedelta, who: str = "EMP001", **more) -> RecognitionEvent:
    values = {"clock": Clock.RTC, "boot_id": BOOT, "mono": mono(at)} | more
    return RecognitionEvent(
        event_id=f"{AGENT}-e-{seq}", seq=seq, camera_id=CAMERA, track_id="t", kind=EventKind.SEEN,
        ts=ms(at + off), last_seen=ms(at + off), employee_id=who, **values,
    )  # fmt: skip


def record(engine: Engine, *events: RecognitionEvent, now: datetime) -> int:
    envelope = Envelope(epoch="e", first=1, prev=events[0].seq - 1, events=events)
    with UnitOfWork(engine) as work:
        (ack,) = record_deliveries([Delivery(AGENT, envelope)], work, builders.the_rules(), now=now)
    return ack.seq


def rows(engine: Engine, table) -> list:
    with UnitOfWork(engine) as work:
        return list(work.session.query(table).all())


@pytest.mark.parametrize("off", [timedelta(0), 7 * HOUR, -7 * HOUR, timedelta(days=-200)])
def test_a_wrong_clock_changes_nobodys_attendance(plant, off):
    """A box hours off, and hardly synchronised, tells the same truth as one that is right."""
    beat(plant, EIGHT, off=off)
    record(plant, seen(1, EIGHT + MINUTE, off=off), now=EIGHT + MINUTE)
    beat(plant, EIGHT + 3 * MINUTE, off=off)

    (day,) = rows(plant, Attendance)
    (event,) = rows(plant, Event)
    (agent,) = rows(plant, Agent)
    assert day.first_in_ts == EIGHT + MINUTE
    assert (event.clock_off_ms, agent.clock_off_ms) == (off / timedelta(milliseconds=1),) * 2
    assert agent.reported_to == EIGHT + 3 * MINUTE
    with UnitOfWork(plant) as work:
        evaluate_site(work, "plant", builders.the_rules(), now=EIGHT + 3 * MINUTE)
    presence = next(each for each in rows(plant, Presence) if each.employee_id == "EMP001")
    assert presence.state == "available", "the box's watermark and coverage are corrected too"


def test_out_of_area_is_right_by_the_corrected_clock(plant):
    """Six minutes unseen are six minutes, with a box that is two hours fast."""
    off = 2 * HOUR
    beat(plant, EIGHT, off=off)
    record(plant, seen(1, EIGHT, off=off), now=EIGHT)
    for minute, expected in ((4, "available"), (6, "off")):
        at = EIGHT + minute * MINUTE
        beat(plant, at, off=off)
        with UnitOfWork(plant) as work:
            evaluate_site(work, "plant", builders.the_rules(), now=at)
        presence = next(each for each in rows(plant, Presence) if each.employee_id == "EMP001")
        assert presence.state == expected, f"after {minute} min"
    assert presence.since == EIGHT


def test_a_clock_that_was_never_set_is_dated_by_its_boot(plant):
    """Events of 1970 that were made since this boot have a time after all, once a heartbeat came."""
    off = datetime(1970, 1, 1, 0, 5, tzinfo=EIGHT.tzinfo) - EIGHT
    beat(plant, EIGHT + 10 * MINUTE, off=off, clock=Clock.BAD)
    record(plant, seen(1, EIGHT, off=off, clock=Clock.BAD), now=EIGHT + 10 * MINUTE)

    (day,) = rows(plant, Attendance)
    assert day.first_in_ts == EIGHT


def test_an_event_without_any_date_is_kept_and_decides_nothing(plant):
    """From a boot that nobody heard of, by a clock that was never set: on record, and in nobody's hours."""
    off = datetime(1970, 1, 1, 0, 5, tzinfo=EIGHT.tzinfo) - EIGHT
    event = seen(1, EIGHT, off=off, clock=Clock.RTC, boot_id="an earlier boot")
    assert record(plant, event, now=EIGHT) == 1

    (kept,) = rows(plant, Event)
    assert (kept.clock, kept.employee_id) == ("bad", "EMP001")
    assert rows(plant, Attendance) == [] and rows(plant, Presence) == []


def test_a_camera_that_is_fine_since_then_is_so_by_our_clock(plant):
    """The start of unbroken coverage is corrected like everything else."""
    beat(plant, EIGHT, off=HOUR)
    since = EIGHT - 2 * MINUTE
    status = CameraStatus(
        camera_id=CAMERA, state=CameraState.ONLINE, since=ms(since + HOUR), ts=ms(EIGHT + HOUR)
    )
    with UnitOfWork(plant) as work:
        record_camera(AGENT, status, work, EIGHT)
    (camera,) = rows(plant, Camera)
    assert camera.covered_since == since


def test_a_backlog_of_many_people_is_recomputed_when_it_has_settled(plant):
    """Late events of thirty people wait a little together; what HR then sees is all there."""
    now = EIGHT + 3 * HOUR
    beat(plant, now, off=timedelta(0))
    backlog = [seen(n, EIGHT + n * MINUTE, off=timedelta(0), who=f"EMP{n:03d}") for n in range(1, 31)]
    record(plant, *backlog, now=now)

    assert len(rows(plant, DayDue)) == 30 and rows(plant, Attendance) == []
    with UnitOfWork(plant) as work:
        assert recompute_days_due(work, builders.the_rules(), now=now, after=10 * MINUTE) == 0
        assert recompute_days_due(work, builders.the_rules(), now=now, most=20) == 20
        assert recompute_days_due(work, builders.the_rules(), now=now) == 10
    firsts = {each.employee_id: each.first_in_ts for each in rows(plant, Attendance)}
    assert firsts == {f"EMP{n:03d}": EIGHT + n * MINUTE for n in range(1, 31)}
    assert rows(plant, DayDue) == []


def test_two_boxes_with_one_identity_are_reported_once(plant):
    """A copy of a box that takes turns with it: one alert to those who repair boxes, over when it stopped."""

    def born(instance: str, at: datetime) -> None:
        birth = Birth(
            sid=f"{instance}-{ms(at)}",
            ts=ms(at),
            version="1",
            model_id="m",
            engine="none",
            epoch="e",
            instance=instance,
        )
        with UnitOfWork(plant) as work:
            record_birth(AGENT, birth, work, at)
            evaluate_site(work, "plant", builders.the_rules(), now=at)

    beat(plant, EIGHT, off=timedelta(0))
    for step, instance in enumerate(("one", "one", "two", "one", "two", "one")):
        born(instance, EIGHT + step * timedelta(seconds=2))
    (alert,) = [each for each in rows(plant, Alert) if each.kind == "agent_cloned"]
    assert (alert.state, alert.agent_id) == ("open", AGENT)
    assert "TWO BOXES" in alert.log

    with UnitOfWork(plant) as work:
        evaluate_site(work, "plant", builders.the_rules(), now=EIGHT + 16 * MINUTE)
    assert next(each for each in rows(plant, Alert) if each.kind == "agent_cloned").state == "closed"


def test_coverage_begins_late_rather_than_early_when_a_clock_was_just_set(plant):
    """A fast box is set right, and tells of a camera before the next heartbeat tells of its clock."""
    beat(plant, EIGHT, off=2 * HOUR)
    since, at = EIGHT + 5 * MINUTE, EIGHT + 6 * MINUTE
    for state, when in ((CameraState.OFFLINE, since - MINUTE), (CameraState.ONLINE, since)):
        said = CameraStatus(camera_id=CAMERA, state=state, since=ms(when), ts=ms(when + MINUTE))
        with UnitOfWork(plant) as work:
            record_camera(AGENT, said, work, at)
    (camera,) = rows(plant, Camera)
    assert camera.covered_since == since


def test_a_box_that_slept_is_dated_rightly_again(plant):
    """Where the steady clock stood still meanwhile, a synchronised wall clock tells what it is worth now."""
    beat(plant, EIGHT, off=timedelta(0), clock=Clock.NTP)
    at = EIGHT + 3 * HOUR
    said = Heartbeat(
        sid="s", ts=ms(at), reported_to=ms(at), mono=mono(EIGHT + MINUTE), boot_id=BOOT, clock=Clock.NTP
    )
    with UnitOfWork(plant) as work:
        record_heartbeat(AGENT, said, work, at)
    (agent,) = rows(plant, Agent)
    assert (agent.clock_off_ms, agent.reported_to) == (0, at)
    record(plant, seen(1, at, off=timedelta(0), clock=Clock.NTP, mono=mono(EIGHT + MINUTE)), now=at)
    (event,) = rows(plant, Event)
    assert event.ts == at


def test_a_birth_that_the_broker_kept_disables_no_camera(plant):
    """The agent goes by HTTPS with another camera; a server that begins to listen hears the old hello."""

    def hello(sid: str, camera: str, *, is_kept: bool = False) -> None:
        birth = Birth(
            sid=sid, ts=0, version="1", model_id="m", engine="none", epoch="e", instance="one",
            cameras=(CameraInfo(camera_id=CameraId(camera)),),
        )  # fmt: skip
        with UnitOfWork(plant) as work:
            if not is_kept:
                record_state(AGENT, AgentState(state=LinkState.ONLINE, sid=sid, ts=0), work, EIGHT)
            record_birth(AGENT, birth, work, EIGHT)

    hello("mqtt", CAMERA)
    hello("http", "new-cam")
    hello("mqtt", CAMERA, is_kept=True)
    states = {each.camera_id: each.state for each in rows(plant, Camera)}
    assert states[CAMERA] == "disabled" and states["new-cam"] != "disabled"
