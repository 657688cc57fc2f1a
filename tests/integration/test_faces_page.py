"""Who holds a face: what HR reads about boxes that have not confirmed that they forgot somebody."""

from datetime import UTC, datetime, timedelta

import pytest

from central_server.db import models
from central_server.db.queries.faces import boxes_to_forget, holders_of
from central_server.db.queries.places import read_places
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.record_health import record_heartbeat
from common.events import Heartbeat
from common.ids import AgentId
from tests.agent_world import a_box, an_agent_world
from tests.web_world import PageReader


@pytest.fixture
def world(engine, tmp_path):
    with an_agent_world(engine, tmp_path / "server") as found:
        yield found


@pytest.fixture
def boxes(world, tmp_path):
    """Two boxes of one site, both with EMP001 and EMP002 on them."""
    one = a_box(world, tmp_path / "one", "EMP001")
    two = a_box(world, tmp_path / "two", "EMP001")
    with one as first, two as second:
        first.enrol(world, "EMP001")
        first.enrol(world, "EMP002")
        second.sync()
        assert first.people == second.people == ("EMP001", "EMP002")
        yield first, second


def holds(world, code, now=None):
    with UnitOfWork(world.web.engine) as work:
        places = read_places(work.session, "Asia/Jakarta")
        found = holders_of(work.session, places, code, now=now or datetime.now(UTC))
    return {each.agent_id: each.hold.value for each in found}


def page(world, code=""):
    reply = world.web.client("hr").get("/faces/", query_string={"q": code} if code else {})
    assert reply.status_code == 200
    return reply.text


def put(world, box, **fields):
    with UnitOfWork(world.web.engine) as work:
        agent = work.session.get_one(models.Agent, box.identity.agent_id)
        for name, value in fields.items():
            setattr(agent, name, value)


def test_a_box_that_was_off_is_named_until_it_confirms(world, boxes):
    """One box forgets within the minute; the other one is told of, on the list and on the person's page."""
    on, off = boxes
    off.errands.stop()
    assert set(holds(world, "EMP001").values()) == {"enrolled"} and len(holds(world, "EMP001")) == 2
    world.resign("EMP001")
    on.sync()
    assert holds(world, "EMP001") == {off.identity.agent_id: "away"}
    for text in (page(world), page(world, "EMP001"), world.web.client("hr").get("/people/EMP001").text):
        assert "May hold it" in text and off.identity.agent_id in text
    assert "Gate box" in page(world, "EMP002") and "As it should" in page(world, "EMP002")

    off.keeper.hear(off.api.manifest(off.keeper.gen), asked=True)
    off.keeper.fetch(off.downloads)
    assert holds(world, "EMP001") == {off.identity.agent_id: "away"}  # it has, but has not said so
    off.api.manifest(off.keeper.gen)
    assert not holds(world, "EMP001")
    assert "Every box has forgotten everybody" in page(world)


def test_the_state_of_the_box_decides_what_to_do(world, boxes):
    """Connected: wait. Shut out: get it back. Lease over: it has wiped itself."""
    on, off = boxes
    on.errands.stop()
    off.errands.stop()
    world.resign("EMP001")
    now = datetime.now(UTC)
    put(world, on, state="online", heartbeat_at=now)
    put(world, off, revoked_at=now)
    assert holds(world, "EMP001") == {on.identity.agent_id: "told", off.identity.agent_id: "revoked"}
    assert "Forgetting it" in page(world) and "Shut out" in page(world)
    week = now + timedelta(days=7, minutes=1)
    assert set(holds(world, "EMP001", week).values()) == {"lapsed"}


def test_the_box_itself_says_when_its_lease_ends(world, boxes):
    """By its own count of the time, in every heartbeat; a box that wiped itself holds nobody."""
    on, off = boxes
    on.errands.stop()
    off.errands.stop()
    world.resign("EMP001")
    now = datetime.now(UTC)
    held = on.keeper.gen
    for left, gen, expected in ((3600.0, held, "told"), (0.0, held, "lapsed"), (None, 0, None)):
        extra = {"lease_left_s": left, "leased_out": gen == 0}
        beat = Heartbeat(sid="s1", ts=0, reported_to=0, gallery_gen=gen, extra=extra)
        put(world, on, state="online")
        with UnitOfWork(world.web.engine) as work:
            record_heartbeat(AgentId(on.identity.agent_id), beat, work, now)
            work.session.query(models.AuditLog).delete()  # long ago
        assert holds(world, "EMP001", now).get(on.identity.agent_id) == expected
    assert "cannot fetch them" in world.web.client("hr").get("/cameras/").text


def test_what_was_given_and_not_confirmed_counts(world, boxes):
    """A box that lost its power after the download, before any heartbeat, may have the face."""
    on, off = boxes
    off.errands.stop()
    gen = off.keeper.gen
    put(world, off, gallery_gen=0)
    assert holds(world, "EMP001")[off.identity.agent_id] == "enrolled"
    world.resign("EMP001")
    on.sync()
    assert holds(world, "EMP001") == {off.identity.agent_id: "away"} and gen > 0


def test_a_code_that_only_the_log_knows_is_found(world, boxes):
    """The person's record is gone; the boxes are named all the same, and a wrong code finds nothing."""
    _, off = boxes
    with UnitOfWork(world.web.engine) as work:
        for op in ("add", "del"):
            row = {"op": op, "template_id": 777, "employee_id": "GONE1", "model_id": "test:0"}
            work.session.add(models.TemplateLog(**row, at=datetime.now(UTC)))
            work.session.flush()
    with UnitOfWork(world.web.engine) as work:
        newest = work.session.query(models.TemplateLog).order_by(models.TemplateLog.gen.desc()).first()
    put(world, off, gallery_gen=newest.gen - 1)
    assert off.identity.agent_id in holds(world, "GONE1")
    assert "GONE1" in page(world) and "1 box holds this face" in page(world, "GONE1")
    assert "Nobody with the code &lt;script&gt; is known" in page(world, "<script>")


def test_a_box_of_another_site_never_had_it(world, boxes):
    """Galleries are of one site: the other site's boxes are not accused."""
    _, off = boxes
    with UnitOfWork(world.web.engine) as work:
        work.session.add(models.Site(site_id="depot", name="Depot", timezone="Asia/Jakarta"))
    put(world, off, site_id="depot")
    assert off.identity.agent_id not in holds(world, "EMP001")
    world.resign("EMP001")
    with UnitOfWork(world.web.engine) as work:
        places = read_places(work.session, "Asia/Jakarta")
        found = boxes_to_forget(work.session, places, now=datetime.now(UTC))
    assert off.identity.agent_id not in {each.agent_id for each in found}


def test_the_page_is_for_hr_and_usable_by_everybody(world, boxes):
    """Supervisors do not see it; it has one heading, labels, and nothing inline."""
    _, off = boxes
    off.errands.stop()
    world.resign("EMP001")
    reader = PageReader(page(world, "EMP001"))
    assert reader.headings == 1 and not reader.problems and not reader.unlabelled and not reader.repeated_ids
    for role in ("supervisor", "viewer"):
        assert world.web.client(role).get("/faces/").status_code == 403


def test_a_code_that_nobody_ever_had_is_said_to_be_unknown(world):
    """A typing mistake must not read like an erasure that is complete."""
    assert "Nobody with the code EMP0O1 is known here" in page(world, "EMP0O1")
    text = page(world, "EMP001")
    assert "no box holds this face" in text and "is known here" not in text
