"""The spool keeps its promises whatever is done to it, and in whatever order."""

import sqlite3
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common import wire
from common.events import Ack, Clock, EventKind, RecognitionEvent
from common.ids import AgentId, CameraId
from edge_agent.adapters.outbox import Outbox, OutboxDamaged, OutboxFull, SpoolLimits
from edge_agent.core.watermark import reported_to

GATE = AgentId("gate")
quick = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def draft(ts: int = 1_700_000_000_000, kind: EventKind = EventKind.SEEN, **fields) -> RecognitionEvent:
    return RecognitionEvent(
        event_id="",
        seq=0,
        camera_id=CameraId("cam-1"),
        track_id="b-1",
        kind=kind,
        ts=ts,
        last_seen=ts,
        **fields,
    )


def spool(folder: Path, **limits) -> Outbox:
    return Outbox(folder / "spool.db", GATE, SpoolLimits(**limits) if limits else None)


def held(outbox: Outbox) -> list[RecognitionEvent]:
    """Everything in the spool, read batch by batch."""
    events, after = [], 0
    while batch := outbox.batch(after):
        events += batch.envelope.events
        after = batch.last
    return events


@quick
@given(count=st.integers(1, 130), acked=st.integers(0, 130))
def test_an_ack_removes_exactly_what_it_covers(tmp_path_factory, count, acked):
    """After an ack of n, the events above n are all there, in order, and the others are gone."""
    outbox = spool(tmp_path_factory.mktemp("spool"))
    outbox.append([draft(1_700_000_000_000 + n) for n in range(count)], now=1_700_000_001_000)

    removed = outbox.acknowledge(Ack(outbox.epoch, min(acked, count)))

    assert removed == min(acked, count)
    assert [event.seq for event in held(outbox)] == list(range(min(acked, count) + 1, count + 1))
    assert outbox.state().depth == count - removed


@quick
@given(steps=st.lists(st.one_of(st.integers(1, 5), st.just("restart"), st.just("ack")), max_size=12))
def test_a_restart_changes_nothing(tmp_path_factory, steps):
    """Opened again, the spool has the same epoch and events, and no number is ever used twice."""
    folder = tmp_path_factory.mktemp("spool")
    outbox, expected, given_out = spool(folder), [], []
    for step in steps:
        if step == "restart":
            outbox.close()
            outbox = spool(folder)
        elif step == "ack":
            outbox.acknowledge(Ack(outbox.epoch, outbox.last_seq()))
            expected = []
        else:
            stored = outbox.append([draft(sim_score=0.5)] * step, now=1_700_000_000_000)
            expected += stored
            given_out += [event.event_id for event in stored]

    assert held(outbox) == expected
    assert len(set(given_out)) == len(given_out)


@quick
@given(
    kinds=st.lists(
        st.sampled_from([EventKind.SEEN, EventKind.UNKNOWN, EventKind.STILL]), min_size=40, max_size=80
    )
)
def test_a_full_spool_says_how_much_it_gave_up(tmp_path_factory, kinds):
    """Held events plus those that gaps tell of are all events there ever were, still in order."""
    outbox = spool(tmp_path_factory.mktemp("spool"), max_bytes=6000)
    for n, kind in enumerate(kinds):
        outbox.append([draft(1_700_000_000_000 + n, kind)], now=1_700_000_000_000 + n)

    events = held(outbox)
    gaps = [event for event in events if event.kind is EventKind.GAP]
    kept = [event for event in events if event.kind is not EventKind.GAP]
    assert gaps, "the limit is too high for this test"
    assert len(kept) + sum(gap.extra["dropped"] for gap in gaps) == len(kinds)
    assert outbox.state().dropped == sum(gap.extra["dropped"] for gap in gaps)
    assert [event.seq for event in events] == sorted(event.seq for event in events)


@quick
@given(
    unknown=st.sets(st.integers(0, 39), min_size=20, max_size=30),
    sizes=st.integers(1, 9),
)
def test_batches_chain_over_the_numbers_that_were_given_up(tmp_path_factory, unknown, sizes):
    """A reader who follows `prev` from `first - 1` comes to the last number, whatever was dropped between."""
    outbox = spool(tmp_path_factory.mktemp("spool"), max_bytes=5000)
    for n in range(40):
        kind = EventKind.UNKNOWN if n in unknown else EventKind.SEEN
        outbox.append([draft(1_700_000_000_000 + n, kind)], now=1_700_000_000_000 + n)

    mark, after = None, 0
    while batch := outbox.batch(after, most=sizes):
        mark = batch.envelope.first - 1 if mark is None else mark
        assert batch.envelope.prev == mark
        mark = after = batch.last

    assert mark == outbox.last_seq()


def test_unknown_faces_are_given_up_first(tmp_path):
    """While unknown faces can make room, no event about a known person is dropped."""
    outbox = spool(tmp_path, max_bytes=12_000)
    outbox.append([draft(kind=EventKind.SEEN, employee_id="EMP001")] * 10, now=1_700_000_000_000)
    for _ in range(100):
        outbox.append([draft(kind=EventKind.UNKNOWN)], now=1_700_000_000_000)

    assert sum(event.kind is EventKind.SEEN for event in held(outbox)) == 10


def test_what_is_too_old_is_given_up_aloud(tmp_path):
    """An event older than the age limit makes way for a gap that tells of it."""
    outbox = spool(tmp_path, max_age_ms=60_000)
    outbox.append([draft(1_700_000_000_000)], now=1_700_000_000_000)
    outbox.append([draft(1_700_000_100_000, clock=Clock.NTP)], now=1_700_000_100_000)

    kinds = [(event.seq, event.kind.value) for event in held(outbox)]

    assert kinds == [(2, "gap"), (3, "seen")]


def test_a_message_stays_within_its_size(tmp_path):
    """However long the events are, no envelope is larger than a message may be, and none holds over 50."""
    outbox = spool(tmp_path)
    outbox.append([draft(extra={"note": "x" * 3000})] * 60 + [draft()] * 120, now=1_700_000_000_000)

    sizes, after = [], 0
    while batch := outbox.batch(after):
        sizes.append((batch.count, len(batch.payload)))
        after = batch.last

    assert all(count <= 50 and size <= wire.MAX_MESSAGE_BYTES for count, size in sizes)
    assert sum(count for count, _ in sizes) == 180


def test_another_spools_ack_changes_nothing(tmp_path):
    """An ack is for one epoch only."""
    outbox = spool(tmp_path)
    outbox.append([draft()], now=1_700_000_000_000)

    assert outbox.acknowledge(Ack("ffffffff", 1)) == 0
    assert len(held(outbox)) == 1


def test_an_old_copy_of_a_spool_begins_a_new_epoch(tmp_path):
    """Numbers that the server has seen from a later copy of this file are never used for other events."""
    outbox = spool(tmp_path)
    before = outbox.append([draft()], now=1_700_000_000_000)[0].event_id

    outbox.acknowledge(Ack(outbox.epoch, 500))

    assert [event.event_id == before for event in held(outbox)] == [False]


def test_a_damaged_file_is_left_as_it_is(tmp_path):
    """A file that is not a database is an error in words, and not one byte of it changes."""
    path = tmp_path / "spool.db"
    path.write_bytes(b"not a database at all, but 40 bytes long")

    with pytest.raises(OutboxDamaged, match="damaged"):
        spool(tmp_path)
    assert path.read_bytes() == b"not a database at all, but 40 bytes long"


def test_a_full_disk_loses_nothing_that_was_stored(tmp_path):
    """When there is no room, append says so, and what was there stays and can still be drained."""
    outbox = spool(tmp_path)
    stored = outbox.append([draft()] * 5, now=1_700_000_000_000)
    pages = outbox._db.execute("PRAGMA page_count").fetchone()[0]
    outbox._db.execute(f"PRAGMA max_page_count = {pages}")

    with pytest.raises(OutboxFull, match="no room"):
        outbox.append([draft(extra={"note": "x" * 20_000})], now=1_700_000_000_000)

    assert held(outbox) == stored
    assert outbox.acknowledge(Ack(outbox.epoch, 5)) == 5


def test_only_its_owner_reads_the_spool(tmp_path):
    """The file says who was where: nobody else on the machine may read it."""
    spool(tmp_path)

    assert (tmp_path / "spool.db").stat().st_mode & 0o077 == 0


def test_a_crop_is_due_when_its_event_is_acknowledged(tmp_path):
    """A crop waits for its event, because the server refuses one that it knows no event of."""
    outbox = spool(tmp_path)
    event = outbox.append([draft(snapshot="a.jpg")], now=1_700_000_000_000)[0]
    assert outbox.snapshots_to_send() == []

    outbox.acknowledge(Ack(outbox.epoch, 1))

    assert [(each.name, each.event_id) for each in outbox.snapshots_to_send()] == [("a.jpg", event.event_id)]
    outbox.forget_snapshots(["a.jpg"])
    assert outbox.snapshots_to_send() == []


@given(st.integers(0, 100), st.one_of(st.none(), st.integers(0, 100)), st.lists(st.integers(0, 100)))
def test_the_watermark_is_before_everything_still_to_come(now, oldest, in_hand):
    """No event that the server lacks is at or before the watermark, which is never later than now."""
    mark = reported_to(now, oldest, in_hand)

    assert mark <= now
    assert all(mark < ts for ts in [*in_hand, *([oldest] if oldest is not None else [])])


def test_sqlite_syncs_every_commit(tmp_path):
    """WAL and synchronous=FULL: a committed event survives a power cut."""
    outbox = spool(tmp_path)

    assert outbox._db.execute("PRAGMA synchronous").fetchone()[0] == 2
    with sqlite3.connect(tmp_path / "spool.db") as other:
        assert other.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
