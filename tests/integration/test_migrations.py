"""The migrations lead to the very tables that the models describe."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import inspect, select

from central_server.db.base import Base
from central_server.db.engine import open_engine
from central_server.db.migrate import differences, is_current, upgrade
from central_server.db.models import Lease, TemplateLog
from central_server.db.unit_of_work import UnitOfWork
from tests.postgres import binaries, postgres_server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path: Path, free_port: Callable[[], int]) -> Iterator[str]:
    """The address of an empty database, once of each kind that we support."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'empty.db'}"
        return
    if binaries() is None:
        pytest.skip("no PostgreSQL server in /usr/lib/postgresql")
    with postgres_server(free_port()) as address:
        yield address


def test_an_upgraded_empty_database_has_exactly_the_tables_of_the_models(url: str):
    """Nothing is missing from the migrations and nothing is left over."""
    assert not is_current(url)

    upgrade(url)

    assert differences(url) == []
    assert is_current(url)


def test_upgrading_twice_changes_nothing(url: str):
    """What is stored survives a second upgrade."""
    upgrade(url)
    engine = open_engine(url)
    with UnitOfWork(engine) as work:
        work.session.add(Lease(name="worker", owner="one", until=datetime(2026, 1, 1, tzinfo=UTC)))

    upgrade(url)

    with UnitOfWork(engine) as work:
        assert work.session.scalars(select(Lease.owner)).all() == ["one"]
    engine.dispose()


def test_two_processes_that_upgrade_at_once_wait_for_each_other(url: str):
    """Web and worker may both upgrade when they start."""
    problems: list[BaseException] = []

    def run() -> None:
        try:
            upgrade(url)
        except BaseException as problem:  # any failure at all is the finding
            problems.append(problem)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert problems == []
    assert is_current(url)


def test_an_empty_sqlite_file_may_be_opened_by_many_at_once(tmp_path: Path):
    """The one switch to write-ahead logging is waited for like any other write."""
    problems: list[BaseException] = []

    def write(address: str, together: threading.Barrier) -> None:
        engine = open_engine(address)
        try:
            together.wait(10)
            with engine.execution_options(writes=True).begin() as connection:
                connection.exec_driver_sql("CREATE TABLE IF NOT EXISTS made (a)")
        except BaseException as problem:  # any failure at all is the finding
            problems.append(problem)
        finally:
            engine.dispose()

    for number in range(60):
        args = (f"sqlite:///{tmp_path / f'{number}.db'}", threading.Barrier(6))
        threads = [threading.Thread(target=write, args=args) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)

    assert problems == []


def test_upgrading_works_from_any_folder(tmp_path: Path):
    """No ini file is looked for, so the working folder does not matter."""
    address = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    root = Path(__file__).parents[2]

    subprocess.run(
        [sys.executable, "-c", f"from central_server.db.migrate import upgrade; upgrade({address!r})"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        check=True,
        timeout=60,
    )

    assert is_current(address)


def test_the_generations_of_the_gallery_are_never_reused(tmp_path: Path):
    """SQLite must not hand out a generation again after its row was deleted."""
    address = f"sqlite:///{tmp_path / 'numbers.db'}"
    upgrade(address)
    engine = open_engine(address)

    def add() -> int:
        with UnitOfWork(engine) as work:
            row = TemplateLog(op="add", template_id=1, employee_id="E1", model_id="m", at=datetime.now(UTC))
            work.session.add(row)
            work.session.flush()
            return row.gen

    first = add()
    with UnitOfWork(engine) as work:
        work.session.query(TemplateLog).delete()

    assert add() > first
    engine.dispose()


def test_every_table_of_the_models_is_made(tmp_path: Path):
    """The upgraded file holds every table by name."""
    address = f"sqlite:///{tmp_path / 'tables.db'}"

    upgrade(address)

    engine = open_engine(address)
    assert set(Base.metadata.tables) <= set(inspect(engine).get_table_names())
    engine.dispose()
