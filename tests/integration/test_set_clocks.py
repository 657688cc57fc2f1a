"""A wall clock that is set while an agent runs, or a box that sleeps: nothing is lost, nothing is made up."""

import sqlite3

import pytest

from central_server.adapters.event_intake import read_envelope
from common import wire
from common.camera_settings import CameraConfig
from common.events import Ack, CameraReason, CameraState, Clock, EventKind, Manifest
from common.ids import AgentId, CameraId
from common.topics import AgentTopics
from edge_agent.adapters import machine, outbox
from edge_agent.adapters.camera_reader import Sample
from edge_agent.adapters.outbox import OutboxError
from edge_agent.adapters.video_source import SourceHealth, VideoSource
from edge_agent.core.watermark import Instant, reported_to
from edge_agent.drain import Drain
from edge_agent.hearing import AgentVoice, hear
from tests.properties.test_outbox_laws import draft, held, spool
from tests.vision_world import TEXTURE, StagePicture

NOW, DAY_MS, MINUTE_S = 1_790_000_000_000, 86_400_000, 60


@pytest.fixture
def clocks(monkeypatch) -> dict[str, float]:
    """By how many seconds the wall clock and the steady clock are ahead of the real ones."""
    ahead = {"wall": 0.0, "steady": 0.0}
    wall, steady = machine.time.time_ns, machine.steady_s
    monkeypatch.setattr(machine.time, "time_ns", lambda: wall() + int(ahead["wall"] * 1e9))
    monkeypatch.setattr(machine, "steady_s", lambda: steady() + ahead["steady"])
    return ahead


def a_source() -> VideoSource:
    return VideoSource(
        CameraConfig(camera_id=CameraId("gate"), name="gate", url="rtsp://10.0.0.5/1", zone="")
    )


def seeing(source: VideoSource) -> SourceHealth:
    source._offer(Sample(StagePicture(TEXTURE)))
    return source.health()


def test_coverage_does_not_reach_back_when_the_clock_is_set_forward(clocks):
    """A box that boots with yesterday's time has not watched since yesterday once its clock is set."""
    source = a_source()
    began = seeing(source).since_ms
    clocks["wall"] = 19 * MINUTE_S

    health = seeing(source)

    assert health.state is CameraState.ONLINE
    assert abs(health.since_ms - (began + 19 * MINUTE_S * 1000)) < 1000


def test_a_box_that_slept_has_watched_nothing_meanwhile(clocks):
    """The stream may go on as if nothing had happened: coverage begins anew with the first picture."""
    source = a_source()
    began = seeing(source).since_ms
    clocks["wall"] = clocks["steady"] = 20 * MINUTE_S
    assert source.health().reason is CameraReason.STALLED

    health = seeing(source)

    assert health.state is CameraState.ONLINE
    assert health.since_ms - began >= 20 * MINUTE_S * 1000 - 1000


def test_what_was_seen_before_the_clock_was_set_is_not_too_old(tmp_path):
    """A box without a battery begins in 1970: its events are dated by the server, not dropped as stale."""
    box = spool(tmp_path, max_age_ms=30 * DAY_MS)
    box.append([draft(1000, boot_id="b", mono=5000, clock=Clock.BAD)], now=1000)

    box.append([draft(NOW, boot_id="b", mono=9000, clock=Clock.NTP)], now=NOW)

    assert [event.seq for event in held(box)] == [1, 2]


def test_a_clock_that_nobody_set_makes_nothing_old(tmp_path):
    """One that jumps ahead, as with an empty battery, does not empty the spool of the boot before."""
    box = spool(tmp_path, max_age_ms=30 * DAY_MS)
    box.append([draft(NOW, boot_id="a", mono=5000, clock=Clock.NTP)], now=NOW)

    late = NOW + 4000 * DAY_MS
    box.append([draft(late, boot_id="b", mono=1, clock=Clock.RTC)], now=late)

    assert [event.seq for event in held(box)] == [1, 2]


def test_a_running_box_gives_up_what_is_too_old_whatever_its_clock_says(tmp_path):
    """Its steady clock tells: sixty days of this boot are sixty days."""
    box = spool(tmp_path, max_age_ms=30 * DAY_MS)
    box.append([draft(NOW, boot_id="a", mono=0), draft(NOW, boot_id="a", mono=59 * DAY_MS)], now=NOW)

    box.append([draft(NOW, boot_id="a", mono=60 * DAY_MS)], now=NOW)

    assert [event.kind for event in held(box)] == [EventKind.SEEN, EventKind.GAP, EventKind.SEEN]


def test_the_watermark_stays_below_an_event_that_a_fast_clock_dated(tmp_path):
    """Seen at ten by a clock that said noon: when it is set back, nothing after ten is claimed."""
    box = spool(tmp_path)
    box.append([draft(NOW + 7_200_000, boot_id="b", mono=60_000)], now=NOW)
    state = box.state()
    assert state.first

    now, mono = NOW + 90_000, 150_000
    mark = reported_to(now, state.oldest_ts, [state.first.by_now(now, mono, "b")])

    assert mark == NOW - 1


@pytest.mark.parametrize(("ts", "clock"), [(NOW + 1, Clock.NTP), (NOW - 1, Clock.RTC), (1000, Clock.BAD)])
def test_an_instant_of_another_boot_that_cannot_be_believed_claims_nothing(ts, clock):
    """Neither one from the future, nor one by a clock that nobody had set."""
    assert Instant(ts, 5, "earlier", clock).by_now(NOW, 100, "b") == 0
    assert Instant(NOW - 7, 5, "earlier", Clock.NTP).by_now(NOW, 100, "b") == NOW - 7


def test_numbers_that_a_disk_forgot_are_not_used_again(tmp_path, monkeypatch):
    """After a power cut the spool may be some events behind what the server has: theirs are left out."""
    monkeypatch.setattr(outbox, "boot_id", lambda: "first")
    box = spool(tmp_path)
    box.append([draft()] * 3, now=NOW)
    box.close()
    assert spool(tmp_path).append([draft()], now=NOW)[0].seq == 4
    monkeypatch.setattr(outbox, "boot_id", lambda: "second")

    box = spool(tmp_path)
    stored = box.append([draft()], now=NOW)[0]

    assert stored.seq == 4 + outbox.NUMBERS_LOST + 1
    chain = box.batch(0).envelope
    assert (chain.first, chain.prev, [each.seq for each in chain.events]) == (1, 0, [1, 2, 3, 4, stored.seq])


def test_a_new_epoch_that_cannot_be_kept_has_not_begun(tmp_path):
    """With a full disk the old name stays in force, in memory as on the disk."""
    box = spool(tmp_path)
    box.append([draft()], now=NOW)
    before = box.epoch
    with sqlite3.connect(tmp_path / "spool.db") as other:
        words = "SELECT RAISE(ABORT, 'no room')"
        other.execute(f"CREATE TRIGGER full BEFORE INSERT ON meta BEGIN {words}; END")

    with pytest.raises(OutboxError):
        box.acknowledge(Ack(before, 99))

    assert box.epoch == before


@pytest.mark.parametrize("rot", ['{"ts":1', "null", "x", "{}"])
def test_one_damaged_row_costs_one_event(tmp_path, rot):
    """A worn card turns a byte: the others go out, and the server sets that one aside under its number."""
    box = spool(tmp_path, max_age_ms=DAY_MS)
    box.append([draft(NOW - 3 * DAY_MS, boot_id="b", mono=1)] * 3, now=NOW)
    box._db.execute("UPDATE event SET body = ? WHERE seq = 1", (rot,))

    intake = read_envelope(box.batch(0).payload)

    assert [each.seq for each in intake.envelope.events] == [2, 3]
    assert list(intake.parked) == [1]
    assert box.state().first.by_now(NOW, 9, "c") == 0
    box.append([draft(NOW, boot_id="c", mono=5, clock=Clock.NTP)], now=NOW)
    assert [event.kind for event in held(box)] == [EventKind.GAP, EventKind.SEEN]


def test_a_message_that_cannot_be_obeyed_does_not_end_the_connection(tmp_path, caplog):
    """A manifest is kept by the broker: it would end each connection before an event was sent."""

    def fails(_: object) -> None:
        raise RuntimeError("not foreseen")

    mine = AgentTopics(AgentId("gate"))
    voice = AgentVoice(fails, fails, tuple, fails, fails)
    manifest = Manifest(config_gen=0, gallery_gen=1, gallery_sha256="", issued=1, lease_s=1)

    hear(mine.manifest, wire.encode(manifest), mine, voice, Drain(spool(tmp_path)), 0.0)

    assert "not foreseen" in caplog.text
