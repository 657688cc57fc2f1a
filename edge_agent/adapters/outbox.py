"""The spool: an event that is in it is forgotten only when the server says that it is in its database.

One SQLite file, WAL, synchronous=FULL. A row's number is never used twice within one `epoch`, a random name
made with the file. The event's id is made from both when it is read, the same on every re-send.
"""

import json
import secrets
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common import wire
from common.events import Ack, Clock, Envelope, EventKind, RecognitionEvent
from common.ids import AgentId, CameraId
from edge_agent.adapters.machine import boot_id
from edge_agent.adapters.spool_rows import as_sent, fitting, instant_of
from edge_agent.core.watermark import Instant

ROW_OVERHEAD = 60  # bytes of SQLite around a body, roughly
NUMBERS_LOST = 1000  # at most, with the power, though the disk had promised to keep them
GAP_ROOM = 0.05  # what is dropped beyond the limit, so that dropping is rare
_SCHEMA = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, ts INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS event_ts ON event (ts);
CREATE TABLE IF NOT EXISTS snapshot (name TEXT PRIMARY KEY, event_id TEXT NOT NULL, seq INTEGER NOT NULL,
    ts INTEGER NOT NULL) WITHOUT ROWID;
"""


class OutboxError(Exception):
    """The spool cannot be read or written now; what is in it stays there."""


class OutboxDamaged(OutboxError):
    """The spool's file is not a sound database. It has been left as it is."""


class OutboxFull(OutboxError):
    """The disk has no room for another event."""


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    max_bytes: int = 500_000_000
    max_age_ms: int = 30 * 86_400_000


@dataclass(frozen=True, slots=True)
class SpoolState:
    """Counters for birth and heartbeat."""

    depth: int
    oldest_ts: int | None
    dropped: int
    first: Instant | None = None  # of the event with the lowest number


@dataclass(frozen=True, slots=True)
class Batch:
    """Events that go out in one message, which is made of what the spool holds without reading it again."""

    payload: bytes  # an Envelope, as wire.encode would write it
    last: int  # the number of the last event
    count: int

    @property
    def envelope(self) -> Envelope:
        return wire.decode(Envelope, self.payload)


@dataclass(frozen=True, slots=True)
class PendingSnapshot:
    """A crop whose event the server has, and which it does not have itself."""

    name: str
    event_id: str
    ts: int


class Outbox:
    """Thread-safe. Every method raises OutboxError when the database cannot do it."""

    def __init__(self, path: Path, agent_id: AgentId, limits: SpoolLimits | None = None) -> None:
        self.path, self.agent_id, self.limits = path, agent_id, limits or SpoolLimits()
        self._lock = threading.RLock()
        path.parent.mkdir(parents=True, exist_ok=True)
        with _translated(path):
            self._db = _open(path)
            self.epoch = self._meta("epoch") or self._new_epoch()
            self._skip_lost_numbers()
            self._last = self._scalar("SELECT seq FROM sqlite_sequence WHERE name = 'event'") or 0
            self._offered = self._last  # a former process may have sent any of them
            self.acked = int(self._meta("acked") or 0)  # the highest number that the server has had
            self._depth, size = self._db.execute("SELECT count(*), total(length(body)) FROM event").fetchone()
            self._bytes = int(size) + ROW_OVERHEAD * self._depth

    # -- filling ---------------------------------------------------------------------------------------------

    def append(self, drafts: Sequence[RecognitionEvent], *, now: int) -> list[RecognitionEvent]:
        """Store events in one transaction; return them with their numbers and ids. now: ms UTC.

        The seq and event_id of a draft are ignored. Makes room first when the spool is at a limit.
        """
        with self._transaction():
            self._make_room(now, drafts[-1] if drafts else None)
            stored = [self._insert(draft) for draft in drafts]
            for event in stored:
                if event.snapshot:
                    self._db.execute(
                        "INSERT OR REPLACE INTO snapshot VALUES (?, ?, ?, ?)",
                        (event.snapshot, event.event_id, event.seq, event.ts),
                    )
        return stored

    def _insert(self, draft: RecognitionEvent) -> RecognitionEvent:
        body = json.loads(wire.encode(draft))
        del body["seq"], body["event_id"]
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        row = self._db.execute(
            "INSERT INTO event (ts, kind, body) VALUES (?, ?, ?)", (draft.ts, draft.kind.value, text)
        )
        self._bytes += len(text) + ROW_OVERHEAD
        self._depth += 1
        self._last = seq = int(row.lastrowid or 0)
        return replace(draft, seq=seq, event_id=self._event_id(seq))

    def _event_id(self, seq: int) -> str:
        return f"{self.agent_id}-{self.epoch}-{seq}"

    # -- giving up, aloud ------------------------------------------------------------------------------------

    def _make_room(self, now: int, newest: RecognitionEvent | None) -> None:
        """Drop what is too old, and what is too much: unknown faces first, then the oldest.

        newest: the last of what is to be stored now; it tells the clocks.
        """
        dropped = self._drop_aged(now, newest) if newest else []
        if self._bytes > self.limits.max_bytes:
            excess = int(self._bytes - self.limits.max_bytes * (1 - GAP_ROOM))
            dropped += self._drop_oldest(excess, "AND kind = 'unknown'")
            excess = int(self._bytes - self.limits.max_bytes * (1 - GAP_ROOM))
            dropped += self._drop_oldest(excess, "")
        if dropped:
            self._tell_gap(dropped, now)

    def _drop_aged(self, now: int, newest: RecognitionEvent) -> list[tuple[int, int]]:
        """Drop what is too old by a clock that can be believed.

        Of this boot that is the steady one: the wall clock may have been set since. Of other boots only the
        wall clock tells, if it is synchronised.
        """
        oldest = self._first("WHERE kind != 'gap'")
        if oldest is None:
            return []
        is_own, is_right = oldest.boot_id == newest.boot_id != "", newest.clock is Clock.NTP
        age_ms = newest.mono - oldest.mono if is_own else now - oldest.ts if is_right else 0
        if age_ms <= self.limits.max_age_ms:
            return []
        most_ms = int(self.limits.max_age_ms * (1 - GAP_ROOM))
        own, own_before, before = (
            newest.boot_id or None,
            newest.mono - most_ms,
            now - most_ms if is_right else 0,
        )
        boot = "CASE WHEN json_valid(body) THEN json_extract(body, '$.boot_id') END"
        return self._drop(
            f"CASE {boot} WHEN ? THEN json_extract(body, '$.mono') < ? ELSE ts < ? END",
            (own, own_before, before),
        )

    def _drop_oldest(self, excess: int, which: str) -> list[tuple[int, int]]:
        chosen: list[int] = []
        rows = self._db.execute(
            f"SELECT seq, length(body) FROM event WHERE kind != 'gap' {which} ORDER BY seq"
        )
        for seq, size in rows:
            if excess <= 0:
                break
            excess -= size + ROW_OVERHEAD
            chosen.append(seq)
        return [each for seq in chosen for each in self._drop("seq = ?", (seq,))]

    def _drop(self, which: str, arguments: tuple[int | str | None, ...]) -> list[tuple[int, int]]:
        rows = self._db.execute(
            f"DELETE FROM event WHERE kind != 'gap' AND {which} RETURNING seq, ts, length(body)", arguments
        ).fetchall()
        self._forget(size for _, _, size in rows)
        return [(seq, ts) for seq, ts, _ in rows]

    def _forget(self, sizes: Iterable[int]) -> None:
        for size in sizes:
            self._bytes -= size + ROW_OVERHEAD
            self._depth -= 1

    def _tell_gap(self, dropped: list[tuple[int, int]], now: int) -> None:
        """Say in the record itself that events are missing: how many, and between which instants."""
        self._set_meta("dropped", str(int(self._meta("dropped") or 0) + len(dropped)))
        count, first, last = len(dropped), min(ts for _, ts in dropped), max(ts for _, ts in dropped)
        for earlier in self._take_unsent_gaps():
            count += earlier.extra["dropped"]
            first, last = min(first, earlier.extra["from_ts"]), max(last, earlier.extra["to_ts"])
        extra = {"dropped": count, "from_ts": first, "to_ts": last, "reason": "spool full"}
        gap = RecognitionEvent(
            event_id="", seq=0, camera_id=CameraId("all"), track_id="gap", kind=EventKind.GAP,
            ts=max(now, last), last_seen=last, clock=Clock.RTC, extra=extra,
        )  # fmt: skip
        self._insert(gap)

    def _take_unsent_gaps(self) -> list[RecognitionEvent]:
        """Remove and return the gaps that nobody has been told of yet, so that they do not pile up."""
        rows = self._db.execute(
            "DELETE FROM event WHERE kind = 'gap' AND seq > ? RETURNING seq, body", (self._offered,)
        ).fetchall()
        self._forget(len(body) for _, body in rows)
        return [self._read(seq, body) for seq, body in rows]

    # -- draining --------------------------------------------------------------------------------------------

    def batch(
        self, after: int, *, up_to: int | None = None, most: int = wire.MAX_BATCH_EVENTS
    ) -> Batch | None:
        """Return the next events with numbers above `after`, as many as one message takes; None: no more.

        up_to: the highest number wanted.
        """
        with self._lock, _translated(self.path):
            rows = self._db.execute(
                "SELECT seq, body FROM event WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
                (after, self._last if up_to is None else up_to, most),
            ).fetchall()
            if not rows:
                return None
            events = fitting(as_sent(self._event_id(seq), seq, body) for seq, body in rows)
            last = rows[len(events) - 1][0]
            self._offered = max(self._offered, last)
            first = self._scalar("SELECT min(seq) FROM event")
            before = self._scalar("SELECT max(seq) FROM event WHERE seq <= ?", (after,))
            frame = wire.encode(
                Envelope(
                    epoch=self.epoch,
                    first=first,
                    prev=first - 1 if before is None else before,
                    events=(),
                )
            )
            return Batch(frame.replace(b"[]", b"[" + b",".join(events) + b"]", 1), last, len(events))

    def _read(self, seq: int, body: str) -> RecognitionEvent:
        fields = json.loads(body) | {"seq": seq, "event_id": self._event_id(seq)}
        return wire.decode(RecognitionEvent, json.dumps(fields))

    def acknowledge(self, ack: Ack) -> int:
        """Forget what the server has; return how many rows that were. An ack of another epoch does nothing.

        An ack beyond our last number means that this file is an old copy of a spool: its numbers have been
        used before. A new epoch begins, so that no event is taken for one of those.
        """
        with self._transaction():
            if ack.epoch != self.epoch:
                return 0
            if ack.seq > self.last_seq():
                self._new_epoch()
                return 0
            rows = self._db.execute(
                "DELETE FROM event WHERE seq <= ? RETURNING length(body)", (ack.seq,)
            ).fetchall()
            self._forget(size for (size,) in rows)
            self.acked = max(self.acked, ack.seq)
            self._set_meta("acked", str(self.acked))
        return len(rows)

    # -- what is in it ---------------------------------------------------------------------------------------

    def last_seq(self) -> int:
        """Return the highest number ever given in this file."""
        return self._last

    @property
    def depth(self) -> int:
        """How many events are held; asks no disk, so that it can always be told."""
        return self._depth

    def state(self) -> SpoolState:
        with self._lock, _translated(self.path):
            oldest = self._scalar("SELECT min(ts) FROM event")
            return SpoolState(self._depth, oldest, int(self._meta("dropped") or 0), self._first())

    def _first(self, which: str = "") -> Instant | None:
        """Return when the event with the lowest number was."""
        row = self._db.execute(f"SELECT ts, body FROM event {which} ORDER BY seq LIMIT 1").fetchone()
        return None if row is None else instant_of(*row)

    def snapshots_to_send(self, most: int = 20) -> list[PendingSnapshot]:
        """Return crops whose events the server has acknowledged, oldest first."""
        with self._lock, _translated(self.path):
            rows = self._db.execute(
                "SELECT name, event_id, ts FROM snapshot WHERE seq <= ? ORDER BY ts LIMIT ?",
                (self.acked, most),
            ).fetchall()
        return [PendingSnapshot(*row) for row in rows]

    def forget_snapshots(self, names: Iterable[str]) -> None:
        with self._transaction():
            self._db.executemany("DELETE FROM snapshot WHERE name = ?", [(name,) for name in names])

    def close(self) -> None:
        with self._lock, _translated(self.path):
            self._db.close()

    # -- SQLite ----------------------------------------------------------------------------------------------

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, _translated(self.path):
            counted = self._bytes, self._depth, self._last, self.acked, self.epoch
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                self._bytes, self._depth, self._last, self.acked, self.epoch = counted
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _scalar(self, question: str, arguments: tuple[Any, ...] = ()) -> Any:
        row = self._db.execute(question, arguments).fetchone()
        return row[0] if row else None

    def _meta(self, name: str) -> str | None:
        return self._scalar("SELECT value FROM meta WHERE name = ?", (name,))

    def _set_meta(self, name: str, value: str) -> None:
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def _skip_lost_numbers(self) -> None:
        """Leave out some numbers after each start of the machine: not every disk keeps what it promised.

        An event with the number of one that the server has would be taken for that one, and lost.
        """
        before = self._meta("boot")
        if before == boot_id():
            return
        if before is not None:
            skip = "UPDATE sqlite_sequence SET seq = seq + ? WHERE name = 'event'"
            self._db.execute(skip, (NUMBERS_LOST,))
        self._set_meta("boot", boot_id())

    def _new_epoch(self) -> str:
        self.epoch = secrets.token_hex(4)
        self._set_meta("epoch", self.epoch)
        return self.epoch


def _open(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600, exist_ok=True)
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON", "wal_autocheckpoint=500"):
        db.execute(f"PRAGMA {pragma}")
    verdict = db.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
    db.executescript(_SCHEMA)
    return db


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL:
            raise OutboxFull(f"no room for {path}: {error}") from error
        raise OutboxError(f"{path} cannot be used now: {error}") from error
    except sqlite3.DatabaseError as error:
        raise OutboxDamaged(f"{path} is damaged ({error}); it has been left as it is") from error
