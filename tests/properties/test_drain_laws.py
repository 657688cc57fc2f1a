"""What goes out of the spool: everything, in order or ahead of a backlog, whatever gets lost on the way."""

from collections.abc import Iterator
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.events import Ack, EventKind, RecognitionEvent
from common.ids import AgentId, CameraId
from edge_agent.adapters.outbox import Outbox, SpoolLimits
from edge_agent.drain import BACKLOG, PATIENCE_S, WINDOW, Drain

slow = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def drafts(count: int) -> list[RecognitionEvent]:
    return [
        RecognitionEvent(
            event_id="", seq=0, camera_id=CameraId("cam-1"), track_id="t", kind=EventKind.SEEN, ts=n,
            last_seen=n,
        )
        for n in range(count)
    ]  # fmt: skip


def spool(folder: Path, held: int, **limits: int) -> Outbox:
    outbox = Outbox(folder / "spool.db", AgentId("gate"), SpoolLimits(**limits) if limits else None)
    outbox.append(drafts(held), now=0)
    return outbox


class Server:
    """What the server does with numbers: keeps all, and acknowledges up to the first that is missing."""

    def __init__(self) -> None:
        self.kept: set[int] = set()
        self.mark = 0

    def hear(self, batch) -> Ack:
        envelope = batch.envelope
        numbers = [event.seq for event in envelope.events]
        self.kept |= set(numbers)
        self.mark = self._on(max(self.mark, envelope.first - 1))
        if self.mark >= envelope.prev:
            self.mark = self._on(max(self.mark, numbers[-1]))
        return Ack(envelope.epoch, self.mark)

    def _on(self, mark: int) -> int:
        while mark + 1 in self.kept:
            mark += 1
        return mark


def sent(drain: Drain, now: float) -> Iterator:
    while batch := drain.next(now):
        yield batch


@slow
@given(
    held=st.integers(0, 2 * BACKLOG),
    steps=st.lists(st.tuples(st.integers(0, 80), st.booleans(), st.booleans()), max_size=12),
)
def test_everything_arrives_and_the_spool_ends_empty(tmp_path_factory, held, steps):
    """Messages and acks may be lost and connections break at any time; at the end, all is there once."""
    outbox, server = spool(tmp_path_factory.mktemp("spool"), held), Server()
    drain, now = Drain(outbox), 0.0
    for new, loses_messages, breaks in steps:
        now += 1
        outbox.append(drafts(new), now=0)
        for batch in sent(drain, now):
            if not loses_messages:
                drain.acknowledge(server.hear(batch), now)
        if breaks:
            drain.rewind()
    for _ in range(20):
        now += 10 * PATIENCE_S
        for batch in sent(drain, now):
            drain.acknowledge(server.hear(batch), now)
    assert outbox.state().depth == 0
    assert server.kept == set(range(1, outbox.last_seq() + 1))


def test_what_is_new_goes_ahead_of_a_backlog(tmp_path):
    """With a week in the spool, an event of now is in the next message."""
    outbox, server = spool(tmp_path, BACKLOG + 5000), Server()
    drain = Drain(outbox)
    first = list(sent(drain, 0.0))
    assert sum(batch.count for batch in first) == WINDOW, "no more than the window without an ack"
    (fresh,) = outbox.append(drafts(1), now=0)
    (batch,) = sent(drain, 0.1)
    assert [event.seq for event in batch.envelope.events] == [fresh.seq]
    ack = server.hear(batch)
    assert (ack.seq, fresh.seq in server.kept) == (0, True), "kept, and not acknowledged before its turn"


def test_what_went_ahead_is_not_sent_again(tmp_path):
    """Where the backlog meets what went ahead of it, the server's mark passes over that by itself."""
    outbox, server = spool(tmp_path, BACKLOG + 500), Server()
    drain, seen = Drain(outbox), []
    for turn in range(100):
        if turn < 20:
            outbox.append(drafts(3), now=0)
        for batch in sent(drain, float(turn)):
            seen += [event.seq for event in batch.envelope.events]
            drain.acknowledge(server.hear(batch), float(turn))
    assert outbox.state().depth == 0
    assert sorted(seen) == list(range(1, outbox.last_seq() + 1))


def test_a_server_that_does_not_answer_is_not_buried(tmp_path):
    """Ahead of the backlog too, no more than the window goes out without any ack."""
    outbox = spool(tmp_path, BACKLOG + 500)
    drain = Drain(outbox)
    list(sent(drain, 0.0))
    for _ in range(40):
        outbox.append(drafts(50), now=0)
        list(sent(drain, 1.0))
    assert drain.ahead_count <= WINDOW + 50


def test_what_was_given_up_among_the_new_does_not_stop_the_rest(tmp_path):
    """Numbers dropped from a full spool leave holes; what is behind them is sent again in order."""
    outbox, server = spool(tmp_path, BACKLOG + 500, max_bytes=400_000), Server()
    drain, now = Drain(outbox), 0.0
    list(sent(drain, now))
    for _ in range(30):
        outbox.append(drafts(50), now=0)
        list(sent(drain, now))  # all of it is lost
    for _ in range(30):
        now += 10 * PATIENCE_S
        for batch in sent(drain, now):
            drain.acknowledge(server.hear(batch), now)
    assert outbox.state().depth == 0 and outbox.state().dropped > 0
