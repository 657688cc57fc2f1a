"""When a track is worth telling about: once when it is settled, now and then while it stays, when it ends."""

from dataclasses import dataclass

from common.events import EventKind
from common.ids import CameraId, EmployeeId
from edge_agent.core.consensus import Standing, Verdict
from edge_agent.core.liveness import Liveness


@dataclass(frozen=True, slots=True, kw_only=True)
class DueEvent:
    """Everything of a RecognitionEvent that vision knows; the outbox adds the rest."""

    kind: EventKind
    camera_id: CameraId
    track_id: str
    ts: int  # ms UTC
    last_seen: int  # ms UTC, at most ts
    mono: int  # ms
    first_seen: int  # ms UTC: when the track began, before anybody knew who it is
    employee_id: EmployeeId | None = None
    sim_score: float | None = None
    threshold: float | None = None
    margin: float | None = None
    frames: int = 0
    quality: float | None = None
    liveness: Liveness | None = None  # None: not judged


@dataclass(frozen=True, slots=True, kw_only=True)
class Announced:
    """What was last told of a track; `kind` is None before the first event."""

    kind: EventKind | None = None
    verdict: Verdict | None = None
    at_ms: int = 0  # monotonic


def due_kind(verdict: Verdict, announced: Announced, at_ms: int, still_every_s: float) -> EventKind | None:
    """Return what is to be told now of a track in view, if anything.

    An unknown is told once. Somebody who was unknown and is recognised later is `seen` then.
    """
    told = announced.verdict
    if verdict.standing is Standing.UNKNOWN:
        return EventKind.UNKNOWN if told is None else None
    if verdict.standing is not Standing.CONFIRMED:
        return None
    if told is None or told.employee_id != verdict.employee_id:
        return EventKind.SEEN
    return EventKind.STILL if at_ms - announced.at_ms >= still_every_s * 1000 else None
