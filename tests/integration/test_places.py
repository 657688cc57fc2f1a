"""Where events happen: parts of a picture that are zones, and public zones in which nobody has a name."""

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select

from central_server.db.models import Agent, Attendance, AuditLog, Camera, Event, Presence, Zone
from central_server.db.stores import coverage
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.record_event import record_events
from central_server.services.record_health import record_birth
from central_server.services.store_snapshot import SnapshotRefused, store_snapshot
from common.events import Birth, CameraInfo
from common.ids import CameraId
from tests import builders
from tests.builders import EIGHT_IN_JAKARTA as EIGHT
from tests.builders import an_envelope, an_event

MINUTE = timedelta(minutes=1)
AREA = "0,0 0.5,0 0.5,1"


@pytest.fixture
def plant(engine: Engine) -> Engine:
    """A site with a gate, a camera, and somebody who works there."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.a_shift(work.session)
        builders.an_employee(work.session)
    return engine


def record(engine: Engine, *events, now: datetime = EIGHT) -> None:
    with UnitOfWork(engine) as work:
        record_events("plant-agent", an_envelope(*events), work, builders.the_rules(), now=now)


def rows(engine: Engine, table) -> list:
    with UnitOfWork(engine) as work:
        return list(work.session.scalars(select(table)))


def born(engine: Engine, *zones: str, **more) -> None:
    """The agent says that parts of its camera's picture are zones."""
    body = {"camera_id": "plant-cam", "zones": [{"name": name, "area": AREA} for name in zones]}
    told = {"configuration": {"cameras": [body, {"camera_id": "not-ours", "zones": body["zones"]}]} | more}
    info = CameraInfo(camera_id=CameraId("plant-cam"))
    birth = Birth(sid="", ts=0, version="1", model_id="", engine="e", epoch="e1", cameras=(info,), extra=told)
    with UnitOfWork(engine) as work:
        record_birth("plant-agent", birth, work, EIGHT)


def test_a_part_of_the_picture_is_a_zone_of_its_own(plant):
    """The event happened there; the camera has to watch for both zones; the zone is made when it is new."""
    born(plant, "Vault")
    record(plant, an_event(1, extra={"zone": "Vault"}), an_event(2, at=EIGHT + MINUTE), now=EIGHT + MINUTE)
    assert [each.zone_id for each in rows(plant, Event)] == ["vault", "plant-gate"]
    builders.all_healthy(plant, EIGHT + MINUTE)
    with UnitOfWork(plant) as work:
        zones = coverage.of_site(work.session, "plant", EIGHT + MINUTE).zones
    assert zones["vault"] == zones["plant-gate"] == {"plant-cam"}


def test_a_part_that_no_zone_is_called_like_is_the_cameras_zone(plant):
    """Nothing is made by an event alone, and another site's zone is not meant."""
    with UnitOfWork(plant) as work:
        builders.a_site(work.session, "depot")
    parts = ("nowhere", "depot-gate", 7)
    record(plant, *(an_event(n, extra={"zone": part}) for n, part in enumerate(parts, start=1)))
    assert {each.zone_id for each in rows(plant, Event)} == {"plant-gate"}


def test_a_box_with_more_settings_than_it_can_tell_keeps_its_parts(plant):
    """A birth that was cut says nothing about the parts of the picture."""
    born(plant, "Vault")
    born(plant, is_cut=True)
    builders.all_healthy(plant, EIGHT)
    with UnitOfWork(plant) as work:
        assert "vault" in coverage.of_site(work.session, "plant", EIGHT).zones


@pytest.mark.parametrize("part", [None, "Street"], ids=["the whole camera", "a part of its picture"])
def test_nobody_is_identified_in_a_public_zone(plant, part):
    """The event is kept without a name; presence and attendance know nothing; it is written down."""
    with UnitOfWork(plant) as work:
        builders.a_zone(work.session, "street", name="Street", is_public=True)
        if part is None:
            work.session.get_one(Camera, "plant-cam").zone_id = "street"
    extra = {} if part is None else {"zone": part}
    for seq in (1, 2):
        record(plant, an_event(seq, snapshot="x.jpg", extra=extra))
    for event in rows(plant, Event):
        assert (event.employee_id, event.sim_score, event.kind, event.snapshot) == (
            None,
            None,
            "unknown",
            None,
        )
        assert event.zone_id == "street"
    assert rows(plant, Presence) == rows(plant, Attendance) == []
    (line,) = rows(plant, AuditLog)
    assert (line.actor, line.action, line.subject) == (
        "agent:plant-agent", "zone.identified_in_public", "plant-cam",
    )  # fmt: skip


def test_an_agent_that_does_not_identify_there_is_not_written_down(plant):
    """Faces without names are what the law allows."""
    with UnitOfWork(plant) as work:
        work.session.get_one(Zone, "plant-gate").is_public = True
    record(plant, an_event(1, None))
    assert rows(plant, AuditLog) == []
    assert [each.extra for each in rows(plant, Event)] == [{}]


def test_no_face_is_kept_of_a_part_of_a_public_zones_picture(plant, tmp_path):
    """A part with a name of its own is as public as the camera's zone; a face crop of it is refused."""
    with UnitOfWork(plant) as work:
        builders.a_zone(work.session, "street", name="Street", is_public=True)
        builders.a_zone(work.session, "vault", name="Vault")
        work.session.get_one(Camera, "plant-cam").zone_id = "street"
    record(plant, an_event(1, snapshot="x.jpg", extra={"zone": "Vault"}))
    (event,) = rows(plant, Event)
    assert event.zone_id == "vault"
    with UnitOfWork(plant) as work, pytest.raises(SnapshotRefused, match="public zone"):
        agent = work.session.get_one(Agent, event.agent_id)
        jpeg = b"\xff\xd8\xff and a face"
        store_snapshot(work, tmp_path, agent, event.event_id, jpeg, days=3, now=event.ts)
    assert not list(tmp_path.rglob("*.jpg"))
