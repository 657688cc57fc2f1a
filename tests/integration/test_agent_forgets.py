"""What an agent holds of people is gone when it must be, whatever the server can still say."""

import os
import time
from datetime import UTC, datetime

import numpy as np
import pytest

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from edge_agent.adapters.central_api import CentralAPI
from edge_agent.errands import Errands
from edge_agent.gallery_keeper import DEFAULT_LEASE_S
from edge_agent.join import JoinError
from tests.agent_world import EdgeBox, a_box, an_agent_world
from tests.link_world import wait_until
from tests.web_world import post


@pytest.fixture
def world(engine, tmp_path):
    with an_agent_world(engine, tmp_path / "server") as found:
        yield found


@pytest.fixture
def box(world, tmp_path):
    with a_box(world, tmp_path / "box") as found:
        yield found


def test_a_stolen_box_forgets_everybody_by_itself(world, box):
    """Started a week later without any server, it wipes the gallery on the disk and in memory."""
    box.enrol(world, "EMP001")
    box.errands.stop()
    box.clocks.is_off(DEFAULT_LEASE_S + 60)
    keeper = box.restarted_keeper()
    assert keeper.current().people == ("EMP001",)
    nobody = CentralAPI("http://127.0.0.1:9", box.identity.token)
    alone = Errands(nobody, keeper, box.analyser, box.outbox, None, lambda _: None)
    alone.start()
    try:
        wait_until(lambda: not keeper.current().people, about="the gallery is wiped")
        assert not box.file.path.exists()
        wait_until(lambda: box.restarted_keeper().leased_out, about="that is written down")
        assert keeper.leased_out
    finally:
        alone.stop()


def test_crops_expire_without_a_server(world, box):
    """A face crop that could not be delivered is deleted when its days are over."""
    kept = box.evidence.keep(np.zeros((8, 8, 3), np.uint8))
    (path,) = [each for each in (box.home / "crops").rglob("*") if each.is_file()]
    assert kept and path.exists()
    box.errands.stop()
    old = time.time() - 40 * 86_400
    os.utime(path, (old, old))
    nobody = CentralAPI("http://127.0.0.1:9", box.identity.token)
    alone = Errands(nobody, box.keeper, box.analyser, box.outbox, box.evidence, lambda _: None)
    alone.start()
    try:
        wait_until(lambda: not path.exists(), about="the crop is deleted")
    finally:
        alone.stop()


def test_a_withdrawn_face_is_replaced_by_the_new_one(world, box):
    """Consent withdrawn and given again between two polls: the agent holds the new template, not the old."""
    box.enrol(world, "EMP001")
    (before,) = box.keeper.current().matrix
    hr = world.web.client("hr")
    assert post(hr, "/people/EMP001/withdraw").status_code == 302
    box.sees("EMP001")
    photo_id = world.stored_photo("EMP001")
    assert box.obey(world.command_for(photo_id)).ok
    box.sync()
    (template,) = world.web.rows(models.FaceTemplate)
    (after,) = box.keeper.current().matrix
    assert np.allclose(after, np.frombuffer(template.embedding, "<f4"), atol=1e-5)
    assert not np.allclose(after, before, atol=1e-3)


def test_a_photo_does_not_wait_for_the_birth_of_the_agent(world, tmp_path):
    """The first poll of a new box embeds what is waiting, also before the worker has heard of the box."""
    identity = world.join(tmp_path / "box")
    photo_id = world.stored_photo("EMP001")
    box = EdgeBox(identity, tmp_path / "box")
    box.sees("EMP001")
    box.errands.start()
    try:
        wait_until(lambda: world.photo(photo_id).state == "accepted", about="the photo is embedded")
        wait_until(lambda: box.people == ("EMP001",), about="the gallery is fetched")
    finally:
        box.errands.stop()
        box.outbox.close()


def test_a_revoked_agent_cannot_use_its_code_again(world, tmp_path):
    """Repeating the join heals a lost answer, never a revocation."""
    code = world.code()
    identity = world.join(tmp_path / "box", code)
    with UnitOfWork(world.web.engine) as work:
        work.session.get_one(models.Agent, identity.agent_id).revoked_at = datetime.now(UTC)
    with pytest.raises(JoinError, match="has been used"):
        world.join(tmp_path / "box", code)
    (agent,) = world.web.rows(models.Agent)
    assert agent.revoked_at is not None
