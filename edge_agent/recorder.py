"""From what the cameras saw to events in the spool: one thread, one transaction for what comes together."""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from common.events import RecognitionEvent
from edge_agent.adapters.evidence import Evidence
from edge_agent.adapters.machine import boot_id, clock_now
from edge_agent.adapters.outbox import Outbox, OutboxError
from edge_agent.core.resighting import DueEvent
from edge_agent.pipeline import Sighted

log = logging.getLogger("hadir.recorder")

GROUP_S = 0.1  # what comes within this time shares a commit
RETRY_S = 2.0
MOST_WAITING = 10_000


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
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def put(self, sighted: list[Sighted]) -> None:
        if sighted:
            with self._ready:
                self._waiting.extend(sighted)
                self._ready.notify()

    def in_hand(self) -> list[int]:
        """Return the instants, ms UTC, of what is not in the spool yet."""
        with self._ready:
            return [*(each.event.ts for each in self._waiting), *(draft.ts for draft in self._drafts)]

    def stop(self) -> None:
        """Store what is waiting and end."""
        with self._ready:
            self._stopping = True
            self._ready.notify()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        while True:
            with self._ready:
                self._ready.wait_for(lambda: self._waiting or self._drafts or self._stopping)
                if not self._waiting and not self._drafts:
                    return
            if not self._stopping:
                time.sleep(GROUP_S)
            try:
                self._store()
            except OutboxError as error:
                log.error("%s; %d events wait in memory", error, len(self._drafts))
                if self._stopping:
                    return
                time.sleep(RETRY_S)

    def _store(self) -> None:
        self._prepare()
        stored = self._outbox.append(self._drafts, now=time.time_ns() // 1_000_000)
        with self._ready:
            self._drafts = []
        for event in stored:
            who = event.employee_id or "unknown"
            log.info("%s %s at %s (%s)", event.kind.value, who, event.camera_id, _shown(event.sim_score))

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
            self._drafts = [*self._drafts, *drafts][-MOST_WAITING:]
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


def _extra(due: DueEvent) -> dict[str, object]:
    extra: dict[str, object] = {"first_seen": due.first_seen}
    if due.liveness is not None:
        extra["liveness"] = {"score": round(due.liveness.score, 3), "looks": due.liveness.looks}
    if due.zone is not None:
        extra["zone"] = due.zone
    return extra


def _shown(similarity: float | None) -> str:
    return "no similarity" if similarity is None else f"similarity {similarity:.2f}"
