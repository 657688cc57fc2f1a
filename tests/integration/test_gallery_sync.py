"""Galleries from the server to the agents: in parts, once for everybody, and of nobody who was erased."""

import hashlib
import time
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import requests
from sqlalchemy import event, update

from central_server.db import models
from central_server.db.unit_of_work import UnitOfWork
from central_server.services.gallery_bodies import (
    FOLDER,
    MOST_BODIES,
    forget_when_done,
    sweep_bodies,
)
from edge_agent.adapters.central_api import CentralAPI, CentralError
from edge_agent.adapters.gallery_download import GalleryDownload
from tests.agent_world import a_box, an_agent_world
from tests.bad_line import a_bad_line
from tests.vision_world import DIMENSION

CROWD = 2000


@pytest.fixture
def world(engine, tmp_path):
    with an_agent_world(engine, tmp_path / "server") as found:
        yield found


@pytest.fixture
def box(world, tmp_path):
    with a_box(world, tmp_path / "box") as found:
        found.errands.stop()
        yield found


def a_crowd(world, count=CROWD, first=1000):
    """Enrol so many people at once."""
    rows = np.random.default_rng(first).standard_normal((count, DIMENSION)).astype("<f4")
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    now = datetime.now(UTC)
    codes = [f"P{first + number}" for number in range(count)]
    known = {"site_id": "plant", "consent_at": now, "created_at": now}
    made = {"model_id": "test:0", "dimension": DIMENSION, "created_at": now}
    with UnitOfWork(world.web.engine) as work:
        work.session.add_all(models.Employee(employee_id=code, name=code, **known) for code in codes)
        work.session.flush()
        templates = [
            models.FaceTemplate(employee_id=code, embedding=row.tobytes(), **made)
            for code, row in zip(codes, rows, strict=True)
        ]
        work.session.add_all(templates)
        work.session.flush()
        work.session.add_all(
            models.TemplateLog(
                op="add",
                template_id=each.template_id,
                employee_id=each.employee_id,
                model_id="test:0",
                at=now,
            )
            for each in templates
        )


def reads(world):
    return [each for each in world.web.rows(models.AuditLog) if each.action == "templates.read"]


def bodies(world):
    return sorted(path for path in (world.web.home / FOLDER).glob("*"))


def ask(world, box, headers=None, **params):
    headers = {"Authorization": f"Bearer {box.identity.token}", **(headers or {})}
    params = {"model": "test:0", "since": 0, **params}
    return requests.get(f"{world.url}/agent/v1/templates", params=params, headers=headers, timeout=30)


def test_a_download_that_breaks_is_gone_on_with(world, box):
    """Over a line that breaks again and again each byte is fetched once, and it is one reading in the log."""
    a_crowd(world)
    whole = len(ask(world, box).content)
    before = len(reads(world))
    with a_bad_line(world.url, carries=150_000) as line:
        api = CentralAPI(line.url, box.identity.token, "test:0")
        box.keeper.fetch(GalleryDownload(api, box.file.incoming))
    assert len(box.people) == CROWD
    assert line.broken == (whole - 1) // 150_000
    assert len(reads(world)) == before + 1
    assert reads(world)[-1].detail["people_count"] == CROWD
    assert not any(box.file.incoming.iterdir())


def test_a_download_goes_on_after_a_restart_of_the_box(world, box):
    """What had arrived is still there, and no more than the rest is asked for."""
    a_crowd(world)
    with a_bad_line(world.url, carries=60_000) as line:
        api = CentralAPI(line.url, box.identity.token, "test:0")
        with pytest.raises(CentralError, match="broke off"):
            box.keeper.fetch(GalleryDownload(api, box.file.incoming))
        (part,) = box.file.incoming.iterdir()
        arrived = part.stat().st_size
        assert 0 < arrived < 60_000 and part.stat().st_mode & 0o777 == 0o600
        line.carries = None
        restarted = box.restarted_keeper()
        restarted.fetch(GalleryDownload(api, box.file.incoming))
    assert len(restarted.current().people) == CROWD


def test_a_body_that_arrived_whole_is_not_fetched_again(world, box):
    """A box that lost its power before it used it asks whether it is still right, and is answered 304."""
    a_crowd(world, 10)
    download = GalleryDownload(box.api, box.file.incoming)
    page = download.templates(0, "test:0")
    (kept,) = box.file.incoming.iterdir()
    before = len(reads(world))
    again = GalleryDownload(box.api, box.file.incoming).templates(0, "test:0")
    assert len(reads(world)) == before and kept.exists()
    assert again.gen == page.gen and len(again.add) == 10


def test_what_arrived_damaged_is_thrown_away(world, box):
    """A part that a power cut spoilt does not become a gallery; the next try begins anew."""
    a_crowd(world)
    download = GalleryDownload(box.api, box.file.incoming)
    download.templates(0, "test:0")
    (whole,) = box.file.incoming.iterdir()
    content = whole.read_bytes()
    whole.unlink()
    part = whole.with_suffix(".part")
    part.write_bytes(bytes(len(content) // 2))
    with pytest.raises(CentralError, match="damaged"):
        box.keeper.fetch(download)
    assert not any(box.file.incoming.iterdir()) and not box.people
    box.keeper.fetch(download)
    assert len(box.people) == CROWD


def test_a_part_that_is_the_whole_is_used(world, box):
    """The power went between the last byte and its new name: there is nothing more to fetch."""
    a_crowd(world, 10)
    download = GalleryDownload(box.api, box.file.incoming)
    download.templates(0, "test:0")
    (whole,) = box.file.incoming.iterdir()
    whole.rename(whole.with_suffix(".part"))
    assert len(download.templates(0, "test:0").add) == 10


def test_the_body_is_named_by_its_content(world, box):
    """The ETag is its SHA-256; the same again is 304, a part is 206, part of another one is the whole."""
    a_crowd(world, 20)
    whole = ask(world, box)
    tag = whole.headers["ETag"]
    assert tag == f'"{hashlib.sha256(whole.content).hexdigest()}"'
    assert ask(world, box, {"If-None-Match": tag}).status_code == 304
    part = ask(world, box, {"Range": "bytes=100-", "If-Range": tag})
    assert (part.status_code, part.content, part.headers["ETag"]) == (206, whole.content[100:], tag)
    other = ask(world, box, {"Range": "bytes=100-", "If-Range": '"' + "0" * 64 + '"'})
    assert (other.status_code, other.content) == (200, whole.content)
    assert ask(world, box, {"Range": f"bytes={len(whole.content)}-", "If-Range": tag}).status_code == 416
    assert whole.headers["Cache-Control"] == "no-store"


def test_each_reading_of_embeddings_is_written_down(world, box):
    """A download is one entry, however many parts; to begin again is another, as is part of an unknown."""
    a_crowd(world, 20)
    start = len(reads(world))
    tag = ask(world, box).headers["ETag"]
    ask(world, box, {"Range": "bytes=10-", "If-Range": tag})
    ask(world, box, {"If-None-Match": tag})
    assert len(reads(world)) == start + 1
    ask(world, box, {"Range": "bytes=0-9", "If-Range": tag})
    assert len(reads(world)) == start + 2
    world.web.app.extensions.pop("hadir.downloads")
    ask(world, box, {"Range": "bytes=1-"})
    assert len(reads(world)) == start + 3
    ask(world, box, since=reads(world)[-1].detail["gen"])
    assert len(reads(world)) == start + 3  # nobody is in it


def test_agents_that_lack_the_same_share_a_body(world, box):
    """It is made once, and only the server's user may read it."""
    a_crowd(world, 20)
    first = ask(world, box)
    made = bodies(world)
    assert ask(world, box).headers["ETag"] == first.headers["ETag"]
    assert bodies(world) == made and len(made) == 1
    assert made[0].stat().st_mode & 0o777 == 0o600
    assert made[0].parent.stat().st_mode & 0o777 == 0o700


def test_an_agent_cannot_fill_the_servers_disk(world, box):
    """Asked from every generation there is, the server keeps a few dozen answers."""
    a_crowd(world, 60)
    (first, *_) = sorted(each.gen for each in world.web.rows(models.TemplateLog))
    for since in range(first, first + 50):
        assert ask(world, box, since=since).status_code == 200
    assert len(bodies(world)) == MOST_BODIES


def test_bodies_go_when_somebody_is_erased(world, box):
    """With the commit, without waiting for any sweep: nothing of the face is left on the server's disk."""
    a_crowd(world, 20)
    box.keeper.fetch(box.downloads)
    ask(world, box)
    (template,) = [each for each in world.web.rows(models.FaceTemplate) if each.employee_id == "P1003"]
    assert any(template.embedding in path.read_bytes() for path in bodies(world))
    world.resign("P1003")
    assert not bodies(world)
    assert template.embedding not in ask(world, box).content


def test_a_transaction_that_fails_throws_nothing_away(world, box):
    """Who was not erased after all needs no new body."""
    a_crowd(world, 5)
    ask(world, box)
    with pytest.raises(RuntimeError), UnitOfWork(world.web.engine) as work:
        forget_when_done(work, world.web.home, "plant")
        raise RuntimeError
    assert len(bodies(world)) == 1


def test_a_sweep_leaves_only_bodies_of_people_who_may_be_searched(world, box):
    """Whoever lost that some other way, a body an hour old, and what a dead process left behind, all go."""
    a_crowd(world, 20)
    ask(world, box)
    gen = ask(world, box).headers["ETag"]
    a_crowd(world, 5, first=5000)
    now = datetime.now(UTC)
    with UnitOfWork(world.web.engine) as work:
        assert (
            sweep_bodies(work, world.web.home, now=now) == 0
        )  # superseded, and somebody may be in the middle
    assert ask(world, box, {"Range": "bytes=9-", "If-Range": gen}).headers["ETag"] == gen
    ask(world, box)
    with UnitOfWork(world.web.engine) as work:
        work.session.execute(
            update(models.Employee).where(models.Employee.employee_id == "P5001").values(status="suspended")
        )
    with UnitOfWork(world.web.engine) as work:
        assert sweep_bodies(work, world.web.home, now=now) == 1
    (world.web.home / FOLDER / ".dead.new").write_bytes(b"a face")
    with UnitOfWork(world.web.engine) as work:
        assert sweep_bodies(work, world.web.home, now=now + timedelta(hours=2)) == 2
    assert not bodies(world)


def test_an_agent_that_was_away_for_too_long_gets_everybody(world, box):
    """The log does not go back that far any more: 410, and the next question is for the whole gallery."""
    a_crowd(world, 10)
    box.keeper.fetch(box.downloads)
    held = box.keeper.gen
    a_crowd(world, 10, first=5000)
    with UnitOfWork(world.web.engine) as work:
        work.session.query(models.TemplateLog).filter(models.TemplateLog.gen <= held + 3).delete()
    assert ask(world, box, since=held).status_code == 410
    box.keeper.fetch(box.downloads)
    assert len(box.people) == 20


def test_a_change_is_small(world, box):
    """One person more among thousands costs a few hundred bytes and their embedding."""
    a_crowd(world)
    box.keeper.fetch(box.downloads)
    a_crowd(world, 1, first=9000)
    change = ask(world, box, since=box.keeper.gen)
    assert len(change.content) < 400 + 4 * DIMENSION
    box.keeper.fetch(box.downloads)
    assert len(box.people) == CROWD + 1


def test_the_server_knows_what_a_box_holds_without_a_heartbeat(world, box):
    """The poll says it, so that the road round a blocked broker is enough."""
    a_crowd(world, 3)
    box.keeper.fetch(box.downloads)
    box.api.manifest(box.keeper.gen)
    (agent,) = world.web.rows(models.Agent)
    assert agent.gallery_gen == box.keeper.gen > 0


def test_what_is_no_gallery_is_refused(world, box):
    """A body that does not add up to its own first line is neither used nor kept."""
    a_crowd(world, 5)
    box.downloads.templates(0, "test:0")
    (whole,) = box.file.incoming.iterdir()
    content = whole.read_bytes() + b"more"
    forged = hashlib.sha256(content).hexdigest()
    whole.unlink()
    (made,) = bodies(world)
    made.write_bytes(content)
    made.rename(made.with_name(f"{made.stem.rpartition('-')[0]}-{forged}.body"))
    with pytest.raises(CentralError, match="are not in"):
        box.keeper.fetch(box.downloads)
    assert not box.people and not any(box.file.incoming.iterdir())


def test_the_worker_writes_while_a_body_is_made(world, box):
    """No transaction is held over the reading of thousands of embeddings."""
    a_crowd(world, 20)
    written = []

    def write(_connection, _cursor, statement, *_rest):
        if "embedding" in statement and not written:
            written.append(statement)
            with UnitOfWork(world.web.engine) as work:
                work.session.add(models.Site(site_id="new", name="New", timezone="Asia/Jakarta"))

    engine = world.web.app.extensions["hadir"].engine
    event.listen(engine, "before_cursor_execute", write)
    began = time.monotonic()
    assert ask(world, box).status_code == 200
    event.remove(engine, "before_cursor_execute", write)
    assert written and time.monotonic() - began < 5
    assert {each.site_id for each in world.web.rows(models.Site)} == {"plant", "new"}
