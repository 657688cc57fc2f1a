"""Live and ready, as a load balancer asks."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine

from central_server.blueprints import health
from central_server.db.engine import open_engine
from central_server.db.migrate import upgrade
from central_server.db.models import ChannelHold, Lease
from central_server.db.unit_of_work import UnitOfWork


@pytest.fixture
def migrated(tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path / 'ready.db'}"
    upgrade(url)
    engine = open_engine(url)
    yield engine
    engine.dispose()


def client(engine: Engine) -> FlaskClient:
    app = Flask("health")
    app.extensions["hadir"] = SimpleNamespace(config=None, engine=engine)
    app.register_blueprint(health.blueprint)
    return app.test_client()


def renew(engine: Engine, *names: str, life: timedelta = timedelta(minutes=1)) -> None:
    with UnitOfWork(engine) as work:
        for name in names:
            work.session.merge(Lease(name=name, owner="box/1/a", until=datetime.now(UTC) + life))


def test_a_process_that_answers_is_live(engine: Engine):
    """Even when its database is not up to date."""
    assert client(engine).get("/health/live").json == {"status": "live"}


def test_ready_when_database_migrations_worker_and_broker_are(migrated: Engine):
    """Each check says ok."""
    renew(migrated, health.WORKER_LEASE, health.BROKER_LEASE)

    answer = client(migrated).get("/health/ready")

    assert answer.status_code == 200
    assert set(answer.json["checks"].values()) == {"ok"}


def test_a_dead_worker_is_noticed(migrated: Engine):
    """Its lease has run out."""
    renew(migrated, health.BROKER_LEASE)
    renew(migrated, health.WORKER_LEASE, life=-timedelta(minutes=3))

    answer = client(migrated).get("/health/ready")

    assert answer.status_code == 503
    assert "not heard of since" in answer.json["checks"]["worker"]
    assert answer.json["checks"]["broker"] == "ok"


def test_old_tables_are_not_ready(engine: Engine):
    """Tables without a revision were not made by the migrations."""
    answer = client(engine).get("/health/ready")

    assert answer.status_code == 503
    assert "not current" in answer.json["checks"]["migrations"]


def test_a_database_that_is_gone_is_told_without_its_address(tmp_path: Path):
    """The address may hold a password."""
    engine = open_engine("postgresql+psycopg://hadir:very-secret@127.0.0.1:1/none?connect_timeout=1")

    answer = client(engine).get("/health/ready")

    assert answer.status_code == 503
    assert "very-secret" not in answer.text


def test_a_held_channel_is_visible_but_not_our_illness(migrated: Engine):
    """WhatsApp refusing us must not make a load balancer take the dashboard away."""
    renew(migrated, health.WORKER_LEASE, health.BROKER_LEASE)
    now = datetime.now(UTC)
    with UnitOfWork(migrated) as work:
        work.session.add(ChannelHold(channel="whatsapp", since=now, until=now + timedelta(minutes=5)))

    answer = client(migrated).get("/health/ready")

    assert (answer.status_code, answer.json["held_channels"]) == (200, ["whatsapp"])
