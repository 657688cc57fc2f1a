"""A tick after the first looks at few people, and misses nobody of whom something has changed."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update

from central_server.db.base import Base
from central_server.db.engine import open_engine
from central_server.db.models import Agent, Camera, Employee, Presence, Zone
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.evaluate_presence import evaluate_site
from central_server.services.record_event import record_events
from central_server.services.site_scene import READ_EVERY, SiteMemory
from tests import builders
from tests.builders import EIGHT_IN_JAKARTA as EIGHT
from tests.builders import an_envelope, an_event
from tests.postgres import binaries, postgres_server

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def plant(request, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[Engine]:
    """A gate and a hall with a camera each; EMP001 was seen in the hall, EMP002 at the gate."""
    if request.param == "sqlite":
        yield _filled(f"sqlite:///{tmp_path / 'hadir.db'}")
        return
    if binaries() is None:
        pytest.skip("no PostgreSQL server in /usr/lib/postgresql")
    with postgres_server(free_port()) as address:
        engine = _filled(address)
        yield engine
        engine.dispose()


def _filled(url: str) -> Engine:
    engine = open_engine(url)
    Base.metadata.create_all(engine)
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        builders.a_shift(work.session)
        builders.a_zone(work.session, "hall")
        builders.a_camera(work.session, "hall-cam", "plant-agent", "plant", "hall")
        for employee_id in ("EMP001", "EMP002"):
            builders.an_employee(work.session, employee_id)
    builders.all_healthy(engine, EIGHT)
    seen = [("EMP001", "hall-cam"), ("EMP002", "plant-cam")]
    events = [an_event(n + 1, who, EIGHT, camera_id=camera) for n, (who, camera) in enumerate(seen)]
    with UnitOfWork(engine) as work:
        record_events("plant-agent", an_envelope(*events), work, builders.the_rules(), now=EIGHT)
    return engine


def reasons(engine: Engine, memory: SiteMemory, now) -> dict[str, str]:
    """Evaluate with every agent heard; return what is said of each person."""
    with UnitOfWork(engine) as work:
        work.session.execute(update(Agent).values(state="online", heartbeat_at=now, reported_to=now))
        evaluate_site(work, "plant", builders.the_rules(), now=now, memory=memory)
        rows = work.session.execute(select(Presence.employee_id, Presence.reason)).all()
    return dict(map(tuple, rows))


def test_a_camera_that_fails_acts_at_once_on_whom_it_saw(plant):
    """Who was seen last by it is unknown with the next tick, the other is there; then both are again."""
    memory = SiteMemory()
    assert reasons(plant, memory, EIGHT + MINUTE) == {"EMP001": "in_area", "EMP002": "in_area"}
    with UnitOfWork(plant) as work:
        failed = update(Camera).where(Camera.camera_id == "hall-cam")
        work.session.execute(failed.values(state="offline", covered_since=None))
    later = EIGHT + MINUTE + timedelta(seconds=5)
    assert reasons(plant, memory, later) == {"EMP001": "no_coverage", "EMP002": "in_area"}
    with UnitOfWork(plant) as work:
        back = update(Camera).where(Camera.camera_id == "hall-cam")
        work.session.execute(back.values(state="online", covered_since=later))
    assert reasons(plant, memory, later + timedelta(seconds=5))["EMP001"] == "in_area"


def test_what_hr_says_acts_within_its_time(plant):
    """A suspension, somebody new and a zone's threshold are seen by the next tick that reads them."""
    memory = SiteMemory()
    reasons(plant, memory, EIGHT + MINUTE)
    with UnitOfWork(plant) as work:
        work.session.get_one(Employee, "EMP002").status = "suspended"
        builders.an_employee(work.session, "EMP003")
    assert reasons(plant, memory, EIGHT + MINUTE + READ_EVERY) == {
        "EMP001": "in_area",
        "EMP002": "not_enrolled",
        "EMP003": "not_arrived",
    }
    with UnitOfWork(plant) as work:
        work.session.get_one(Zone, "hall").threshold_s = 60
    assert reasons(plant, memory, EIGHT + MINUTE + 3 * READ_EVERY)["EMP001"] == "out_of_area"
