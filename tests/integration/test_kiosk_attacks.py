"""Attacks at a kiosk, on both databases: many tries at once, replays, and what is left to see of them."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine

from central_server.db import models
from central_server.db.engine import open_engine
from central_server.db.models import Base
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.punching import MOST_WRONG
from tests import builders
from tests.kiosk_world import PIN, a_badge, a_kiosk
from tests.postgres import binaries, postgres_server
from tests.web_world import WebWorld, a_web_world, inhabit

HEADERS = {"X-Requested-With": "hadir"}


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path) -> Iterator[Engine]:
    """An empty database with every table, on both kinds."""
    if request.param == "sqlite":
        yield request.getfixturevalue("engine")
        return
    if binaries() is None:
        pytest.skip("no PostgreSQL server in /usr/lib/postgresql")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with postgres_server(port) as address:
        engine = open_engine(address)
        Base.metadata.create_all(engine)
        yield engine
        engine.dispose()


@pytest.fixture
def world(database, tmp_path) -> WebWorld:
    found = a_web_world(database, tmp_path)
    inhabit(found)
    with UnitOfWork(database) as work:
        builders.an_employee(work.session, "ANI", name="Ani Lestari", is_enrolled=False, consent_at=None)
    return found


def at_once(world: WebWorld, bodies: list[dict[str, str]]) -> list[int]:
    """Send the punches in as many threads; return the statuses."""
    _, token = a_kiosk(world.engine, now=datetime.now(UTC))

    def send(body: dict[str, str]) -> int:
        client = world.stranger()
        client.set_cookie("hadir_kiosk", token, path="/kiosk")
        return client.post("/kiosk/punch", json=body, headers=HEADERS).status_code

    with ThreadPoolExecutor(len(bodies)) as threads:
        return list(threads.map(send, bodies))


def test_many_wrong_pins_at_once_are_as_many_as_one_after_the_other(world):
    """Twelve threads do not get more than five tries: each is counted before it is judged."""
    a_badge(world.engine, "ANI", now=datetime.now(UTC))
    bodies = [{"id": f"guess{n:08}", "kind": "in", "code": "ANI", "pin": f"{n:06}"} for n in range(12)]
    assert at_once(world, bodies) == [403] * 12
    [badge] = world.rows(models.Badge)
    assert badge.failed == MOST_WRONG
    assert badge.locked_until is not None
    [lock] = [each for each in world.rows(models.AuditLog) if each.action == "badge.locked"]
    assert (lock.subject, lock.detail["tries"]) == ("ANI", MOST_WRONG)
    assert lock.actor.startswith("kiosk:"), "where somebody may have locked out a colleague"


def test_many_punches_at_once_are_each_recorded(world):
    """A queue at the door: every punch has its number, and none is answered with an error."""
    code = a_badge(world.engine, "ANI", now=datetime.now(UTC))
    bodies = [{"id": f"punch{n:08}", "kind": "in", "badge": code} for n in range(8)]
    assert at_once(world, bodies) == [200] * 8
    assert sorted(each.seq for each in world.rows(models.Event)) == list(range(1, 9))
    assert len(world.rows(models.Attendance)) == 1


def test_an_error_of_the_database_names_nobody(database):
    """What fails is logged with its statement, and without the values: they are people's."""
    from sqlalchemy.exc import IntegrityError

    with pytest.raises(IntegrityError) as told, UnitOfWork(database) as work:
        builders.a_site(work.session)
        builders.an_employee(work.session, "E1", phone="6281234567890", site_id="nowhere")
        work.session.flush()
    assert "6281234567890" not in str(told.value)
    assert PIN not in str(told.value)
