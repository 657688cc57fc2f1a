"""Before the first camera of a site has watched, and after the last is gone, nobody's absence is proven."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine

from central_server.db.models import Agent, Attendance, Camera, CoverageGap, DayDue, Kiosk
from central_server.db.stores import coverage
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.intervals import Interval
from central_server.services.close_day import close_in_portions
from central_server.services.record_health import record_birth, record_heartbeat
from common.events import Birth, CameraHealth, CameraInfo, CameraReason, CameraState, Heartbeat
from common.ids import CameraId
from tests import builders, day_world
from tests.builders import EIGHT_IN_JAKARTA as EIGHT

MINUTE = timedelta(minutes=1)
SPAN = Interval(EIGHT - 60 * MINUTE, EIGHT + 600 * MINUTE)


@pytest.fixture
def plant(engine: Engine) -> Engine:
    return builders.unproven(day_world.a_plant(engine))


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def born(engine: Engine, minute: float, *cameras: str) -> None:
    at = EIGHT + minute * MINUTE
    infos = tuple(CameraInfo(camera_id=CameraId(each), zone="plant-gate") for each in cameras)
    birth = Birth(sid="", ts=ms(at), version="1", model_id="m", engine="e", epoch="e1", cameras=infos)
    with UnitOfWork(engine) as work:
        record_birth("plant-agent", birth, work, at)


def beat(engine: Engine, minute: float, **since: float) -> None:
    """A heartbeat at a minute after eight, with all of its cameras watching since some minute."""
    at = EIGHT + minute * MINUTE
    told = tuple(
        CameraHealth(
            camera_id=CameraId(name.replace("_", "-")),
            state=CameraState.ONLINE,
            reason=CameraReason.NONE,
            since=ms(EIGHT + start * MINUTE),
        )
        for name, start in since.items()
    )
    with UnitOfWork(engine) as work:
        said = Heartbeat(sid="", ts=ms(at), reported_to=ms(at), cameras=told)
        record_heartbeat("plant-agent", said, work, at)


def unwatched(engine: Engine, until: float = 600) -> list[tuple[float, float]]:
    span = Interval(SPAN.start, EIGHT + until * MINUTE)
    with UnitOfWork(engine) as work:
        found = coverage.unwatched(work.session, "plant", span)
    return [((each.start - EIGHT) / MINUTE, (each.end - EIGHT) / MINUTE) for each in found]


def close(engine: Engine, minute: float) -> None:
    at = EIGHT + minute * MINUTE
    with UnitOfWork(engine) as work:
        work.session.get_one(Agent, "plant-agent").reported_to = at
    close_in_portions(engine, "plant", builders.the_rules(), now=at)


def test_nobody_is_absent_where_no_camera_has_ever_watched(plant):
    """The day the server was set up: people are entered, cameras hang, none of them has shown a picture."""
    assert unwatched(plant) == [(-60, 600)]
    close(plant, 900)
    row = day_world.the_day(plant)
    assert (row.status, row.is_verified) == ("incomplete", False)


def test_before_the_first_picture_nobody_is_late(plant):
    """The first camera was hung at 14:00; who was seen at five past may have been there all morning."""
    beat(plant, 362, plant_cam=360)
    assert unwatched(plant) == [(-60, 360), (362, 600)]
    day_world.see(plant, "14:05", "17:00")
    beat(plant, 780, plant_cam=360)
    close(plant, 900)
    row = day_world.the_day(plant)
    assert (row.status, row.late_min, row.is_verified) == ("present", 0, False)


def test_from_the_next_day_on_the_watch_counts(plant):
    """What was dark before the first camera says nothing about the days after it."""
    beat(plant, -300, plant_cam=-310)
    beat(plant, 780, plant_cam=-310)
    close(plant, 900)
    row = day_world.the_day(plant)
    assert (row.status, row.is_verified) == ("absent", True)


def test_a_camera_that_joins_others_has_no_past(plant):
    """They watched before it came."""
    beat(plant, -300, plant_cam=-310)
    born(plant, 200, "plant-cam", "second")
    beat(plant, 300, plant_cam=-310)
    assert unwatched(plant, 300) == []
    beat(plant, 310, plant_cam=-310, second=305)
    assert unwatched(plant, 310) == []


def test_between_the_last_camera_and_the_next_nobody_watched(plant):
    """Replaced by one with another name, with hours between them: while it lasts, and afterwards."""
    beat(plant, -300, plant_cam=-310)
    beat(plant, 60, plant_cam=-310)
    born(plant, 60)
    assert unwatched(plant) == [(60, 600)]
    born(plant, 100, "newer")
    assert unwatched(plant) == [(60, 600)]
    beat(plant, 241, newer=240)
    assert unwatched(plant, 241) == [(60, 240)]


def test_a_box_that_was_sent_away_leaves_its_cameras_to_nobody(plant):
    """Its agent is revoked at 09:00, another takes the camera over at noon."""
    beat(plant, -300, plant_cam=-310)
    beat(plant, 60, plant_cam=-310)
    day_world.change(plant, Agent, "plant-agent", revoked_at=EIGHT + 60 * MINUTE)
    assert unwatched(plant) == [(60, 600)]


def test_a_site_that_went_over_to_kiosks_is_not_unwatched(plant):
    """Its cameras are gone for good; its people punch."""
    beat(plant, -300, plant_cam=-310)
    beat(plant, 60, plant_cam=-310)
    born(plant, 60)
    kiosk = Kiosk(
        kiosk_id="door", site_id="plant", name="Door", token_hash="x", created_at=EIGHT, created_by="admin"
    )
    day_world.put(plant, kiosk)
    assert unwatched(plant) == []


def test_a_backlog_with_the_first_proof_has_closed_days_computed_again(plant):
    """The very first contact of a box that has watched since yesterday: that day was closed in doubt."""
    closed = Attendance(
        employee_id="EMP001", business_date=builders.MONDAY, site_id="plant", shift_id="day",
        status="incomplete", is_provisional=False, updated_at=EIGHT,
    )  # fmt: skip
    day_world.put(plant, closed)
    beat(plant, 1500, plant_cam=-120)
    assert [each.employee_id for each in day_world.every(plant, DayDue)] == ["EMP001"]
    assert unwatched(plant) == []


def test_the_first_proof_is_kept_once(plant):
    """A camera that goes and comes again does not begin its history anew."""
    beat(plant, -300, plant_cam=-310)
    since = -310
    for minute in (0, 100, 200):
        beat(plant, minute, plant_cam=since)
        since = minute + 15
        born(plant, minute)
        born(plant, minute + 10, "plant-cam")
        beat(plant, minute + 20, plant_cam=since)
    rows = day_world.every(plant, CoverageGap, reason="new")
    assert [(each.camera_id, each.ends_at) for each in rows] == [("plant-cam", EIGHT - 310 * MINUTE)]
    assert unwatched(plant, 220) == [(0, 15), (100, 115), (200, 215)]
    assert day_world.every(plant, Camera, camera_id="plant-cam")[0].proven_to == EIGHT + 220 * MINUTE
