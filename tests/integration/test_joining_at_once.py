"""Many boxes at one code or one approval at the same time, on both databases."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, select

from central_server.db import models
from central_server.db.engine import open_engine
from central_server.db.migrate import upgrade
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.answer_knock import Knock, approve, claim, note_knock
from central_server.services.join_agent import JoinRefused, Offer, join_agent, make_join_code
from common.pairing import promise_of
from tests.postgres import binaries, postgres_server

KEY = "a key for tests"


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request, tmp_path, free_port) -> Iterator[Engine]:
    """A migrated database of each kind with the site `plant`."""
    if request.param == "sqlite":
        yield from _opened(f"sqlite:///{tmp_path / 'hadir.db'}")
        return
    if binaries() is None:
        pytest.skip("no PostgreSQL server in /usr/lib/postgresql")
    with postgres_server(free_port()) as address:
        yield from _opened(address)


def _opened(url: str) -> Iterator[Engine]:
    upgrade(url)
    engine = open_engine(url)
    with UnitOfWork(engine) as work:
        work.session.add(models.Site(site_id="plant", name="Plant One", timezone="Asia/Jakarta"))
    yield engine
    engine.dispose()


def an_offer(number: int) -> Offer:
    made = dict.fromkeys(("token_hash", "manifest_key", "broker_password"), f"{number:064x}")
    return Offer(hardware_id=f"box {number}", name=f"box {number}", **made)


def test_a_code_lets_one_box_in_however_many_try(engine):
    """Eight boxes send the same code in the same moment: one is let in, seven are told that it is used."""
    with UnitOfWork(engine) as work:
        code = make_join_code(work, "plant", by="admin", secret_key=KEY, now=datetime.now(UTC))

    def attempt(number: int) -> str:
        try:
            with UnitOfWork(engine) as work:
                now = datetime.now(UTC)
                return join_agent(work, code, an_offer(number), secret_key=KEY, now=now).agent.agent_id
        except JoinRefused as refusal:
            return str(refusal)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(attempt, range(8)))
    assert sum(each.startswith("box-") for each in answers) == 1
    assert sum("has been used" in each for each in answers) == 7
    with UnitOfWork(engine) as work:
        assert len(work.session.scalars(select(models.Agent)).all()) == 1


def test_a_claim_that_is_repeated_at_once_makes_one_agent(engine):
    """A box that was let in and asks eight times in the same moment gets the same answer eight times."""
    key = "5a" * 32
    knock = Knock(
        hardware_id="h", name="Gate", version="1", address="192.0.2.7", token_hash=key, nonce=key,
        promise=promise_of(key, key), sees_our_ca=False,
    )  # fmt: skip
    now = datetime.now(UTC)
    with UnitOfWork(engine) as work:
        request_id = note_knock(work, knock, ca_der=b"", now=now).request_id
        approve(work, request_id, "plant", named="", by="admin", now=now)

    def attempt(_number: int) -> str:
        with UnitOfWork(engine) as work:
            return claim(work, request_id, manifest_key=key, broker_password=key, now=now).agent.agent_id

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(attempt, range(8))) == {"gate"}
    with UnitOfWork(engine) as work:
        assert len(work.session.scalars(select(models.Agent)).all()) == 1
