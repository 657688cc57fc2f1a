"""Bring a database to the newest revision; write the next revision from what changed in the models.

    python -m central_server.db.migrate new "what changed"

writes central_server/db/migrations/versions/NNNN_what_changed.py; read it before you commit it.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, event, text

from central_server.db import models  # noqa: F401 - fills the metadata
from central_server.db.base import Base
from central_server.db.engine import open_engine

FOLDER = Path(__file__).parent / "migrations"
_LOCK = 0x4841444952  # "HADIR": one migration at a time on PostgreSQL


def upgrade(url: str) -> None:
    """Bring the database at url to the newest revision, all or nothing. Two at once wait for each other."""
    with _writing(url) as connection:
        command.upgrade(_config(connection), "head")
        _refuse_broken_references(connection)


def is_current(url: str) -> bool:
    """Tell whether the database at url is at the newest revision."""
    engine = open_engine(url)
    try:
        return is_engine_current(engine)
    finally:
        engine.dispose()


def is_engine_current(engine: Engine) -> bool:
    """Tell whether an open database is at the newest revision."""
    newest = set(ScriptDirectory(str(FOLDER)).get_heads())
    with engine.connect() as connection:
        return set(MigrationContext.configure(connection).get_current_heads()) == newest


def differences(url: str) -> list[Any]:
    """Return what the models have and the database has not, or the other way round (Alembic's own form)."""
    engine = open_engine(url)
    try:
        with engine.connect() as connection:
            return list(compare_metadata(MigrationContext.configure(connection), Base.metadata))
    finally:
        engine.dispose()


def write_revision(words: str) -> Path:
    """Write the revision that takes the newest one to the models as they are now, and return its path."""
    number = f"{len(list((FOLDER / 'versions').glob('*.py'))) + 1:04d}"
    with tempfile.TemporaryDirectory() as scratch:
        url = f"sqlite:///{scratch}/empty.db"
        if number != "0001":
            upgrade(url)
        with _writing(url) as connection:
            script = command.revision(_config(connection), message=words, autogenerate=True, rev_id=number)
    return Path(script.path)  # type: ignore[union-attr]


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


@contextmanager
def _writing(url: str) -> Iterator[Connection]:
    """Open one transaction that keeps every other migration out."""
    engine = open_engine(url)
    if engine.dialect.name == "sqlite":
        # Copying a table that others point at must not touch their rows; checked again before the commit.
        event.listen(engine, "connect", lambda raw, _record: raw.execute("PRAGMA foreign_keys=OFF"))
    try:
        with engine.execution_options(writes=True).begin() as connection:
            if engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            yield connection
    finally:
        engine.dispose()


def _refuse_broken_references(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    if broken := connection.exec_driver_sql("PRAGMA foreign_key_check").all():
        raise RuntimeError(
            f"the migration would leave {len(broken)} rows that point at nothing: {broken[:3]}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m central_server.db.migrate", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new", help="write the next revision from what changed in the models")
    new.add_argument("words", help="what changed, for example 'cameras have a floor'")
    print(write_revision(parser.parse_args().words))


if __name__ == "__main__":
    main()
