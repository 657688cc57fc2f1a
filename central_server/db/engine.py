"""The database connection: SQLite by default (WAL, foreign keys, waits for a busy writer), or PostgreSQL."""

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

from central_server.db.turns import Turns

WAIT_S = 15.0  # for another writer
_WRITERS = 0x4861646972_02  # the name of PostgreSQL's lock that writers take, one after the other


def open_engine(url: str) -> Engine:
    """Return an engine for url. A transaction that will write waits at its start until no other does.

    Use cases read a row, decide, and write it: two at once would undo each other's work without a word.
    Raises OperationalError when another one writes for WAIT_S.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        engine = create_engine(url, pool_pre_ping=True, hide_parameters=True)
        prepare_engine(engine)
        return engine
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    connect_args = {"timeout": WAIT_S, "check_same_thread": False}
    engine = create_engine(url, connect_args=connect_args, hide_parameters=True)
    prepare_engine(engine)
    return engine


def prepare_engine(engine: Engine) -> None:
    """Let those who write take turns. An engine that was made elsewhere, as the web's, needs this too."""
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine)
    else:
        _write_in_turn(engine)


def _write_in_turn(engine: Engine) -> None:
    """Give PostgreSQL the one writer that SQLite has by nature."""
    words = f"SELECT set_config('lock_timeout', '{WAIT_S:.0f}s', true), pg_advisory_xact_lock({_WRITERS})"

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        if connection.get_execution_options().get("writes", False):
            connection.exec_driver_sql(words)


def _prepare_sqlite(engine: Engine) -> None:
    """Set the pragmas and the explicit BEGIN that pysqlite does not send; let threads write in turn."""
    turns = Turns()

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # we send BEGIN ourselves
        _use_wal(connection)
        for pragma in ("foreign_keys=ON", "synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        if not connection.get_execution_options().get("writes", False):
            connection.exec_driver_sql("BEGIN")
            return
        turns.take(WAIT_S)
        try:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        except BaseException:
            turns.give_back()
            raise

    @event.listens_for(engine, "commit")
    @event.listens_for(engine, "rollback")
    def on_end(connection: Connection) -> None:
        if connection.get_execution_options().get("writes", False):
            turns.give_back()


def _use_wal(connection: Any) -> None:
    """Switch to write-ahead logging. SQLite's own wait for a busy writer does not cover this one switch."""
    until = time.monotonic() + WAIT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > until:
                raise
        time.sleep(0.02)
