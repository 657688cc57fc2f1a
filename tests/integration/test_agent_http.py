"""What an agent and the web server say to each other over HTTP: joining, enrolment, galleries, events."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from common.events import Command
from common.ids import EmployeeId
from common.join_link import JoinLink, read_link
from common.signing import gallery_digest, signed
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.gallery_download import GalleryDownload
from edge_agent.adapters.identity_file import IdentityError, load_identity
from edge_agent.adapters.joining_file import Made
from edge_agent.join import about_this_box, secrets_for
from edge_agent.preflight import JoinError, preflight
from tests.agent_world import CORRUPT, DAY_S, PORTRAIT, AgentWorld, EdgeBox, a_box, an_agent_world
from tests.link_world import a_draft, wait_until
from tests.vision_world import TEXTURE, face_of


@pytest.fixture
def world(engine, tmp_path) -> Iterator[AgentWorld]:
    with an_agent_world(engine, tmp_path / "server") as found:
        yield found


@pytest.fixture
def box(world, tmp_path) -> Iterator[EdgeBox]:
    with a_box(world, tmp_path / "edge") as found:
        yield found


def test_a_code_lets_one_machine_in(world, tmp_path):
    """The identity of a join is on the disk for its owner only, and the server knows its token."""
    path = tmp_path / "edge" / "identity.json"
    with pytest.raises(IdentityError, match="has not joined a server yet"):
        load_identity(path)

    identity = world.join(tmp_path / "edge")

    assert path.stat().st_mode & 0o777 == 0o600
    assert load_identity(path) == identity
    assert (identity.site_id, identity.server_url) == ("plant", world.url)
    assert [each.agent_id for each in world.web.rows(models.Agent)] == [identity.agent_id]
    assert CentralAPI(identity.server_url, identity.token).manifest().gallery_gen == 0
    kept = world.web.rows(models.Agent)[0]
    assert identity.token not in (kept.token_hash, kept.manifest_key)


def told(made: Made, home: Path, code: str) -> dict[str, str]:
    """What a box sends with a code."""
    secrets = {"broker_password": made.broker_password, "manifest_key": made.manifest_key}
    return about_this_box(home, "Gate box") | secrets | {"code": code, "token_sha256": made.token_hash}


def test_an_answer_that_was_lost_can_be_asked_for_again(world, tmp_path):
    """The box kept its secrets before it sent them: the same code with the same ones is the same agent."""
    home, code = tmp_path / "edge", world.code()
    made = secrets_for(JoinLink(world.url, code), home / "identity.json", "")
    assert (home / "joining.json").stat().st_mode & 0o777 == 0o600
    lost = CentralAPI(world.url).join(told(made, home, code))

    identity = world.join(home, code.lower().replace("-", ""))

    assert (identity.token, identity.broker.password) == (made.token, made.broker_password)
    assert [each.agent_id for each in world.web.rows(models.Agent)] == [lost["agent_id"]]
    assert identity == load_identity(home / "identity.json")
    assert not (home / "joining.json").exists()


def test_an_answer_carries_no_secret(world, tmp_path):
    """What the box made stays its own: the server repeats none of it, and keeps of the token only a hash."""
    made = secrets_for(JoinLink(world.url), tmp_path / "identity.json", "")
    answer = json.dumps(CentralAPI(world.url).join(told(made, tmp_path, world.code())))
    secrets = (made.token, made.token_hash, made.broker_password, made.manifest_key)
    assert not [each for each in secrets if each in answer]
    kept = [repr(vars(row)) for table in (models.Agent, models.JoinCode) for row in world.web.rows(table)]
    assert not [each for each in (made.token, made.broker_password) if each in "".join(kept)]


@pytest.mark.parametrize("changed", ["hardware_id", "token_sha256", "broker_password", "manifest_key"])
def test_a_used_code_is_worth_nothing_with_anything_else(world, tmp_path, changed):
    """Another machine, or other secrets on the same one, are no repetition."""
    code = world.code()
    made = secrets_for(JoinLink(world.url), tmp_path / "identity.json", "")
    CentralAPI(world.url).join(told(made, tmp_path, code))
    with pytest.raises(CentralError, match="has been used"):
        CentralAPI(world.url).join(told(made, tmp_path, code) | {changed: "5a" * 32})


def test_a_code_that_another_machine_used_is_spent(world, tmp_path):
    """A code is good for one machine, and the second is told so without getting an identity."""
    code = world.code()
    offer = dict.fromkeys(("token_sha256", "broker_password", "manifest_key"), "5a" * 32)
    CentralAPI(world.url).join({"code": code, "hardware_id": "another machine", "name": "First", **offer})
    with pytest.raises(JoinError, match=r"has been used\. Ask for a new one"):
        world.join(tmp_path / "edge", code)
    assert not (tmp_path / "edge" / "identity.json").exists()
    assert [each.name for each in world.web.rows(models.Agent)] == ["First"]


def test_a_code_that_was_used_cannot_be_repeated_for_ever(world, tmp_path):
    """Ten minutes after it was spent a code is worth nothing, not even to the machine that spent it."""
    code = world.code()
    world.join(tmp_path / "edge", code)
    with UnitOfWork(world.web.engine) as work:
        work.session.query(models.JoinCode).one().used_at -= timedelta(minutes=11)
    with pytest.raises(JoinError, match="has been used"):
        world.join(tmp_path / "edge", code)


@pytest.mark.parametrize(
    ("age", "typed", "words"),
    [
        (timedelta(0), "0000-0000", r"is not known\. Check it, or ask for a new one"),
        (timedelta(hours=24, seconds=1), None, r"has expired\. Ask for a new one"),
    ],
)
def test_a_code_that_is_wrong_or_old_is_refused(world, tmp_path, age, typed, words):
    """The refusal says what is wrong with the code and what to do, and no agent comes of it."""
    code = world.code(at=datetime.now(UTC) - age)
    with pytest.raises(JoinError, match=words):
        world.join(tmp_path / "edge", typed or code)
    assert not world.web.rows(models.Agent)
    assert not (tmp_path / "edge" / "identity.json").exists()


def test_the_preflight_speaks_in_words(free_port):
    """A closed port and an unknown name are told apart, each with what a technician can check."""
    port = free_port()
    with pytest.raises(JoinError, match=f"127.0.0.1 refuses connections on port {port}"):
        preflight(read_link(f"http://127.0.0.1:{port}/7K3M-9QXB"))
    with pytest.raises(JoinError, match=r"the name hadir\.invalid is not known to DNS"):
        preflight(read_link("https://hadir.invalid"))


def test_a_photo_becomes_a_person_that_is_recognised(world, box):
    """From HR's upload to the agent's gallery: embedded here, stored there, announced, fetched, kept."""
    before = box.api.manifest()
    photo_id = world.stored_photo("EMP001")
    box.sees("EMP001")

    result = box.obey(world.command_for(photo_id))

    assert result.ok, result.detail
    assert result.detail.startswith("embedded, quality")
    assert world.photo(photo_id).state == "accepted"
    (template,) = world.web.rows(models.FaceTemplate)
    assert (template.employee_id, template.model_id, template.photo_id) == ("EMP001", "test:0", photo_id)
    after = box.api.manifest()
    assert after.gallery_gen > before.gallery_gen
    assert not box.people
    box.errands.hear(after)
    box.sync()
    assert box.people == ("EMP001",)
    assert box.keeper.gen == after.gallery_gen
    assert box.keeper.current().similarities_to(EmployeeId("EMP001"), face_of("EMP001")[None])[0] > 0.6
    assert box.restarted_keeper().current().people == ("EMP001",)
    assert box.file.path.stat().st_mode & 0o777 == 0o600


def test_a_photo_waits_for_an_agent(world, tmp_path):
    """What HR uploaded before any agent had joined is embedded by the poll of the first one."""
    photo_id = world.stored_photo("EMP001")
    with a_box(world, tmp_path / "edge", "EMP001") as box:
        assert world.photo(photo_id).state == "accepted"
        box.sync()
        assert box.people == ("EMP001",)


@pytest.mark.parametrize(
    ("content", "faces", "reason"),
    [
        (PORTRAIT, (), "no_face"),
        (PORTRAIT, ("EMP001", "EMP002"), "several_faces"),
        (CORRUPT, ("EMP001",), "corrupt"),
    ],
)
def test_a_photo_that_cannot_be_used_comes_back_with_its_reason(world, box, content, faces, reason):
    """The row says why; nobody can be found by it, and the agent is not asked for it again."""
    photo_id = world.stored_photo("EMP001", content)
    box.sees(*faces)
    assert box.obey(world.command_for(photo_id)).ok
    photo = world.photo(photo_id)
    assert (photo.state, photo.reason) == ("rejected", reason)
    assert photo.agent_id == box.identity.agent_id
    assert not world.web.rows(models.FaceTemplate)
    assert not box.api.enrolments()


def test_who_resigns_is_forgotten_by_the_agent(world, box):
    """The next poll takes the person out of the gallery and off the disk, and leaves everybody else."""
    box.enrol(world, "EMP001")
    box.enrol(world, "EMP002")
    assert box.people == ("EMP001", "EMP002")
    embeddings = {each.employee_id: each.embedding for each in world.web.rows(models.FaceTemplate)}

    world.resign("EMP001")
    box.sync()

    assert box.people == ("EMP002",)
    kept = box.file.path.read_bytes()
    assert b"EMP001" not in kept
    assert embeddings["EMP001"] not in kept
    assert embeddings["EMP002"] in kept
    assert box.restarted_keeper().current().people == ("EMP002",)


def test_a_manifest_of_somebody_else_is_ignored(world, box):
    """Neither another key nor a changed field moves an agent, however new the manifest says it is."""
    box.enrol(world, "EMP001")
    genuine, nobody = box.api.manifest(), {"gallery_sha256": gallery_digest({})}
    forged = (
        signed(replace(genuine, **nobody, gallery_gen=genuine.gallery_gen + 9), bytes.fromhex("5a" * 32)),
        replace(genuine, **nobody, issued=genuine.issued + 1),
        replace(genuine, lease_s=1, issued=genuine.issued + 1),
        replace(genuine, issued=genuine.issued + 1, mac=""),
    )
    for manifest in forged:
        assert not box.keeper.hear(manifest)
        assert not box.keeper.is_due()
    assert box.people == ("EMP001",)


def test_an_old_manifest_brings_nobody_back(world, box):
    """A broker that repeats a genuine manifest of before does not undo a removal, nor after a restart."""
    box.enrol(world, "EMP001")
    old = box.api.manifest()
    world.resign("EMP001")
    box.sync()
    assert not box.people

    box.errands.hear(old)
    assert not box.keeper.is_due()
    later, key = replace(old, issued=old.issued + DAY_S * 1000), box.identity.manifest_key
    assert not box.keeper.hear(signed(later, bytes.fromhex(key)))
    box.errands.stop()
    restarted = box.restarted_keeper()
    restarted.hear(old)
    restarted.fetch(box.downloads)

    assert not restarted.current().people
    assert restarted.gen > old.gallery_gen
    assert b"EMP001" not in box.file.path.read_bytes()


def test_a_wrong_token_is_refused_in_words(world, box):
    """Without the right token nothing is given out, and the error says what to do about it."""
    for token in ("wrong", "", box.identity.token[:-1]):
        api = CentralAPI(world.url, token)
        download = GalleryDownload(api, box.file.incoming)
        for ask in (api.manifest, api.enrolments, lambda asked=download: asked.templates(0, "test:0")):
            with pytest.raises(CentralError, match=r"token is not .* valid; join again") as refusal:
                ask()
            assert (refusal.value.status, refusal.value.permanent) == (401, True)


def test_a_revoked_agent_is_refused_in_words(world, box):
    """From the moment an agent is revoked its token opens nothing, and its errands say so."""
    with UnitOfWork(world.web.engine) as work:
        work.session.get_one(models.Agent, box.identity.agent_id).revoked_at = datetime.now(UTC)
    with pytest.raises(CentralError, match="no longer") as refusal:
        box.api.manifest()
    assert (refusal.value.status, refusal.value.permanent) == (401, True)
    result = box.obey(Command(command_id="sync-9", kind="sync", ts=0))
    assert not result.ok
    assert "join again" in result.detail


def test_a_revoked_box_forgets_the_faces_that_it_knows(world, box, tmp_path):
    """It does not wait for the end of its lease; a box whose token is merely wrong forgets nobody."""
    box.enrol(world, "EMP001")
    (tmp_path / "edge" / "crops").mkdir(exist_ok=True)
    crop = tmp_path / "edge" / "crops" / "face.jpg"
    crop.write_bytes(b"jpeg")
    token = box.errands._api._http.headers["Authorization"]
    box.errands._api._http.headers["Authorization"] = "Bearer wrong"
    box.errands.server_is_back()
    wait_until(lambda: "not (or no longer) valid" in box.errands._last_words, about="refused")
    assert box.people == ("EMP001",)

    box.errands._api._http.headers["Authorization"] = token
    with UnitOfWork(world.web.engine) as work:
        work.session.get_one(models.Agent, box.identity.agent_id).revoked_at = datetime.now(UTC)
    box.errands.server_is_back()
    wait_until(lambda: box.people == (), about="everybody is forgotten")
    assert box.restarted_keeper().current().people == ()
    wait_until(lambda: not crop.exists(), about="and the crops are gone")


def test_events_over_http_are_stored_once(world, box):
    """The ack is the answer; the same envelope again gets the same ack and changes nothing."""
    drafts = [a_draft(camera_id="door") for _ in range(3)]
    box.outbox.append(drafts, now=round(time.time() * 1000))
    batch = box.outbox.batch(0)
    envelope = batch.payload

    ack, stored = box.api.post_events(envelope), world.web.rows(models.Event)
    assert box.api.post_events(envelope) == ack
    assert (ack.epoch, ack.seq) == (box.outbox.epoch, 3)
    assert [each.event_id for each in stored] == [each.event_id for each in batch.envelope.events]
    repeated = world.web.rows(models.Event)
    assert [(each.id, each.received_at) for each in repeated] == [(e.id, e.received_at) for e in stored]
    assert box.outbox.acknowledge(ack) == 3
    assert box.outbox.batch(0) is None


def test_a_face_crop_follows_its_event(world, box):
    """A crop is sent when the server has the event, not before, and is then gone from the box."""
    name = box.evidence.keep(TEXTURE)
    box.outbox.append([a_draft(camera_id="door", snapshot=name)], now=round(time.time() * 1000))
    box.errands.stop()
    assert box.evidence.send(box.outbox, box.api) == 0
    box.outbox.acknowledge(box.api.post_events(box.outbox.batch(0).payload))
    jpeg = (box.evidence.folder / name).read_bytes()

    assert box.evidence.send(box.outbox, box.api) == 1

    (kept,) = world.web.rows(models.Snapshot)
    assert (world.web.home / kept.path).read_bytes() == jpeg
    assert not list(box.evidence.folder.iterdir())
