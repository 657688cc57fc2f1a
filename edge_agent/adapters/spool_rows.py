"""What the rows of the spool say. A worn disk may have damaged one: the others go out."""

import json
from collections.abc import Iterable
from typing import Any

from common import wire
from common.events import Clock
from edge_agent.core.watermark import Instant

ENVELOPE_OVERHEAD = 200  # bytes around the events of a message


def as_sent(event_id: str, seq: int, body: str) -> bytes:
    """Return an event as it goes out. A damaged one keeps its number, for the server to set it aside."""
    said = f'"event_id":"{event_id}","seq":{seq}'
    if not _fields(body):
        return f'{{{said},"damaged":true}}'.encode()
    return f"{{{said},{body[1:]}".encode()


def instant_of(ts: int, body: str) -> Instant:
    """Return when an event was; one that is damaged has no clock that could be believed."""
    fields = _fields(body)
    try:
        clock = Clock(fields.get("clock", Clock.RTC.value))
        return Instant(ts, int(fields.get("mono", 0)), str(fields.get("boot_id", "")), clock)
    except (ValueError, TypeError):
        return Instant(ts, 0, "", Clock.BAD)


def fitting(events: Iterable[bytes]) -> list[bytes]:
    """Return as many of events, one at least, as fit into one message."""
    chosen, room = [], wire.MAX_MESSAGE_BYTES - ENVELOPE_OVERHEAD
    for event in events:
        room -= len(event) + 1
        if chosen and room < 0:
            break
        chosen.append(event)
    return chosen


def _fields(body: str) -> dict[str, Any]:
    """Return the event's fields; none when they cannot be read."""
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}
