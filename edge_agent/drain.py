"""Which events go out next: in order, not too far ahead of the acks, from the first again without them.

After a long outage there is a backlog. Nobody who is seen now shall wait until it is sent: what is new goes
ahead of it, on a lane of its own. The server keeps such events and acknowledges them when the numbers before
them have come too.
"""

from collections import deque
from dataclasses import dataclass, field

from common.events import Ack
from common.wire import MAX_BATCH_EVENTS
from edge_agent.adapters.outbox import Batch, Outbox

WINDOW = 500  # events sent and not acknowledged
BACKLOG = 1000  # more than this not yet sent, and what is new goes ahead
PATIENCE_S = 8.0
MOST_PATIENCE_S = 60.0


@dataclass
class Drain:
    """The state of sending over one kind of link. `now` is monotonic seconds. For one thread."""

    outbox: Outbox
    cursor: int = 0  # the last number sent, of the backlog if there is one
    epoch: str = ""
    in_flight: deque[tuple[int, int]] = field(default_factory=deque)  # last number and count of each batch
    waiting_since: float = 0.0
    timeouts: int = 0
    floor: int | None = None  # the last number of the backlog; None: there is none
    ahead: int = 0  # the last number sent ahead of the backlog
    ahead_count: int = 0  # sent so since the server last acknowledged anything

    def rewind(self) -> None:
        """Begin again with the first event that is held."""
        self.cursor, self.epoch = 0, self.outbox.epoch
        self.in_flight.clear()
        self.floor, self.ahead_count = None, 0

    def next(self, now: float) -> Batch | None:
        """Return what to send now; None when all is sent, or when it is time to wait for an ack."""
        if self.epoch != self.outbox.epoch:
            self.rewind()
        if self.in_flight and now - self.waiting_since > self.patience_s:
            self.timeouts += 1
            self.rewind()
        self._choose_lanes()
        return self._newest() or self._in_order(now)

    def _choose_lanes(self) -> None:
        """Part what is new from a backlog that has become long, and join the two when that is sent."""
        last = self.outbox.last_seq()
        if self.floor is None and last - max(self.cursor, self.outbox.acked) > BACKLOG:
            self.floor = self.ahead = last
            self.ahead_count = 0
        elif self.floor is not None and max(self.cursor, self.outbox.acked) >= self.floor:
            if self.ahead > self.floor:
                self.cursor = self.ahead
                self.in_flight.append((self.ahead, 1))
            self.floor = None

    def _newest(self) -> Batch | None:
        if self.floor is None or self.ahead_count >= WINDOW:
            return None
        batch = self.outbox.batch(self.ahead)
        if batch is not None:
            self.ahead, self.ahead_count = batch.last, self.ahead_count + batch.count
        return batch

    def _in_order(self, now: float) -> Batch | None:
        room = WINDOW - sum(count for _, count in self.in_flight)
        if room <= 0:
            return None
        batch = self.outbox.batch(self.cursor, up_to=self.floor, most=min(room, MAX_BATCH_EVENTS))
        if batch is None:
            return None
        if not self.in_flight:
            self.waiting_since = now
        self.cursor = batch.last
        self.in_flight.append((batch.last, batch.count))
        return batch

    @property
    def patience_s(self) -> float:
        """How long to wait for an ack: doubling, so that a slow server is not buried in repetitions."""
        return min(PATIENCE_S * 2.0 ** min(self.timeouts, 6), MOST_PATIENCE_S)

    def acknowledge(self, ack: Ack, now: float) -> None:
        """Forget what the server has."""
        if self.outbox.acknowledge(ack):
            self.timeouts, self.waiting_since, self.ahead_count = 0, now, 0
        while ack.epoch == self.epoch and self.in_flight and self.in_flight[0][0] <= ack.seq:
            self.in_flight.popleft()
