"""Photos and the models of a site: each photo embedded once for each, by whichever agent has time."""

from datetime import timedelta

import numpy as np
import pytest

from central_server.db import models
from central_server.db.queries.embedding import models_in_use
from central_server.db.queries.places import read_places
from central_server.db.unit_of_work import UnitOfWork
from central_server.services import embed_photos
from central_server.services.enrol_person import write_private
from central_server.services.purge_expired import purge_expired
from central_server.services.record_health import record_birth
from common.events import Birth, Command
from common.ids import AgentId
from tests import builders
from tests.agent_world import PORTRAIT, a_box, an_agent_world
from tests.link_world import wait_until

NOW = builders.EIGHT_IN_JAKARTA
OTHER = "other:1"


@pytest.fixture
def world(engine, tmp_path):
    with an_agent_world(engine, tmp_path / "server") as found:
        yield found


@pytest.fixture
def plant(engine):
    """A site with two agents of one model and one of another; twelve people with a photo each."""
    with UnitOfWork(engine) as work:
        builders.a_site(work.session)
        for agent_id, model_id in (("one", "test:0"), ("two", "test:0"), ("odd", OTHER)):
            builders.an_agent(work.session, agent_id, model_id=model_id)
        for number in range(12):
            code = f"EMP{number:03}"
            builders.an_employee(work.session, code, is_enrolled=False)
            a_photo(work.session, f"pho-{number:03}", code, NOW + timedelta(seconds=number))
    return engine


def a_photo(session, photo_id, code, at=NOW):
    photo = models.EnrolmentPhoto(
        photo_id=photo_id, employee_id=code, filename="a.jpg", path=f"photos/x/{photo_id}.jpg",
        sha256=photo_id, uploaded_at=at, uploaded_by="hr",
    )  # fmt: skip
    session.add(photo)
    session.flush()


def claimed(engine, agent_id, now=NOW):
    with UnitOfWork(engine) as work:
        agent = work.session.get_one(models.Agent, agent_id)
        return [each.photo_id for each in embed_photos.claim_photos(work, agent, now)]


def told(engine, agent_id, photo_id, *, reason="", now=NOW):
    """Let an agent say what it made of a photo; return whether that was wanted."""
    with UnitOfWork(engine) as work:
        agent = work.session.get_one(models.Agent, agent_id)
        vector = np.eye(1, 64, dtype="<f4").tobytes()
        outcome = embed_photos.Enrolment(not reason, agent.model_id, vector, 0.9, reason)
        return embed_photos.record_enrolment(work, agent, photo_id, outcome, now=now)


def lines(engine, now=NOW):
    with UnitOfWork(engine) as work:
        found = models_in_use(work.session, read_places(work.session, "Asia/Jakarta"), now=now)
    return {each.model_id: each for each in found}


def test_agents_of_a_model_share_the_photos(plant):
    """Nobody does what another is doing; a model of its own does them all for itself."""
    one, two, odd = (claimed(plant, each) for each in ("one", "two", "odd"))
    assert len(one) == len(two) == 5 and not set(one) & set(two)
    assert odd == one
    assert claimed(plant, "one") == one  # asked again after a restart


def test_a_claim_of_an_agent_that_died_expires(plant):
    """After ten minutes another one has the photos."""
    one = claimed(plant, "one")
    later = NOW + timedelta(minutes=10, seconds=1)
    assert set(one) & set(claimed(plant, "two", NOW)) == set()
    for photo_id in claimed(plant, "two", NOW):
        told(plant, "two", photo_id)
    assert set(one) <= {*claimed(plant, "two", later), *claimed(plant, "two", later)}


def test_newcomers_come_before_those_whom_another_model_knows(plant):
    """Somebody enrolled today does not wait for four hundred others."""
    for number in range(11):
        told(plant, "one", f"pho-{number:03}")
    assert claimed(plant, "odd")[0] == "pho-011"


def test_a_refusal_is_one_models_alone(plant):
    """The photo stays accepted for the model that knows it; the other does not get it again."""
    told(plant, "one", "pho-000")
    assert told(plant, "odd", "pho-000", reason="blurred")
    assert not told(plant, "odd", "pho-000", reason="blurred")
    with UnitOfWork(plant) as work:
        photo = work.session.get_one(models.EnrolmentPhoto, "pho-000")
        assert (photo.state, photo.reason) == ("accepted", "")
    assert "pho-000" not in claimed(plant, "odd", NOW + timedelta(hours=1))
    (left,) = lines(plant)[OTHER].left
    assert (left.employee_id, left.reason) == ("EMP000", "blurred")
    assert not lines(plant)["test:0"].left


def test_what_one_model_refused_another_may_accept(plant):
    """Then the photo is accepted, and the person known to that model."""
    told(plant, "one", "pho-000", reason="no_face")
    assert told(plant, "odd", "pho-000")
    with UnitOfWork(plant) as work:
        assert work.session.get_one(models.EnrolmentPhoto, "pho-000").state == "accepted"
    assert lines(plant)[OTHER].done == 1 and lines(plant)["test:0"].left[0].reason == "no_face"


def test_the_progress_adds_up(plant):
    """Done, waiting and in need of a photo are everybody with consent whom anything is known of."""
    with UnitOfWork(plant) as work:
        builders.an_employee(work.session, "CAMERA")  # a template, and no photo
        builders.an_employee(work.session, "NOBODY", is_enrolled=False)  # neither
        builders.an_employee(work.session, "NO", consent_at=None)
    for number in range(4):
        told(plant, "one", f"pho-{number:03}")
    told(plant, "one", "pho-004", reason="turned")
    line, odd = lines(plant)["test:0"], lines(plant)[OTHER]
    assert (line.people, line.done, line.waiting, line.agents) == (13, 5, 7, ("one", "two"))
    assert [(each.employee_id, each.reason) for each in line.left] == [("EMP004", "turned")]
    assert (odd.people, odd.done, odd.waiting) == (13, 0, 12)
    assert [(each.employee_id, each.reason) for each in odd.left] == [("CAMERA", "no_photo")]
    assert "one" not in lines(plant, NOW + timedelta(days=31))


def test_templates_of_a_model_that_nobody_uses_go_after_a_month(plant, tmp_path):
    """Not before: a technician may go back. The log tells the boxes, the audit log tells people."""
    for number in range(3):
        told(plant, "odd", f"pho-{number:03}")
        told(plant, "one", f"pho-{number:03}")
    with UnitOfWork(plant) as work:
        birth = Birth(sid="s", ts=0, version="1", model_id="test:0", engine="e", epoch="e")
        record_birth(AgentId("odd"), birth, work, NOW + timedelta(days=40))
    for days, left in ((69, 6), (71, 3)):
        with UnitOfWork(plant) as work:
            purge_expired(work, builders.the_rules(), tmp_path, now=NOW + timedelta(days=days))
            assert work.session.query(models.FaceTemplate).count() == left
    with UnitOfWork(plant) as work:
        dels = work.session.query(models.TemplateLog).filter_by(op="del").all()
        assert [each.model_id for each in dels] == [OTHER] * 3
        (noted,) = work.session.query(models.AuditLog).filter_by(action="model.retired").all()
        assert (noted.subject, noted.detail) == (OTHER, {"templates": 3})


def test_the_log_is_kept_for_ninety_days(plant, tmp_path):
    """And the newest change of each model for ever, so that its generation never goes back."""
    told(plant, "one", "pho-000")
    told(plant, "one", "pho-001")
    told(plant, "odd", "pho-001")
    told(plant, "one", "pho-002", now=NOW + timedelta(days=80))
    for days, left in ((89, 4), (91, 2), (400, 2)):
        with UnitOfWork(plant) as work:
            purge_expired(work, builders.the_rules(), tmp_path, now=NOW + timedelta(days=days))
            assert work.session.query(models.TemplateLog).count() == left


def test_a_second_model_is_embedded_without_being_asked(world, tmp_path):
    """An agent with another model embeds what the first one had, and finds everybody by itself."""
    with a_box(world, tmp_path / "one", "EMP001") as first:
        first.enrol(world, "EMP001")
        with a_box(world, tmp_path / "two", "EMP001", model_id=OTHER) as second:
            wait_until(lambda: second.people == ("EMP001",), about="the second model knows EMP001")
    made = {(each.employee_id, each.model_id) for each in world.web.rows(models.FaceTemplate)}
    assert made == {("EMP001", "test:0"), ("EMP001", OTHER)}


def test_each_model_is_asked_when_a_photo_comes(world, tmp_path):
    """Not only the agent that was last heard of: one of each model gets the command."""
    with a_box(world, tmp_path / "one"), a_box(world, tmp_path / "two", model_id=OTHER):
        photo_id = world.stored_photo("EMP001")
        asked = [each for each in world.web.rows(models.AgentCommand) if each.args == {"photo_id": photo_id}]
    assert {each.agent_id for each in asked} == {each.agent_id for each in world.web.rows(models.Agent)}


def test_a_command_for_what_is_done_is_no_failure(world, tmp_path):
    """The poll was quicker, or another agent: there is nothing to do, and the command says so."""
    with a_box(world, tmp_path / "one", "EMP001") as box:
        box.enrol(world, "EMP001")
        (photo,) = world.web.rows(models.EnrolmentPhoto)
        for photo_id, words in ((photo.photo_id, "embedded already"), ("pho-none", "no such photo")):
            args = {"photo_id": photo_id}
            result = box.obey(Command(command_id=f"enrol-{photo_id}", kind="enrol", ts=0, args=args))
            assert result.ok and words in result.detail


def test_a_photo_whose_file_is_gone_is_told_to_hr(world, tmp_path):
    """It is asked for once, and not again and again."""
    photo_id = world.stored_photo("EMP001")
    (world.web.home / world.photo(photo_id).path).unlink()
    with a_box(world, tmp_path / "one", "EMP001") as box:
        assert (world.photo(photo_id).state, world.photo(photo_id).reason) == ("rejected", "file_gone")
        assert not box.api.enrolments()
        again = world.stored_photo("EMP001", PORTRAIT)
        box.sync()
        assert world.photo(again).state == "accepted" and again == photo_id


def test_a_photo_that_breaks_the_engine_does_not_stop_the_others(world, tmp_path):
    """Whatever its library raises, it is one photo that cannot be used; the next one is tried."""

    def breaks(_image):
        raise RuntimeError("a bug in a library")

    with a_box(world, tmp_path / "one", "EMP001") as box:
        sees, box.analyser.detect = box.analyser.detect, breaks
        first = world.stored_photo("EMP001")
        assert box.obey(world.command_for(first)).ok
        assert world.photo(first).reason == "corrupt"
        box.analyser.detect = sees
        box.enrol(world, "EMP002")
        assert box.people == ("EMP002",)


def test_somebody_who_is_erased_is_forgotten_between_two_photos(world, tmp_path):
    """Hundreds of photos wait: whoever must go does not wait for them."""
    with a_box(world, tmp_path / "one", "EMP001") as box:
        box.enrol(world, "EMP001")
        with UnitOfWork(world.web.engine) as work:
            for number in range(30):
                builders.an_employee(work.session, f"NEW{number}", is_enrolled=False)
                a_photo(work.session, f"pho-new-{number}", f"NEW{number}")
                write_private(world.web.home / f"photos/x/pho-new-{number}.jpg", PORTRAIT)
        seen, detect = [], box.analyser.detect

        def slow(image):
            seen.append(box.people)
            if len(seen) == 3:
                world.resign("EMP001")
                box.errands.hear(box.api.manifest())
            return detect(image)

        box.analyser.detect = slow
        box.sync()
        wait_until(lambda: len(seen) > 6, about="more photos are embedded")
        assert "EMP001" in seen[2] and not any("EMP001" in each for each in seen[4:])
