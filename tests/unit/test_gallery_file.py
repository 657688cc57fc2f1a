"""The gallery on the disk: changes in pieces, read back whole, and never believed when it is damaged."""

import sqlite3
from dataclasses import replace

import numpy as np
import pytest

from common.events import Manifest
from common.ids import EmployeeId
from common.signing import gallery_digest, signed
from edge_agent.adapters.gallery_download import TemplatePage
from edge_agent.adapters.gallery_file import GalleryDamaged, GalleryError, GalleryFile, HeldGallery, checked
from edge_agent.core.gallery import Template
from edge_agent.gallery_keeper import GalleryKeeper
from tests.vision_world import DIMENSION, face_of

KEY = "5a" * 32


def page_of(gen, owners, *, add=(), remove=(), full=False):
    """Return the server's answer after which owners (template id: name) are held; add: ids that are sent."""
    sent = tuple((each, owners[each], face_of(f"{owners[each]}{each}").tobytes()) for each in add)
    return TemplatePage(gen, "test:0", gallery_digest(owners), full, sent, tuple(remove))


FIRST = page_of(1, {1: "ani", 2: "ani", 3: "budi"}, add=(1, 2, 3), full=True)
SECOND = page_of(2, {1: "ani", 3: "budi", 4: "citra"}, add=(4,), remove=(2,))


class Server:
    """Answers with prepared pages by the generation that is asked from."""

    def __init__(self, **pages):
        self.pages, self.asked = pages, []

    def templates(self, since, model_id):
        self.asked.append(since)
        return self.pages[f"since_{since}"]

    def discard(self):
        """Nothing of it lies anywhere."""


@pytest.fixture
def file(tmp_path):
    return GalleryFile(tmp_path / "gallery.db")


def keeper_of(file, *pages, anchors=tuple):
    keeper = GalleryKeeper(file, KEY, "test:0", DIMENSION, anchors)
    for page in pages:
        keeper.fetch(Server(**{f"since_{keeper.gen}": page}))
    return keeper


def sure_of(gallery, name, template_id):
    (match,) = gallery.search(face_of(f"{name}{template_id}")[None])
    return (
        match is not None and match.employee_id == name and match.similarity == pytest.approx(1.0, abs=1e-5)
    )


def test_what_is_saved_in_pieces_is_read_back_whole(file):
    """After a first page and a change, the disk holds what the memory does; only its owner may read it."""
    keeper = keeper_of(file, FIRST, SECOND)
    again = keeper_of(file)
    for gallery in (keeper.current(), again.current()):
        assert gallery.people == ("ani", "budi", "citra") and len(gallery) == 3
        assert sure_of(gallery, "citra", 4) and not sure_of(gallery, "ani", 2)
    assert keeper.gen == again.gen == 2
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_who_is_removed_leaves_no_trace(file):
    """Neither in the file, nor in the memory of whoever still searches the gallery of before."""
    keeper = keeper_of(file, FIRST)
    before = keeper.current()
    assert face_of("ani2").tobytes() in file.path.read_bytes()
    keeper.fetch(Server(since_1=SECOND))
    assert [each.name for each in file.path.parent.iterdir()] == ["gallery.db"]  # no journal either
    assert face_of("ani2").tobytes() not in file.path.read_bytes()
    assert sure_of(before, "ani", 1) and not sure_of(before, "ani", 2)


def test_a_full_page_takes_the_place_of_everybody(file):
    """Whoever is not in it is gone, from the disk and from the older gallery too."""
    keeper = keeper_of(file, FIRST)
    before = keeper.current()
    keeper.fetch(Server(since_1=page_of(5, {3: "budi"}, add=(3,), full=True)))
    assert keeper.current().people == keeper_of(file).current().people == ("budi",)
    assert sure_of(before, "budi", 3) and not sure_of(before, "ani", 1)


def test_a_template_that_is_sent_again_is_replaced(file):
    """The same id with another vector holds the new vector alone."""
    keeper = keeper_of(file, FIRST)
    owners = {1: "ani", 2: "ani", 3: "dewi"}
    keeper.fetch(Server(since_1=page_of(2, owners, add=(3,))))
    for gallery in (keeper.current(), keeper_of(file).current()):
        assert gallery.people == ("ani", "dewi") and len(gallery) == 3 and sure_of(gallery, "dewi", 3)


def test_an_empty_change_leaves_the_very_gallery(file):
    """A new generation of the same people makes nobody search again."""
    keeper = keeper_of(file, FIRST)
    before = keeper.current()
    keeper.fetch(Server(since_1=page_of(7, {1: "ani", 2: "ani", 3: "budi"})))
    assert keeper.current() is before
    assert keeper.gen == keeper_of(file).gen == 7


def test_a_change_that_does_not_fit_asks_for_everybody(file):
    """A delta that does not add up to the server's digest is followed by a full page."""
    keeper = keeper_of(file, FIRST)
    wrong = replace(SECOND, add=())
    server = Server(since_1=wrong, since_0=replace(SECOND, full=True, add=FIRST.add[::2] + SECOND.add))
    keeper.fetch(server)
    assert server.asked == [1, 0] and keeper.current().people == ("ani", "budi", "citra")


@pytest.mark.parametrize(
    "page",
    [
        replace(SECOND, model_id="other:1"),
        replace(SECOND, gen=0),
        replace(SECOND, remove=()),
        replace(SECOND, add=((4, "citra", b"1234"),)),
        replace(SECOND, add=((4, "citra", (face_of("citra4") * 2).tobytes()),)),
        replace(SECOND, add=((4, "citra", np.full(DIMENSION, np.nan, "<f4").tobytes()),)),
    ],
)
def test_what_the_server_may_not_send_is_refused(file, page):
    """Another model, an older generation, a wrong digest and what is no embedding change nothing."""
    held = file_after_first(file)
    with pytest.raises(GalleryError):
        checked(held, page, DIMENSION)
    assert file.load("test:0", DIMENSION).sha256 == FIRST.sha256


def file_after_first(file) -> HeldGallery:
    held = HeldGallery.empty("test:0")
    change = checked(held, FIRST, DIMENSION)
    file.save(change, held)
    return held.after(change)


def overwrite(file, sql):
    with sqlite3.connect(file.path) as db:
        db.execute(sql)
    db.close()


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE template SET employee_id = 'budi' WHERE template_id = 1",
        "UPDATE template SET vector = zeroblob(256) WHERE template_id = 1",
        "DELETE FROM template WHERE template_id = 1",
        "UPDATE held SET gen = 99",
    ],
)
def test_a_damaged_file_is_not_believed(file, sql):
    """Another owner, another vector, a missing template or another generation: everybody is fetched anew."""
    file_after_first(file)
    overwrite(file, sql)
    with pytest.raises(GalleryDamaged):
        file.load("test:0", DIMENSION)
    keeper = keeper_of(file)
    assert keeper.gen == 0 and not keeper.current().people and not file.path.exists()


def test_a_file_that_breaks_while_the_agent_runs_is_written_anew(file):
    """The change is not written onto something else: everybody is fetched and written."""
    keeper = keeper_of(file, FIRST)
    file.path.write_bytes(b"not a database at all" * 500)
    everybody = replace(SECOND, full=True, add=FIRST.add[::2] + SECOND.add)
    server = Server(since_1=SECOND, since_0=everybody)
    keeper.fetch(server)
    assert server.asked == [1, 0]
    assert keeper_of(file).current().people == keeper.current().people == ("ani", "budi", "citra")


def test_of_another_model_nothing_is_held(file):
    """What was enrolled with another recogniser is not searched."""
    file_after_first(file)
    assert file.load("other:1", DIMENSION).gen == 0 and not len(file.load("other:1", DIMENSION).gallery)


def test_a_lapsed_lease_erases_the_memory_of_older_searchers_too(file, monkeypatch):
    """Whoever still holds the gallery of before the wipe finds nobody in it; the faces to ignore stay."""
    poster = Template(-1, EmployeeId(""), face_of("poster"), is_ignored=True)
    keeper = keeper_of(file, FIRST, anchors=lambda: [poster])
    manifest = Manifest(gallery_gen=1, gallery_sha256=FIRST.sha256, config_gen=0, lease_s=0, issued=1, mac="")
    keeper.hear(signed(manifest, bytes.fromhex(KEY)), asked=True)
    before = keeper.current()
    keeper.enforce_lease()
    assert not file.path.exists() and keeper.current().people == ()
    assert not sure_of(before, "ani", 1)
    assert keeper.current().search(face_of("poster")[None])[0].is_ignored


def test_the_faces_to_ignore_follow_their_folder(file):
    """They are asked for again when the gallery changes, and are never written to the disk."""
    anchors = [Template(-1, EmployeeId(""), face_of("poster"), is_ignored=True)]
    keeper = keeper_of(file, FIRST, anchors=lambda: anchors)
    assert keeper.current().search(face_of("poster")[None])[0].is_ignored
    anchors[:] = [Template(-2, EmployeeId(""), face_of("portrait"), is_ignored=True)]
    keeper.fetch(Server(since_1=SECOND))
    (poster, portrait) = keeper.current().search(np.array([face_of("poster"), face_of("portrait")]))
    assert poster.similarity < 0.5 and portrait.is_ignored and portrait.similarity > 0.99
    assert len(keeper.current()) == 4 and len(keeper_of(file).current()) == 3
