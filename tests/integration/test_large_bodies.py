"""More than anybody needs to send is not taken into memory, also when nobody says how much comes."""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from central_server.db import models
from common.letters import bundle
from tests.agent_world import AgentWorld, EdgeBox, a_box, an_agent_world


@pytest.fixture
def found(engine, tmp_path) -> Iterator[tuple[AgentWorld, EdgeBox]]:
    with an_agent_world(engine, tmp_path / "server") as world, a_box(world, tmp_path / "edge") as box:
        yield world, box


def status_of(world: AgentWorld, path: str, kilobytes: int, body: bytes, token: str = "") -> int:
    """Send blanks and then body, in chunks, without a word about the length; return the answer's status."""
    where = urlsplit(world.url)
    asking = http.client.HTTPConnection(str(where.hostname), where.port, timeout=20)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    try:
        parts = (*([b" " * 1000] * kilobytes), body)
        asking.request("POST", f"/agent/v1/{path}", parts, headers)
        return asking.getresponse().status
    finally:
        asking.close()


def test_who_has_not_joined_sends_little(found):
    """These ask for no token: whoever reaches the port could else fill the memory."""
    world, _ = found
    question = json.dumps({"request_id": "5a" * 16}).encode()
    assert status_of(world, "knock/state", 10, question) == 200
    assert status_of(world, "knock/state", 30, question) == 403


def test_an_agent_sends_a_megabyte_at_most(found):
    """A box that was broken into is held to what an honest one needs, on each of its roads."""
    world, box = found
    token, envelope = box.identity.token, {"v": 1, "epoch": "e", "first": 1, "prev": 0, "events": []}
    for path, body in (("messages", bundle([])), ("events", json.dumps(envelope).encode())):
        assert status_of(world, path, 500, body, token) == 200
        assert status_of(world, path, 1500, body, token) == 422
    assert [len(each.payload) <= 8192 for each in world.web.rows(models.BadMessage)] == [True]


def test_a_request_as_deep_as_a_well_is_refused(found):
    """Brackets within brackets cost a stranger nothing, and must not cost the server its composure."""
    world, _ = found
    assert status_of(world, "join", 0, b"[" * 15_000) == 403
