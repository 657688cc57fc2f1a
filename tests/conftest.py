"""What every test may use."""

import logging
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, not whether a law holds.
settings.register_profile("hadir", deadline=None)
settings.load_profile("hadir")


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A command run in this process sets the level of its log; the next test shall not inherit it."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator:
    """An empty database with every table, in a file of its own."""
    from central_server.db import models  # noqa: F401 - fills the metadata
    from central_server.db.base import Base
    from central_server.db.engine import open_engine

    database = open_engine(f"sqlite:///{tmp_path / 'hadir.db'}")
    Base.metadata.create_all(database)
    yield database
    database.dispose()


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Return a TCP port on loopback that was free a moment ago."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    return find


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real models and clips; the test is skipped, aloud, where it is not."""
    folder = Path(os.environ.get("HADIR_TEST_DATA") or Path(__file__).parents[2] / "shared")
    if not (folder / "models" / "field_sc").is_dir():
        pytest.skip(f"no real models and clips: HADIR_TEST_DATA is not set and {folder} is not there")
    return folder
