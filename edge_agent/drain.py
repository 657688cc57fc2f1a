"""Which events go out next: in order, not too far ahead of the acks, from the first again without them."""

from collections import deque
from dataclasses import dataclass, field

from common.events import Ack, Envelope
from common.wire import MAX_BATCH_EVENTS
from edge_agent.adapters.outbox import Outbox

WINDOW = 500
PATIENCE_S = 8.0
MOST_PATIENCE_S = 60.0


@dataclass
class Drain:
    """The state of sending over one kind of link. `now` is monotonic seconds. For one thread."""

    outbox: Outbox
    cursor: int = 0
    epoch: str = ""
    in_flight: deque[tuple[int, int]] = field(default_factory=deque)  # last number and count of each envelope
    waiting_since: float = 0.0
    timeouts: int = 0

    def rewind(self) -> None:
        """Begin again with the first event that is held."""
        self.cursor, self.epoch = 0, self.outbox.epoch
        self.in_flight.clear()

    def next(self, now: float) -> Envelope | None:
        """Return what to send now; None when all is sent, or when it is time to wait for an ack."""
        if self.epoch != self.outbox.epoch:
            self.rewind()
        if self.in_flight and now - self.waiting_since > self.patience_s:
            self.timeouts += 1
            self.rewind()
        room = WINDOW - sum(count for _, count in self.in_flight)
        envelope = self.outbox.batch(self.cursor, most=min(room, MAX_BATCH_EVENTS)) if room > 0 else None
        if envelope is None:
            return None
        if not self.in_flight:
            self.waiting_since = now
        self.cursor = envelope.events[-1].seq
        self.in_flight.append((self.cursor, len(envelope.events)))
        return envelope

    @property
    def patience_s(self) -> float:
        """How long to wait for an ack: doubling, so that a slow server is not buried in repetitions."""
        return min(PATIENCE_S * 2.0 ** min(self.timeouts, 6), MOST_PATIENCE_S)

    def acknowledge(self, ack: Ack, now: float) -> None:
        """Forget what the server has."""
        if self.outbox.acknowledge(ack):
            self.timeouts, self.waiting_since = 0, now
        while ack.epoch == self.epoch and self.in_flight and self.in_flight[0][0] <= ack.seq:
            self.in_flight.popleft()
