"""A day in the database is what the pure rules say of the same facts, however often it is computed."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import Engine

from central_server.config import RulesConfig
from central_server.db import models
from central_server.db.base import Base
from central_server.db.engine import open_engine
from central_server.db.stores import attendance
from central_server.db.unit_of_work import UnitOfWork
from central_server.domain.attendance import DayFacts
from central_server.domain.day_figures import attendance_on
from central_server.services.carry_out_recompute import carry_out
from central_server.services.plan_recompute import plan_recompute
from central_server.services.recompute_attendance import recompute_days
from tests import builders
from tests.postgres import binaries, postgres_server
from tests.random_days import days
from tests.stored_days import forget_everything, snapshot, store

ROOT = Path(__file__).parents[2]
ONE_DATABASE = [HealthCheck.function_scoped_fixture]  # emptied for every example


@pytest.fixture
def postgres(free_port) -> Iterator[Engine]:
    if binaries() is None:
        pytest.skip("no PostgreSQL server is installed")
    with postgres_server(free_port()) as address:
        engine = open_engine(address)
        Base.metadata.create_all(engine)
        yield engine
        engine.dispose()


def check(engine: Engine, facts: DayFacts) -> None:
    """Store the facts, compute their days twice, and compare with the pure rules."""
    forget_everything(engine)
    stored = store(engine, facts)
    expected = {day: attendance_on(each) for day, each in stored.items()}
    now = stored[facts.business_date].as_of
    rules = builders.the_rules(unseen_after=facts.merge_gap, overtime=facts.overtime)
    compute(engine, sorted(expected), rules, now)
    with UnitOfWork(engine) as work:
        for day, pure in expected.items():
            kept = attendance.get(work.session, "EMP001", day)
            if kept is None:
                assert (pure.first_in_ts, pure.last_out_ts) == (None, None)
                assert pure.status in ("off", "holiday", "not_started")
            else:
                assert asdict(kept) | {"shift_id": ""} == asdict(pure) | {"shift_id": ""}
    kept = snapshot(engine, models.Attendance, models.AttendanceCorrection, models.Event)
    compute(engine, sorted(expected), rules, now)
    assert snapshot(engine, models.Attendance, models.AttendanceCorrection, models.Event) == kept


def compute(engine: Engine, dates: list[date], rules: RulesConfig, now: datetime) -> None:
    plan = plan_recompute(engine, dates[0], dates[-1], rules, now=now)
    carry_out(engine, plan, rules, actor="shell:test", now=lambda: now, pause=lambda: None)
    with UnitOfWork(engine) as work:
        recompute_days(work, {("EMP001", day) for day in dates}, rules, now=now)


@settings(deadline=None, max_examples=40, suppress_health_check=ONE_DATABASE)
@given(days)
def test_a_day_in_sqlite_is_the_pure_one_and_stays_so(engine, facts):
    """Every column equals the pure rules on the same facts; again changes no row and no correction."""
    check(engine, facts)


@settings(deadline=None, max_examples=15, suppress_health_check=ONE_DATABASE)
@given(days)
def test_a_day_in_postgresql_is_the_pure_one_and_stays_so(postgres, facts):
    """The same on PostgreSQL."""
    check(postgres, facts)


@pytest.mark.parametrize("timezone", ["UTC", "America/New_York"])
def test_the_servers_own_time_zone_says_nothing(timezone):
    """Nights in WIB, WITA and WIT, day boundaries and all worked examples are the same on any server."""
    asked = [
        "tests/unit/test_worked_examples.py",
        "tests/integration/test_traps_of_a_day.py",
        "tests/integration/test_presence_story.py",
    ]
    chosen = "page or night_shift or day_boundary or daylight_saving or moves_between_zones"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *asked, "-k", chosen],
        cwd=ROOT,
        env=os.environ | {"TZ": timezone},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
