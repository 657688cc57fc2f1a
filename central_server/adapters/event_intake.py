"""An envelope read event by event, so that one that cannot be read never takes its siblings with it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from central_server.adapters.health_intake import LATEST_MS, is_storable
from common import wire
from common.events import Envelope, RecognitionEvent
from common.ids import is_employee_id, is_slug

MOST_SEQ = 2**31 - 1
MOST_EPOCH = 32


@dataclass(frozen=True, slots=True)
class BadEvent:
    seq: int | None  # its number, as far as it can be told
    reason: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Intake:
    """The readable part of an envelope, and the rest."""

    envelope: Envelope
    bad: tuple[BadEvent, ...]

    @property
    def parked(self) -> Mapping[int, str]:
        """The numbers of unreadable events, with the reason."""
        return {each.seq: each.reason for each in self.bad if each.seq is not None}


def read_envelope(payload: bytes) -> Intake:
    """Return what can be read of payload. Raises MalformedMessage when nothing can."""
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise wire.MalformedMessage(f"not JSON: {error}") from error
    if not isinstance(body, dict) or not isinstance(body.get("events"), list):
        raise wire.MalformedMessage("not an envelope: an object with a list of events is expected")
    frame = _sane_frame(wire.decode(Envelope, json.dumps(body | {"events": []})))  # checks the version too
    good: list[RecognitionEvent] = []
    bad: list[BadEvent] = []
    number = (frame.first if frame.prev is None else frame.prev + 1) - 1
    for raw in body["events"]:
        number = _number_of(raw, number + 1)
        try:
            good.append(_sane(_event(raw)))
        except wire.MalformedMessage as error:
            bad.append(BadEvent(number, str(error), json.dumps(raw).encode()))
    envelope = Envelope(epoch=frame.epoch, first=frame.first, prev=frame.prev, events=tuple(good))
    return Intake(envelope, tuple(bad))


def _sane_frame(frame: Envelope) -> Envelope:
    """Return the envelope if its place can be kept. Raises MalformedMessage.

    What goes wrong with an event is noted in that place; so when the place itself is wrong, all that is left
    is to park the whole.
    """
    wrong = [] if 0 < len(frame.epoch) <= MOST_EPOCH else ["epoch"]
    if not 0 < frame.first <= MOST_SEQ + 1:
        wrong.append("first")
    if frame.prev is not None and not 0 <= frame.prev <= MOST_SEQ:
        wrong.append("prev")
    if wrong:
        raise wire.MalformedMessage(f"out of range: {', '.join(wrong)}")
    return frame


def _event(raw: Any) -> RecognitionEvent:
    if not isinstance(raw, dict):
        raise wire.MalformedMessage(f"expected an object, got {type(raw).__name__}")
    return wire.read(RecognitionEvent, raw)


def _sane(event: RecognitionEvent) -> RecognitionEvent:
    """Return event if a database can hold it. Raises MalformedMessage."""
    texts = {"event_id": 120, "track_id": 64, "model_id": 120, "snapshot": 120}
    wrong = [name for name, most in texts.items() if len(getattr(event, name) or "") > most]
    if not 0 < event.seq <= MOST_SEQ:
        wrong.append("seq")
    if not 0 <= event.last_seen <= event.ts <= LATEST_MS:
        wrong.append("ts")
    if not is_slug(event.camera_id):
        wrong.append("camera_id")
    if event.employee_id is not None and not is_employee_id(event.employee_id):
        wrong.append("employee_id")
    if not 0 <= event.frames <= MOST_SEQ or not 0 <= event.gallery_gen <= MOST_SEQ:
        wrong.append("frames or gallery_gen")
    if event.extra and not is_storable(event.extra):
        wrong.append(", ".join(event.extra)[:100])
    if wrong:
        raise wire.MalformedMessage(f"out of range: {', '.join(wrong)}")
    return event


def _number_of(raw: Any, expected: int) -> int:
    """Return the event's own number, or the one after its predecessor's when it cannot be read."""
    seq = raw.get("seq") if isinstance(raw, dict) else None
    believable = isinstance(seq, int) and not isinstance(seq, bool) and expected <= seq <= MOST_SEQ
    return seq if believable else expected
