"""When nobody watched is written down by itself: through heartbeats, births and events, on a database."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, delete, select, update

from central_server.db.models import Agent, Attendance, Camera, CoverageGap, DayDue, Event, Zone
from central_server.db.stores import coverage
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.intervals import Interval
from central_server.services.record_event import record_events
from central_server.services.record_health import record_birth, record_heartbeat
from common.events import (
    Birth,
    CameraHealth,
    CameraInfo,
    CameraReason,
    CameraState,
    EventKind,
    Heartbeat,
    RecognitionEvent,
)
from common.ids import CameraId
from tests import builders
from tests.builders import EIGHT_IN_JAKARTA as EIGHT
from tests.builders import an_envelope, an_event

MINUTE = timedelta(minutes=1)
DAY_OF_IT = Interval(EIGHT - 60 * MINUTE, EIGHT + 600 * MINUTE)


@pytest.fixture
def plant(engine: Engine) -> Engine:
    """A site with one camera at the gate and one in the hall, both of one agent."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.a_shift(work.session)
        builders.a_zone(work.session, "hall", name="Hall")
        builders.a_camera(work.session, "hall-cam", "plant-agent", "plant", "hall")
    return engine


def ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def beat(
    engine: Engine, minute: float, *, reported: float | None = None, skew_ms: int = 0, **cameras
) -> None:
    """A heartbeat at a minute after eight; each camera by its name: since when it watches, or why not."""
    at = EIGHT + minute * MINUTE
    told = tuple(
        CameraHealth(
            camera_id=CameraId(name.replace("_", "-")),
            state=CameraState.OFFLINE if isinstance(since, str) else CameraState.ONLINE,
            reason=CameraReason(since) if isinstance(since, str) else CameraReason.NONE,
            since=ms(at if isinstance(since, str) else EIGHT + since * MINUTE),
        )
        for name, since in cameras.items()
    )
    reported_to = at if reported is None else EIGHT + reported * MINUTE
    with UnitOfWork(engine) as work:
        said = Heartbeat(sid="", ts=ms(at) + skew_ms, reported_to=ms(reported_to), cameras=told)
        record_heartbeat("plant-agent", said, work, at)


def gaps(engine: Engine, until: float = 600) -> list[tuple[str, float, float, str]]:
    span = Interval(DAY_OF_IT.start, EIGHT + until * MINUTE)
    with UnitOfWork(engine) as work:
        found = coverage.gaps(work.session, "plant", span)
    return sorted(
        (
            each.camera_id,
            (each.interval.start - EIGHT) / MINUTE,
            (each.interval.end - EIGHT) / MINUTE,
            each.reason,
        )
        for each in found
    )


def unwatched(engine: Engine, until: float = 600) -> list[tuple[float, float]]:
    span = Interval(DAY_OF_IT.start, EIGHT + until * MINUTE)
    with UnitOfWork(engine) as work:
        found = coverage.unwatched(work.session, "plant", span)
    return [((each.start - EIGHT) / MINUTE, (each.end - EIGHT) / MINUTE) for each in found]


def test_a_camera_that_failed_leaves_a_gap_with_its_reason(plant):
    """From the last proof to the first picture; after the last proof of all, the gap is open."""
    beat(plant, 0, plant_cam=-30)
    beat(plant, 10, plant_cam=-30)
    beat(plant, 11, plant_cam="timeout")
    assert gaps(plant, 30) == [("plant-cam", 10, 30, "")]
    beat(plant, 20, plant_cam=19)
    assert gaps(plant, 30) == [("plant-cam", 10, 19, "timeout"), ("plant-cam", 20, 30, "")]


def test_an_agent_that_watched_all_along_leaves_none(plant):
    """Two hours without a line, or without a server: it says that it never stopped watching."""
    beat(plant, 0, plant_cam=-30)
    beat(plant, 120, plant_cam=-30)
    assert gaps(plant, 120) == []


def test_an_agent_that_was_off_leaves_one_until_its_backlog_is_here(plant):
    """A power cut: what it watches since is proven once everything is reported up to there."""
    beat(plant, 0, plant_cam=-30)
    beat(plant, 60, reported=20, plant_cam=50)
    assert gaps(plant, 60) == [("plant-cam", 0, 60, "")]
    beat(plant, 61, plant_cam=50)
    assert gaps(plant, 61) == [("plant-cam", 0, 50, "agent")]


def test_a_new_camera_has_no_past(plant):
    """What was never proven is no gap."""
    beat(plant, 30, plant_cam=29)
    assert gaps(plant, 30) == []


def test_a_clock_that_is_wrong_proves_nothing(plant):
    """While it is more than two minutes off; afterwards it proves what it watched meanwhile."""
    beat(plant, 0, plant_cam=-30)
    beat(plant, 10, skew_ms=121_000, plant_cam=-30)
    assert gaps(plant, 10) == [("plant-cam", 0, 10, "")]
    beat(plant, 11, plant_cam=-30)
    assert gaps(plant, 11) == []


def test_two_boxes_with_one_identity_prove_nothing(plant):
    """Each speaks for pictures that only the other one has."""
    beat(plant, 0, plant_cam=-30)
    with UnitOfWork(plant) as work:
        work.session.get_one(Agent, "plant-agent").cloned_at = EIGHT + MINUTE
    beat(plant, 5, plant_cam=-30)
    assert gaps(plant, 5) == [("plant-cam", 0, 5, "")]


def test_a_gap_shrinks_when_better_is_known_and_closed_days_are_computed_again(plant):
    """The camera had watched since earlier than was thought."""
    beat(plant, 0, plant_cam=-30)
    beat(plant, 10, plant_cam="timeout")
    beat(plant, 20, plant_cam=19)
    assert gaps(plant, 20) == [("plant-cam", 0, 19, "timeout")]
    a_closed_day(plant)
    beat(plant, 21, plant_cam=5)
    assert gaps(plant, 21) == [("plant-cam", 0, 5, "timeout")]
    assert due(plant) == ["EMP001"]
    beat(plant, 22, plant_cam=-1)
    assert gaps(plant, 22) == []


def test_news_of_the_watch_reach_closed_days_and_leave_open_ones(plant):
    """A day that was closed in doubt is computed again; one that is open will be anyway."""
    beat(plant, 0, plant_cam=-30)
    a_closed_day(plant, is_provisional=True)
    beat(plant, 120, plant_cam=-30)
    assert due(plant) == []
    a_closed_day(plant, "EMP002")
    beat(plant, 240, plant_cam=-30)
    assert due(plant) == ["EMP002"]


def test_days_that_the_gap_does_not_touch_are_left_alone(plant):
    """The shift's window was over before the camera failed."""
    a_closed_day(plant)
    beat(plant, 800, plant_cam=790)
    beat(plant, 900, plant_cam=890)
    assert gaps(plant, 900) == [("plant-cam", 800, 890, "agent")]
    assert due(plant) == []


def a_closed_day(engine: Engine, employee_id: str = "EMP001", *, is_provisional: bool = False) -> None:
    with UnitOfWork(engine) as work:
        builders.an_employee(work.session, employee_id)
        row = Attendance(
            employee_id=employee_id, business_date=builders.MONDAY, site_id="plant", shift_id="day",
            status="late", is_provisional=is_provisional, updated_at=EIGHT,
        )  # fmt: skip
        work.session.add(row)


def due(engine: Engine) -> list[str]:
    with UnitOfWork(engine) as work:
        return list(work.session.scalars(select(DayDue.employee_id)))


def test_a_camera_that_nobody_looks_after_any_more_closes_its_gap(plant):
    """It was broken when it was taken away; when it comes back, it is new."""
    beat(plant, 0, plant_cam=-30)
    beat(plant, 10, plant_cam="timeout")
    born(plant, 30)
    assert gaps(plant, 100) == [("plant-cam", 0, 30, "timeout")]
    born(plant, 60, "plant-cam")
    beat(plant, 61, plant_cam=60.5)
    assert gaps(plant, 61) == [("plant-cam", 0, 30, "timeout")]


def test_a_camera_that_was_well_when_it_was_taken_away_leaves_no_gap(plant):
    """It watched up to there, as far as one can say."""
    beat(plant, 0, plant_cam=-30)
    born(plant, 0.5)
    assert gaps(plant, 60) == []


def born(engine: Engine, minute: float, *cameras: str, zone: str = "") -> None:
    at = EIGHT + minute * MINUTE
    infos = tuple(CameraInfo(camera_id=CameraId(each), zone=zone) for each in cameras)
    birth = Birth(sid="", ts=ms(at), version="1", model_id="m", engine="e", epoch="e1", cameras=infos)
    with UnitOfWork(engine) as work:
        record_birth("plant-agent", birth, work, at)


def test_a_camera_in_another_zone_begins_anew(plant):
    """It has not watched there before, whatever it says."""
    beat(plant, 0, plant_cam=-30)
    born(plant, 1, "plant-cam", zone="hall")
    with UnitOfWork(plant) as work:
        camera = work.session.get_one(Camera, "plant-cam")
        assert (camera.zone_id, camera.covered_since) == ("hall", None)


def test_a_camera_of_a_box_that_was_sent_away_begins_anew_with_the_next(plant):
    """What the old box said of it does not hold for the new one."""
    beat(plant, 0, plant_cam=-30)
    with UnitOfWork(plant) as work:
        work.session.get_one(Agent, "plant-agent").revoked_at = EIGHT + MINUTE
        builders.an_agent(work.session, "new")
    info = CameraInfo(camera_id=CameraId("plant-cam"))
    birth = Birth(sid="", ts=0, version="1", model_id="m", engine="e", epoch="e1", cameras=(info,))
    with UnitOfWork(plant) as work:
        record_birth("new", birth, work, EIGHT + 60 * MINUTE)
        camera = work.session.get_one(Camera, "plant-cam")
        assert (camera.agent_id, camera.covered_since, camera.state) == ("new", None, "offline")


def test_only_cameras_of_entrances_decide_where_there_are_any(plant):
    """Who comes or goes passes there; without a marked entrance every camera counts, but public ones."""
    beat(plant, 0, plant_cam=-30, hall_cam=-30)
    beat(plant, 20, plant_cam=-30, hall_cam=10)
    assert unwatched(plant, 20) == [(0, 10)]
    mark(plant, "plant-gate", is_entrance=True)
    assert unwatched(plant, 20) == []
    mark(plant, "plant-gate", is_public=True)
    assert unwatched(plant, 20) == [(0, 10)]
    mark(plant, "hall", is_public=True)
    assert unwatched(plant, 20) == []


def mark(engine: Engine, zone_id: str, **flags: bool) -> None:
    with UnitOfWork(engine) as work:
        zone = work.session.get_one(Zone, zone_id)
        for name, value in flags.items():
            setattr(zone, name, value)


def test_an_entrance_without_a_camera_does_not_hide_the_others(plant):
    """Otherwise nothing would ever be in doubt there."""
    with UnitOfWork(plant) as work:
        builders.a_zone(work.session, "back-door", name="Back door", is_entrance=True)
    beat(plant, 0, plant_cam=-30)
    beat(plant, 20, plant_cam=10)
    assert unwatched(plant, 20) == [(0, 10)]


def test_a_site_without_cameras_is_never_unwatched(engine):
    """Its people punch."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session, "office")
        work.session.query(Camera).delete()
        assert coverage.unwatched(work.session, "office", DAY_OF_IT) == []


def test_what_an_agent_had_to_drop_is_a_gap(plant):
    """It watched, but what it saw is lost: of that time nothing is proven, whatever it says later."""
    beat(plant, 0, plant_cam=-30)
    lost = RecognitionEvent(
        event_id="x", seq=1, camera_id=CameraId("all"), track_id="gap", kind=EventKind.GAP,
        ts=ms(EIGHT + 30 * MINUTE), last_seen=ms(EIGHT + 30 * MINUTE),
        extra={"dropped": 9, "from_ts": ms(EIGHT + 10 * MINUTE), "to_ts": ms(EIGHT + 30 * MINUTE)},
    )  # fmt: skip
    for _ in range(2):
        with UnitOfWork(plant) as work:
            record_events(
                "plant-agent", an_envelope(lost), work, builders.the_rules(), now=EIGHT + 40 * MINUTE
            )
    beat(plant, 41, plant_cam=-30)
    with UnitOfWork(plant) as work:
        rows = work.session.scalars(select(CoverageGap).where(CoverageGap.camera_id == "plant-cam")).all()
        assert (EIGHT + 10 * MINUTE, EIGHT + 30 * MINUTE, "lost") in {
            (each.starts_at, each.ends_at, each.reason) for each in rows
        }
        assert work.session.get_one(Camera, "plant-cam").covered_since == EIGHT + 30 * MINUTE


@pytest.mark.parametrize(
    "extra", [{}, {"from_ts": "x", "to_ts": 5}, {"from_ts": 9, "to_ts": 5}, {"from_ts": 1e300}]
)
def test_a_gap_event_that_says_nonsense_is_no_gap(plant, extra):
    """It is kept as an event, and that is all."""
    odd = RecognitionEvent(
        event_id="x", seq=1, camera_id=CameraId("all"), track_id="gap", kind=EventKind.GAP, ts=9, last_seen=9,
        extra=extra,
    )  # fmt: skip
    with UnitOfWork(plant) as work:
        record_events("plant-agent", an_envelope(odd), work, builders.the_rules(), now=EIGHT)
        assert work.session.scalars(select(CoverageGap)).all() == []


def test_before_the_first_agent_came_nobody_watched(plant):
    """People are on record before the cameras are: they were not absent then, they cannot have been seen."""
    hour = timedelta(hours=1)
    span = Interval(EIGHT, EIGHT + 9 * hour)
    with UnitOfWork(plant) as work:
        assert coverage.unwatched(work.session, "plant", span) == []
        work.session.execute(update(Agent).values(joined_at=EIGHT + timedelta(hours=2)))
        assert coverage.unwatched(work.session, "plant", span) == [
            Interval(EIGHT, EIGHT + timedelta(hours=2))
        ]
        work.session.execute(update(Agent).values(joined_at=EIGHT + timedelta(days=2)))
        assert coverage.unwatched(work.session, "plant", span) == [span]
    with UnitOfWork(plant) as work:
        before = [an_event(1, at=EIGHT - hour)]
        record_events("plant-agent", an_envelope(*before), work, builders.the_rules(), now=EIGHT)
        assert coverage.unwatched(work.session, "plant", span) == []  # it has only joined anew
        work.session.execute(delete(Event))
        builders.an_agent(work.session, "old", revoked_at=EIGHT - timedelta(days=1))
        assert coverage.unwatched(work.session, "plant", span) == []  # a box that was replaced had watched
