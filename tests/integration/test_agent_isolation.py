"""One agent's token against another agent's data: it opens its own doors and no other."""

import base64
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO

import numpy as np
import pytest
import requests

from central_server.adapters.message_intake import record_messages
from central_server.config import read_server_config
from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.configure_agent import PURPOSE
from central_server.services.join_agent import token_hash
from central_server.services.record_health import record_birth
from common import topics, wire
from common.events import (
    AgentState,
    Birth,
    CameraInfo,
    CommandResult,
    Envelope,
    EventKind,
    Heartbeat,
    LinkState,
    Manifest,
    RecognitionEvent,
)
from common.gallery_body import read_head
from common.ids import AgentId, CameraId
from common.letters import bundle
from edge_agent.adapters.central_api import CentralAPI, CentralError
from tests import builders
from tests.agent_world import AgentWorld, EdgeBox, a_box, an_agent_world
from tests.link_world import a_draft

MODEL = "test:0"
JPEG = b"\xff\xd8\xff\xe0" + bytes(64)


@dataclass
class Neighbours:
    """A box at `plant`, whose secrets are at stake; a thief of the same site, and one of another."""

    world: AgentWorld
    victim: EdgeBox
    colleague: CentralAPI  # of the same site: shares its people, and nothing else
    stranger: CentralAPI  # of another site

    @property
    def thieves(self) -> tuple[CentralAPI, CentralAPI]:
        return self.colleague, self.stranger


@pytest.fixture
def found(engine, tmp_path) -> Iterator[Neighbours]:
    with an_agent_world(engine, tmp_path / "server") as world:
        with UnitOfWork(engine) as work:
            work.session.add(models.Site(site_id="harbour", name="Harbour", timezone="Asia/Makassar"))
        with a_box(world, tmp_path / "edge") as victim:
            colleague, stranger = an_intruder(world, "plant"), an_intruder(world, "harbour")
            yield Neighbours(world, victim, colleague, stranger)


def an_intruder(world: AgentWorld, site: str) -> CentralAPI:
    """Another machine that joined that site, seen by whoever holds its token."""
    token = f"token-of-{site}".ljust(64, "x")
    with UnitOfWork(world.web.engine) as work:
        work.session.add(
            models.Agent(
                agent_id=f"thief-{site}", site_id=site, name="Thief", token_hash=token_hash(token),
                manifest_key="5a" * 32, model_id=MODEL, joined_at=datetime.now(UTC),
            )
        )  # fmt: skip
    return CentralAPI(world.url, token, MODEL)


def is_refused(ask, *statuses: int) -> bool:
    with pytest.raises(CentralError) as refusal:
        ask()
    return refusal.value.status in (statuses or (403, 404))


def test_templates_of_another_site_are_not_given_out(found):
    """The people of a site are known to its own boxes alone, also to who knows which body to ask for."""
    found.victim.enrol(found.world, "EMP001")
    own = raw(found.victim.api, "GET", "templates", params={"since": "0", "model": MODEL})
    assert names_in(own) == ["EMP001"]
    for since in ("0", "-1", "1"):
        body = raw(found.stranger, "GET", "templates", params={"since": since, "model": MODEL})
        assert names_in(body) == []
    part = {"Range": "bytes=10-", "If-Range": own.headers["ETag"]}
    rest = raw(found.stranger, "GET", "templates", params={"since": "0", "model": MODEL}, headers=part)
    assert rest.status_code == 200 and names_in(rest) == []
    assert own.content[-64:] not in rest.content


def names_in(reply: requests.Response) -> list[str]:
    assert reply.status_code == 200, reply.text
    head, _ = read_head(BytesIO(reply.content))
    return [employee_id for _, employee_id in head.templates]


def test_a_still_cannot_be_put_to_anothers_camera(found):
    """What the dashboard shows as the view of a camera was taken by the box that looks after it."""
    for thief in found.thieves:
        assert is_refused(lambda thief=thief: thief.put_still("door", JPEG))


def test_a_configuration_is_for_its_own_box(found):
    """Cameras' passwords are in it: another box gets its own, or none."""
    web = found.world.web
    seal = web.app.extensions["hadir"].seal(PURPOSE)
    with UnitOfWork(web.engine) as work:
        body = seal.close(b'{"cameras":[{"url":"rtsp://admin:secret@10.0.0.9/"}]}')
        work.session.add(
            models.AgentConfig(agent_id="gate-box", gen=1, body=body, made_at=builders.now(), made_by="admin")
        )
        work.session.get_one(models.Agent, "gate-box").config_gen = 1
    assert raw(found.victim.api, "GET", "config").status_code == 200
    for thief in found.thieves:
        reply = raw(thief, "GET", "config", params={"agent": "gate-box"}, headers={"If-None-Match": "*"})
        assert b"secret" not in reply.content
        assert raw(thief, "GET", "config").status_code == 404


def test_a_photo_of_another_site_can_be_neither_read_nor_answered(found):
    """Neither its picture nor a verdict: a forged template would let a stranger pass for an employee."""
    photo_id = found.world.stored_photo("EMP001")
    forged = np.ones(128, dtype="<f4") / np.sqrt(128)
    verdict = {
        "accepted": True,
        "model_id": MODEL,
        "embedding": base64.b64encode(forged.astype("<f4").tobytes()).decode(),
        "quality": 1.0,
    }
    assert found.stranger.enrolments() == []
    assert is_refused(lambda: found.stranger.photo(photo_id))
    reply = raw(found.stranger, "POST", f"enrolments/{photo_id}/result", json=verdict)
    assert reply.status_code in (400, 403, 404) or reply.json() == {"recorded": False}
    assert not [each for each in found.world.web.rows(models.FaceTemplate) if each.quality == 1.0]


def test_a_snapshot_cannot_be_put_to_anothers_event(found):
    """Not even by a box of the same site: the picture beside an alert is the one that its camera took."""
    event_id = found.victim.outbox.append([a_draft(camera_id="door", snapshot="x")], now=now_ms())[0].event_id
    found.victim.outbox.acknowledge(found.victim.api.post_events(found.victim.outbox.batch(0).payload))
    for thief in found.thieves:
        assert is_refused(lambda thief=thief: thief.put_snapshot(event_id, JPEG))
    assert not found.world.web.rows(models.Snapshot)


def test_events_are_recorded_as_those_of_the_tokens_owner(found):
    """An envelope that names another's events, spool or camera is the thief's own, or nothing."""
    outbox = found.victim.outbox
    outbox.append([a_draft(camera_id="door") for _ in range(3)], now=now_ms())
    payload = outbox.batch(0).payload
    envelope = wire.decode(Envelope, payload)
    found.victim.api.post_events(payload)
    facts = ("event_id", "agent_id", "epoch", "seq", "site_id", "zone_id", "camera_id", "kind")

    def of_victim() -> list[tuple[object, ...]]:
        rows = (each for each in found.world.web.rows(models.Event) if each.agent_id == "gate-box")
        return sorted(tuple(getattr(each, name) for name in facts) for each in rows)

    before = of_victim()
    for thief in found.thieves:
        attempt(lambda thief=thief: thief.post_events(payload))
        forged = a_draft(camera_id="door", employee_id="EMP001", kind=EventKind.SEEN, sim_score=0.99)
        attempt(
            lambda thief=thief, forged=forged: thief.post_events(wire.encode(forged_after(envelope, forged)))
        )
    assert of_victim() == before
    forgeries = [each for each in found.world.web.rows(models.Event) if each.agent_id == "thief-harbour"]
    assert forgeries
    assert {(each.site_id, each.zone_id) for each in forgeries} == {("harbour", None)}


def forged_after(envelope: Envelope, event: RecognitionEvent) -> Envelope:
    """The victim's envelope, with its next number, and an event in it that the victim never saw."""
    event = replace(event, event_id=f"gate-box-{envelope.epoch}-4", seq=4)
    return replace(envelope, first=1, prev=None, events=(event,))


def attempt(ask) -> None:
    """Do it; being refused is as good as being ignored."""
    try:
        ask()
    except CentralError as refusal:
        assert refusal.status in (400, 403, 404, 422)


def test_a_bundle_speaks_for_its_sender_alone(found):
    """On the road beside MQTT too: no topic of another's, nor one hidden among one's own."""
    heartbeat = wire.encode(Heartbeat(sid="s", ts=now_ms(), reported_to=now_ms(), interval_s=1.0))
    state = wire.encode(AgentState(state=LinkState.STOPPED, sid="s", ts=now_ms()))
    mine = ("hadir/1/up/thief-plant/hb", heartbeat)
    for topic in ("hadir/1/up/gate-box/state", "hadir/1/down/gate-box/ack", "hadir/1/srv/state", "#"):
        for letters in ([(topic, state)], [mine, (topic, state)]):
            assert raw(found.colleague, "POST", "messages", data=bundle(letters)).status_code == 403
    rows = {each.agent_id: each for each in found.world.web.rows(models.Agent)}
    assert rows["gate-box"].sid != "s"
    assert rows["thief-plant"].heartbeat_at is None, "nothing of such a bundle is taken"


def test_a_manifest_is_signed_for_the_one_who_asks(found):
    """Another's manifest cannot be asked for, and one's own does not verify with another's key."""
    found.victim.enrol(found.world, "EMP001")
    stolen = found.colleague.manifest()
    assert not found.victim.keeper.hear(stolen)


def test_no_request_can_name_another_agent(found):
    """There is nowhere to say for whom one speaks, and saying it anyway changes nothing."""
    for more in (
        {"headers": {"X-Agent": "gate-box", "Hadir-Agent": "gate-box"}},
        {"params": {"agent": "gate-box", "agent_id": "gate-box"}},
    ):
        reply = raw(found.stranger, "GET", "manifest", **more)
        assert reply.status_code == 200
        assert wire_key_differs(reply.content, found.victim)


def wire_key_differs(manifest: bytes, victim: EdgeBox) -> bool:
    return not victim.keeper.hear(wire.decode(Manifest, manifest))


NO_TOKENS = ("", "Bearer", "Bearer ", "Basic Z2F0ZTpnYXRl", "Bearer null", "Bearer " + "0" * 64)


OPEN_TO_ALL = {f"/agent/v1/{each}" for each in ("ca", "join", "knock", "knock/state", "knock/claim")}


@pytest.mark.parametrize("header", NO_TOKENS)
def test_without_a_token_nothing_opens(found, header):
    """Every door that there is, with every way of having no token: 401, and no word of what is behind it."""
    rules = [each for each in found.world.web.app.url_map.iter_rules() if each.rule.startswith("/agent/v1/")]
    doors = [
        (method, re.sub("<[^>]*>", "anything", each.rule))
        for each in rules
        if each.rule not in OPEN_TO_ALL
        for method in (each.methods or set()) - {"HEAD", "OPTIONS"}
    ]
    assert len(doors) >= 9
    for method, path in doors:
        headers = {"Authorization": header} if header else {}
        reply = requests.request(method, found.world.url + path, headers=headers, data=b"{}", timeout=10)
        assert (method, path, reply.status_code) == (method, path, 401)
        assert set(reply.json()) == {"error"}


def test_a_token_opens_no_page_of_the_dashboard(found):
    """Agents are no users: with a token in hand one is still sent to the login page."""
    token = {"Authorization": f"Bearer {found.victim.identity.token}"}
    pages = ("/", "/people/", "/people/EMP001", "/events.csv", "/settings/users")
    for path in (*pages, "/cameras/agents/gate-box/revoke"):
        reply = requests.get(f"{found.world.url}{path}", headers=token, allow_redirects=False, timeout=10)
        assert (reply.status_code, reply.headers["Location"].split("?")[0]) == (302, "/login")


def test_a_commands_result_is_taken_from_the_one_who_was_asked(found, engine):
    """Over the broker the name stands in the topic: another's command cannot be declared done."""
    with UnitOfWork(engine) as work:
        work.session.add(
            models.AgentCommand(
                command_id="enrol-1", agent_id="gate-box", kind="enrol", args={}, created_at=builders.now()
            )
        )
    rules = read_server_config({"HADIR_HOME": str(found.world.web.home)}).rules
    payload = wire.encode(CommandResult(command_id="enrol-1", ok=True, ts=now_ms(), detail="forged"))
    topic = topics.AgentTopics("thief-plant").result("enrol-1")
    with UnitOfWork(engine) as work:
        record_messages([(topic, payload)], work, rules, builders.now())
    (command,) = (each for each in found.world.web.rows(models.AgentCommand) if each.command_id == "enrol-1")
    assert command.finished_at is None
    assert "was not asked for" in found.world.web.rows(models.BadMessage)[-1].reason


def raw(api: CentralAPI, method: str, path: str, **more) -> requests.Response:
    """A request as a thief would write it by hand, with that agent's token."""
    headers = dict(api._http.headers) | more.pop("headers", {})
    return requests.request(method, f"{api.url}/agent/v1/{path}", headers=headers, timeout=10, **more)


def now_ms() -> int:
    return round(time.time() * 1000)


def test_a_revoked_boxs_cameras_go_to_its_successor(found, engine):
    """A new box of the same site names the same camera and has it; before that, and elsewhere, it has not."""

    def owner() -> str:
        return found.world.web.rows(models.Camera)[0].agent_id

    def is_born(agent_id: str) -> None:
        birth = Birth(
            sid="s", ts=0, version="t", model_id=MODEL, engine="none", epoch="e",
            cameras=(CameraInfo(camera_id=CameraId("door")),),
        )  # fmt: skip
        with UnitOfWork(engine) as work:
            record_birth(AgentId(agent_id), birth, work, builders.now())

    is_born("thief-plant")
    assert owner() == "gate-box"
    with UnitOfWork(engine) as work:
        work.session.get_one(models.Agent, "gate-box").revoked_at = builders.now()
    is_born("thief-harbour")
    assert owner() == "gate-box"
    is_born("thief-plant")
    assert owner() == "thief-plant"
