"""From what the cameras saw to events in the spool: one thread, one transaction for what comes together."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from common.events import Clock, EventKind, RecognitionEvent
from common.ids import CameraId
from edge_agent.adapters.evidence import Evidence
from edge_agent.adapters.machine import boot_id, clock_now
from edge_agent.adapters.outbox import Outbox, OutboxError
from edge_agent.core.pulse import Pulse
from edge_agent.core.resighting import DueEvent
from edge_agent.pipeline import Sighted

log = logging.getLogger("hadir.recorder")

IDLE_ROUND_S = 5.0
LONGEST_ROUND_S = 90.0  # a commit on a worn card, behind others
GROUP_S = 0.1  # what comes within this time shares a commit
RETRY_S = 2.0
MOST_WAITING = 10_000
RECENT = 30


class Recorder:
    """`put` is for camera threads. While the disk is full, events wait in memory, the oldest go first."""

    def __init__(
        self, outbox: Outbox, evidence: Evidence | None, *, model_id: str, gallery_gen: Callable[[], int]
    ) -> None:
        self._outbox, self._evidence = outbox, evidence
        self._model_id, self._gallery_gen = model_id, gallery_gen
        self._waiting: deque[Sighted] = deque()
        self._drafts: list[RecognitionEvent] = []  # taken from waiting, not stored yet
        self._ready = threading.Condition()
        self._given_up: RecognitionEvent | None = None  # a gap that tells of events that had no room here
        self._stopping, self._trouble = False, ""
        self._moved_s = time.monotonic()
        self._recent: deque[RecognitionEvent] = deque(maxlen=RECENT)
        self._last_known: dict[str, RecognitionEvent] = {}  # by camera
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def pulse(self) -> Pulse:
        return Pulse("the recorder", self._moved_s, LONGEST_ROUND_S)

    def recent(self) -> list[RecognitionEvent]:
        """Return the last events that were stored, the oldest first."""
        with self._ready:
            return list(self._recent)

    def last_known(self) -> dict[str, RecognitionEvent]:
        """Return, by camera, the last event since the start in which somebody was recognised."""
        with self._ready:
            return dict(self._last_known)

    def put(self, sighted: list[Sighted]) -> None:
        if sighted:
            with self._ready:
                self._waiting.extend(sighted)
                self._ready.notify()

    def in_hand(self) -> list[int]:
        """Return the instants, ms by the steady clock, of what is not in the spool yet."""
        with self._ready:
            return [*(each.event.mono for each in self._waiting), *(draft.mono for draft in self._drafts)]

    def stop(self) -> None:
        """Store what is waiting and end."""
        with self._ready:
            self._stopping = True
            self._ready.notify()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        while True:
            self._moved_s = time.monotonic()
            with self._ready:
                self._ready.wait_for(lambda: self._waiting or self._drafts or self._stopping, IDLE_ROUND_S)
                if not self._waiting and not self._drafts:
                    if self._stopping:
                        return
                    continue
            if not self._stopping:
                time.sleep(GROUP_S)
            try:
                self._store()
                self._trouble_is("")
            except OutboxError as error:
                self._trouble_is(str(error))
                if self._stopping:
                    return
                time.sleep(RETRY_S)

    def _trouble_is(self, words: str) -> None:
        """Say once that events cannot be stored, and once that they can again."""
        if words and words != self._trouble:
            log.error("%s; %d events wait in memory", words, len(self._drafts))
        elif self._trouble and not words:
            log.info("events are stored again")
        self._trouble = words

    def _store(self) -> None:
        self._prepare()
        told = [*self._drafts, *([self._given_up] if self._given_up else [])]
        stored = self._outbox.append(told, now=time.time_ns() // 1_000_000)[: len(self._drafts)]
        with self._ready:
            self._drafts, self._given_up = [], None
            self._recent.extend(stored)
            self._last_known |= {each.camera_id: each for each in stored if each.employee_id}
        for event in stored:  # people's comings and goings have no place in a journal that is kept for months
            who = event.employee_id or "unknown"
            log.debug("%s %s at %s (%s)", event.kind.value, who, event.camera_id, _shown(event.sim_score))

    def _prepare(self) -> None:
        """Make drafts of what is waiting. A crop is written once, however often the event must wait."""
        with self._ready:
            group = list(self._waiting)
        clock, gen = clock_now(), self._gallery_gen()
        drafts = []
        for each in group:
            kept = self._evidence.keep(each.crop) if self._evidence and each.crop is not None else None
            drafts.append(_draft(each, clock=clock, model_id=self._model_id, gallery_gen=gen, snapshot=kept))
        with self._ready:
            held = [*self._drafts, *drafts]
            self._given_up = _gap_over(self._given_up, held[:-MOST_WAITING])
            self._drafts = held[-MOST_WAITING:]
            for _ in group:
                self._waiting.popleft()


def _draft(sighted: Sighted, **rest: object) -> RecognitionEvent:
    """Return the event without its number, which the outbox gives."""
    due = sighted.event
    return RecognitionEvent(
        event_id="",
        seq=0,
        camera_id=due.camera_id,
        track_id=due.track_id,
        kind=due.kind,
        ts=due.ts,
        last_seen=due.last_seen,
        employee_id=due.employee_id,
        sim_score=due.sim_score,
        threshold=due.threshold,
        margin=due.margin,
        mono=due.mono,
        boot_id=boot_id(),
        frames=due.frames,
        quality=due.quality,
        extra=_extra(due),
        **rest,  # type: ignore[arg-type]
    )


def _gap_over(gap: RecognitionEvent | None, lost: Sequence[RecognitionEvent]) -> RecognitionEvent | None:
    """Return a gap that tells of lost events too, besides those that gap tells of."""
    if not lost:
        return gap
    told = gap.extra if gap else {"dropped": 0, "from_ts": lost[0].ts, "to_ts": lost[0].ts}
    first = min(told["from_ts"], *(each.ts for each in lost))
    last = max(told["to_ts"], *(each.ts for each in lost))
    extra = {"dropped": told["dropped"] + len(lost), "from_ts": first, "to_ts": last, "reason": "disk full"}
    return RecognitionEvent(
        event_id="", seq=0, camera_id=CameraId("all"), track_id="gap", kind=EventKind.GAP, ts=last,
        last_seen=last, clock=Clock.RTC, extra=extra,
    )  # fmt: skip


def _extra(due: DueEvent) -> dict[str, object]:
    extra: dict[str, object] = {"first_seen": due.first_seen}
    if due.liveness is not None:
        extra["liveness"] = {"score": round(due.liveness.score, 3), "looks": due.liveness.looks}
    if due.zone is not None:
        extra["zone"] = due.zone
    return extra


def _shown(similarity: float | None) -> str:
    return "no similarity" if similarity is None else f"similarity {similarity:.2f}"
