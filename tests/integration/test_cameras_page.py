"""The Cameras page: agents that were never started, those that were shut out, and codes nobody has used."""

from datetime import UTC, datetime

import pytest

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from tests.web_world import PageReader, WebWorld, a_web_world, inhabit, post


@pytest.fixture
def world(engine, tmp_path) -> WebWorld:
    found = a_web_world(engine, tmp_path)
    inhabit(found)
    return found


def put(world: WebWorld, **fields) -> None:
    with UnitOfWork(world.engine) as work:
        agent = work.session.get_one(models.Agent, "plant-agent")
        for name, value in fields.items():
            setattr(agent, name, value)


def done(world: WebWorld, action: str) -> list[tuple[str, str]]:
    return [(each.actor, each.subject) for each in world.rows(models.AuditLog) if each.action == action]


def test_an_agent_that_was_never_started_is_no_trouble_yet(world):
    """It is told how to be started; the board does not mourn for it, and nothing is said of its faces."""
    put(world, state="offline", heartbeat_at=None, reported_to=None)
    page = world.client("viewer").get("/cameras/").text
    assert "Joined, not started yet" in page and "sudo systemctl start hadir-agent" in page
    assert "up to date (generation" not in page and "<dd>–</dd>" in page
    assert "does not report" not in world.client("hr").get("/").text
    put(world, heartbeat_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert "does not report" in world.client("hr").get("/").text


def test_a_revoked_agent_is_let_in_again_where_it_was_shut_out(world):
    """By an administrator alone, from the end of the page; twice is said to be once too often."""
    put(world, revoked_at=datetime.now(UTC))
    admin = world.client("admin")
    page = admin.get("/cameras/").text
    assert "1 revoked agent" in page and "Let in again" in page and not PageReader(page).problems
    for role in ("viewer", "hr"):
        client = world.client(role)
        assert "revoked agent" not in client.get("/cameras/").text
        assert post(client, "/cameras/agents/plant-agent/restore").status_code == 403
    assert admin.post("/cameras/agents/plant-agent/restore").status_code == 400, "without its token"
    assert world.rows(models.Agent)[0].revoked_at is not None
    assert "is let in again" in post(admin, "/cameras/agents/plant-agent/restore", follow_redirects=True).text
    assert "1 revoked agent" not in admin.get("/cameras/").text
    again = post(admin, "/cameras/agents/plant-agent/restore", follow_redirects=True).text
    assert "That agent is not revoked." in again
    assert done(world, "agent.restored") == [("user:admin", "plant-agent")]
    assert post(admin, "/cameras/agents/attic/restore").status_code == 404


def test_a_code_that_was_not_used_can_be_withdrawn(world):
    """By an administrator, who is named in the log; then it is as good as expired."""
    admin = world.client("admin")
    post(admin, "/cameras/join-code", {"agent_name": "Lobby", "site_id": "plant"})
    admin.get("/cameras/")
    page = admin.get("/cameras/").text
    assert "1 code has not been used yet." in page and "Lobby" in page and not PageReader(page).problems
    (code,) = world.rows(models.JoinCode)
    url = f"/cameras/join-code/{code.id}/withdraw"
    assert post(world.client("hr"), url).status_code == 403
    assert "The code is withdrawn" in post(admin, url, follow_redirects=True).text
    assert world.rows(models.JoinCode)[0].expires_at <= datetime.now(UTC)
    assert "not been used yet" not in admin.get("/cameras/").text
    assert "or its time was over" in post(admin, url, follow_redirects=True).text
    assert done(world, "join_code.withdrawn") == [("user:admin", "plant")]
