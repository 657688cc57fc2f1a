"""A database of revision 0002 with people and days in it goes on with revision 0003, on both databases."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text

from central_server.db import migrate
from central_server.db.engine import open_engine
from central_server.db.models import Attendance, Camera, HrisPush, Presence, Rotation, ShiftAssignment
from central_server.db.stores import coverage
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.intervals import Interval
from central_server.services.close_day import compute_in_portions
from central_server.services.push_attendance import queue_day, queue_revisions
from tests import builders, day_world
from tests.builders import EIGHT_IN_JAKARTA as EIGHT
from tests.builders import MONDAY
from tests.postgres import binaries, postgres_server

HOUR = timedelta(hours=1)
SUNDAY = MONDAY - timedelta(days=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[str]:
    """The address of an empty database, once of each kind that we support."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'old.db'}"
        return
    if binaries() is None:
        pytest.skip("no PostgreSQL server in /usr/lib/postgresql")
    with postgres_server(free_port()) as address:
        yield address


def to_revision(url: str, revision: str) -> None:
    with migrate._writing(url) as connection:
        config = migrate._config(connection)
        is_up = revision > "0002"
        (command.upgrade if is_up else command.downgrade)(config, revision)


def old_database(url: str) -> None:
    """A site in Jakarta at revision 0002: a camera that watches since 06:00, one that went dark at 07:30."""
    with migrate._writing(url) as connection:
        command.upgrade(migrate._config(connection), "0002")
    engine = open_engine(url)
    rows = {
        "Site": {"site_id": "plant", "name": "Plant", "timezone": "Asia/Jakarta", "report_at": "17:30:00"},
        "Zone": {"zone_id": "gate", "site_id": "plant", "name": "Gate", "is_public": False},
        "Shift": {
            "shift_id": "day", "name": "Day", "starts": "08:00:00.000000", "ends": "17:00:00.000000",
            "weekdays": "mon,tue,wed,thu,fri", "late_grace_min": 10, "early_leave_grace_min": 10,
            "early_in_min": 120, "late_out_min": 240,
        },
        "ShiftAssignment": {"site_id": "plant", "shift_id": "day"},
        "Employee": {
            "employee_id": "EMP001", "site_id": "plant", "name": "Budi", "department": "", "phone": "",
            "email": "", "status": "active", "consent_at": EIGHT - 90 * 24 * HOUR, "consent_by": "hr",
            "is_watched": True, "created_at": EIGHT - 90 * 24 * HOUR,
        },
        "FaceTemplate": {
            "employee_id": "EMP001", "model_id": "m", "embedding": b"x", "dimension": 1, "source": "photo",
            "quality": 1.0, "created_at": EIGHT,
        },
    }  # fmt: skip
    with engine.execution_options(writes=True).begin() as connection:
        for table, row in rows.items():
            insert(connection, table, row)
        insert(connection, "Agent", an_old_agent())
        for name, state, since in (("one", "online", EIGHT - 2 * HOUR), ("two", "offline", None)):
            insert(connection, "Camera", an_old_camera(name, state, since))
        insert(connection, "Attendance", an_old_day())
        insert(connection, "Presence", {
            "employee_id": "EMP001", "site_id": "plant", "state": "available", "reason": "in_area",
            "since": EIGHT, "last_seen": EIGHT, "zone_id": "gate", "camera_id": "one",
            "business_date": MONDAY, "episode": 1, "version": 1,
        })  # fmt: skip
    engine.dispose()


def an_old_agent() -> dict:
    return {
        "agent_id": "box", "site_id": "plant", "name": "Box", "token_hash": "t", "manifest_key": "00",
        "hardware_id": "", "joined_at": EIGHT - 90 * 24 * HOUR, "state": "online", "sid": "",
        "heartbeat_at": EIGHT, "heartbeat_interval_s": 15.0, "reported_to": EIGHT, "clock": "ntp",
        "spool_depth": 0, "engine": "", "model_id": "", "version": "", "gallery_gen": 0, "health": "{}",
        "road": "mqtt", "instances": "[]", "boots": "{}", "clock_off_ms": 0, "config_gen": 0,
        "config_applied": 0, "config_tried": 0, "config_origin": "local", "config_errors": "[]",
    }  # fmt: skip


def an_old_camera(name: str, state: str, since: datetime | None) -> dict:
    return {
        "camera_id": name, "agent_id": "box", "site_id": "plant", "zone_id": "gate", "name": name,
        "state": state, "reason": "" if since else "timeout", "detail": "", "state_at": EIGHT - HOUR / 2,
        "covered_since": since, "fps": 5.0,
    }  # fmt: skip


def an_old_day() -> dict:
    return {
        "employee_id": "EMP001", "business_date": SUNDAY, "site_id": "plant", "shift_id": None,
        "first_in_ts": None, "last_out_ts": None, "seconds": 0, "span_seconds": 0, "work_seconds": None,
        "status": "off", "late_min": 0, "early_leave_min": 0, "overtime_min": 0, "is_provisional": False,
        "revision": 1, "changes": "{}", "updated_at": EIGHT - 2 * HOUR,
    }  # fmt: skip


def insert(connection, table: str, row: dict) -> None:
    names = ", ".join(f'"{name}"' for name in row)
    places = ", ".join(f":{name}" for name in row)
    values = dict(row)
    if connection.dialect.name == "sqlite":
        values = {key: plain(value) for key, value in row.items()}
    connection.execute(text(f'INSERT INTO "{table}" ({names}) VALUES ({places})'), values)


def plain(value):
    """Return a value as SQLite keeps it."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S.%f")
    return value.isoformat() if isinstance(value, date) else value


def test_what_was_there_goes_on(url):
    """The services work on the old rows, and nothing that was told before is told again."""
    old_database(url)
    migrate.upgrade(url)
    assert migrate.differences(url) == []
    engine = open_engine(url)
    [day] = day_world.every(engine, Attendance)
    assert (day.timezone, day.break_seconds, day.leave_kind, day.is_verified) == ("Asia/Jakarta", 0, "", True)
    [here] = day_world.every(engine, Presence)
    assert (here.zones, here.is_punched_in, here.check_at) == ({}, False, None)

    with UnitOfWork(engine) as work:
        assert queue_day(work, "webhook", "plant", SUNDAY, now=EIGHT) == 1
    compute_in_portions(engine, "plant", SUNDAY, builders.the_rules(), now=EIGHT + 30 * HOUR)
    with UnitOfWork(engine) as work:
        assert queue_revisions(work, "webhook", now=EIGHT + 30 * HOUR) == 0
    assert len(day_world.every(engine, HrisPush)) == 1
    day_world.look(engine, EIGHT + timedelta(seconds=30))
    assert day_world.where_is(engine) == ("available", "in_area")
    engine.dispose()


def test_the_watch_goes_on_from_what_was_known(url):
    """A camera that watched is proven up to its agent's word; one that was dark, until that was seen."""
    old_database(url)
    migrate.upgrade(url)
    engine = open_engine(url)
    proven = {each.camera_id: each.proven_to for each in day_world.every(engine, Camera)}
    assert proven == {"one": EIGHT, "two": EIGHT - HOUR / 2}
    with UnitOfWork(engine) as work:
        span = Interval(EIGHT - 48 * HOUR, EIGHT)
        assert coverage.unwatched(work.session, "plant", span) == [Interval(EIGHT - HOUR / 2, EIGHT)]
        before_the_box = Interval(EIGHT - 100 * 24 * HOUR, EIGHT - 80 * 24 * HOUR)
        [dark] = coverage.unwatched(work.session, "plant", before_the_box)
        assert dark.end == EIGHT - 90 * 24 * HOUR
    engine.dispose()


def test_the_way_back_keeps_the_rows(url):
    """Down and up again: what 0002 knew is still there, and rotations, which it did not know, are gone."""
    old_database(url)
    migrate.upgrade(url)
    engine = open_engine(url)
    day_world.put(engine, Rotation(rotation_id="r", name="R", starts_on=MONDAY, pattern="day,off"))
    day_world.put(engine, ShiftAssignment(site_id="plant", rotation_id="r"))
    engine.dispose()
    to_revision(url, "0002")
    migrate.upgrade(url)
    engine = open_engine(url)
    assert [each.shift_id for each in day_world.every(engine, ShiftAssignment)] == ["day"]
    assert [each.status for each in day_world.every(engine, Attendance)] == ["off"]
    assert {each.camera_id for each in day_world.every(engine, Camera)} == {"one", "two"}
    engine.dispose()
