"""The gallery is lent: a box that is cut off from its server forgets, whatever is done to it."""

from dataclasses import replace

import pytest

from common.signing import signed
from tests.agent_world import DAY_S, a_box, an_agent_world


@pytest.fixture
def world(engine, tmp_path):
    with an_agent_world(engine, tmp_path / "server") as found:
        yield found


@pytest.fixture
def box(world, tmp_path):
    """A box that knows EMP001, and whose errands are done by hand."""
    with a_box(world, tmp_path / "box") as found:
        found.enrol(world, "EMP001")
        found.errands.stop()
        found.keeper.hear(found.api.manifest(), asked=True)
        found.keeper.enforce_lease()
        yield found


def resigned(box, manifest, **changes):
    return signed(replace(manifest, **changes), bytes.fromhex(box.identity.manifest_key))


def test_a_word_from_the_server_renews_the_lease(box):
    """Six days, a word, six days more; and a day without one too many."""
    for days, people in ((6, ("EMP001",)), (6, ("EMP001",)), (7.01, ())):
        box.clocks.passes(days * DAY_S)
        box.keeper.enforce_lease()
        assert box.people == people
        if people:
            box.keeper.hear(box.api.manifest(), asked=True)
    assert not box.file.path.exists() and box.keeper.gen == 0 and box.keeper.leased_out


def test_restarts_do_not_renew_a_lease(box):
    """Switched off and on each day, with a look at the lease in between."""
    for day in range(8):
        box.clocks.is_off(DAY_S * 0.99)
        box.keeper = box.restarted_keeper()
        box.keeper.enforce_lease()
        assert bool(box.people) == (day < 7), day
    assert box.restarted_keeper().leased_out


@pytest.mark.parametrize("jump", [-3650 * DAY_S, -8 * DAY_S, 8 * DAY_S, 3650 * DAY_S])
def test_a_clock_that_jumps_neither_wipes_nor_keeps(box, jump):
    """While the box runs its uptime counts: six days are six days, and eight are too many."""
    box.clocks.wall_ahead_s += jump
    box.keeper.enforce_lease()
    box.clocks.passes(6 * DAY_S)
    box.keeper.enforce_lease()
    assert box.people == ("EMP001",)
    assert box.keeper.lease_left_s == pytest.approx(DAY_S, abs=60)
    box.clocks.passes(2 * DAY_S)
    box.keeper.enforce_lease()
    assert not box.people


def test_a_box_whose_clock_is_set_back_at_each_start_forgets_all_the_same(box):
    """A thief holds its clock at one day: after seven days of running it has wiped itself."""
    for _ in range(8):
        box.clocks.is_off(0)
        box.clocks.wall_ahead_s -= DAY_S
        box.keeper = box.restarted_keeper()
        box.clocks.passes(DAY_S)
        box.keeper.enforce_lease()
    assert not box.people


def test_a_word_every_few_seconds_does_not_wear_out_the_disk(box):
    """It is written down every ten minutes, and a restart after weeks of such words forgets nobody."""
    path, written = box.home / "manifest.json", set()
    for _ in range(40):
        box.clocks.passes(60)
        box.keeper.hear(box.api.manifest(), asked=True)
        box.keeper.enforce_lease()
        written.add(path.stat().st_ino)
    assert 2 <= len(written) <= 5
    box.clocks.is_off(6.9 * DAY_S)
    box.keeper = box.restarted_keeper()
    box.keeper.enforce_lease()
    assert box.people == ("EMP001",)


def test_a_manifest_that_the_broker_kept_does_not_begin_the_lease_anew(box):
    """The server is gone for good, the broker is not: each restart hears the same manifest again."""
    kept = box.api.manifest()
    for _ in range(8):
        box.clocks.is_off(DAY_S)
        box.keeper = box.restarted_keeper()
        box.keeper.hear(kept)
        box.keeper.enforce_lease()
    assert not box.people


def test_a_manifest_that_waited_is_as_old_as_it_is(box):
    """Issued three days before it was heard, it lends for four."""
    issued = resigned(box, box.api.manifest(), issued=round((box.clocks().wall_s + DAY_S) * 1000))
    box.clocks.passes(4 * DAY_S)
    box.keeper.hear(issued)
    assert box.keeper.lease_left_s == pytest.approx(4 * DAY_S, abs=60)


def test_the_server_may_lend_for_less(box):
    """A manifest with a shorter lease counts from now on."""
    manifest = box.api.manifest()
    box.keeper.hear(resigned(box, manifest, lease_s=3600, issued=manifest.issued + 1), asked=True)
    box.clocks.passes(3601)
    box.keeper.enforce_lease()
    assert not box.people


def test_a_box_that_comes_back_gets_its_gallery_again(box):
    """The lease ran out while the line was down; the first word of the server ends that."""
    box.clocks.passes(8 * DAY_S)
    box.keeper.enforce_lease()
    assert box.keeper.leased_out and box.keeper.lease_left_s is None
    assert box.keeper.hear(box.api.manifest(), asked=True)
    box.keeper.fetch(box.downloads)
    box.keeper.enforce_lease()
    assert box.people == ("EMP001",) and not box.keeper.leased_out
    assert not box.restarted_keeper().leased_out


def test_what_was_still_arriving_goes_too(box):
    """Half a gallery holds faces as a whole one does."""
    box.downloads.templates(0, "test:0")
    assert box.file.has_downloads()
    box.clocks.passes(8 * DAY_S)
    box.keeper.enforce_lease()
    assert not box.file.has_downloads()


def test_a_box_that_joined_another_server_keeps_nothing(box, world, tmp_path):
    """Its generations would be another server's: the old gallery is erased, not refused for ever after."""
    other = replace(box.identity, manifest_key="5a" * 32)
    box.identity = other
    keeper = box.restarted_keeper()
    assert not keeper.current().people and keeper.gen == 0 and not box.file.path.exists()


def test_a_gallery_of_another_model_is_erased_at_the_start(box):
    """It is of no use, and nobody would ever take people out of it."""
    box.analyser.model_id = "other:1"
    assert not box.restarted_keeper().current().people
    assert not box.file.path.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_a_note_that_cannot_be_read_lends_from_when_the_gallery_was_written(box, content):
    """Whoever spoils it gains nothing: the file's own time counts."""
    (box.home / "manifest.json").write_bytes(content)
    keeper = box.restarted_keeper()
    assert keeper.current().people == ("EMP001",)
    box.clocks.is_off(7 * DAY_S + 60)
    keeper.enforce_lease()
    assert not keeper.current().people


def test_a_full_disk_does_not_keep_a_gallery(box, monkeypatch):
    """The lease cannot be written down; it ends all the same."""
    (box.home / "manifest.json").unlink()
    (box.home / "manifest.json").mkdir()
    box.clocks.passes(8 * DAY_S)
    box.keeper.enforce_lease()
    assert not box.people and not box.file.path.exists()
