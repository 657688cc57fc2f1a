"""Every message of the wire, as it was and as it is: golden files that both ends must keep understanding.

A file holds {"kind": class, "message": {...}, "expect": {field: value}}; `malformed` ones hold "reason".
To add a field: add a file with it, and leave the old ones alone.
"""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

from common import events, wire

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))
READABLE = [path for path in FILES if not path.stem.startswith("malformed")]
MALFORMED = [path for path in FILES if path.stem.startswith("malformed")]


def load(path: Path) -> tuple[type, dict[str, Any], dict[str, Any]]:
    golden = json.loads(path.read_text(encoding="utf-8"))
    return getattr(events, golden["kind"]), golden["message"], golden


def named(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", READABLE, ids=named)
def test_a_golden_message_is_read(path):
    """What is in the file is what the reader gets, with defaults for what an older sender left out."""
    kind, message, golden = load(path)

    value = wire.decode(kind, json.dumps(message))

    for name, expected in golden["expect"].items():
        assert getattr(value, name) == expected, name


@pytest.mark.parametrize("path", READABLE, ids=named)
def test_what_was_read_is_written_back_whole(path):
    """Nothing of a message is lost on its way through, not even fields of a newer sender."""
    kind, message, _ = load(path)
    value = wire.decode(kind, json.dumps(message))

    again = json.loads(wire.encode(value))

    keeps_unknown = "extra" in {field.name for field in dataclasses.fields(kind)}
    known = message if keeps_unknown else {name: each for name, each in message.items() if name in again}
    assert known.items() <= again.items() or kind is events.Envelope
    assert wire.decode(kind, wire.encode(value)) == value


@pytest.mark.parametrize("path", MALFORMED, ids=named)
def test_a_malformed_message_says_what_is_wrong(path):
    """The reader refuses it with a reason that names the field."""
    kind, message, golden = load(path)

    with pytest.raises(wire.MalformedMessage, match=golden["reason"]):
        wire.decode(kind, json.dumps(message))


def test_every_message_of_the_wire_has_a_golden_file():
    """A new message cannot be added without one."""
    on_the_wire = {"Envelope", "Ack", "AgentState", "Birth", "Heartbeat", "CameraStatus", "Manifest"}
    on_the_wire |= {"Command", "CommandResult", "ServerState", "RecognitionEvent"}

    assert on_the_wire <= {json.loads(path.read_text())["kind"] for path in READABLE}


@pytest.mark.parametrize(
    "payload", [b"", b"\xff\xfe", b"[1]", b"null", b"{", b'{"v":2,"events":[]}', b"[" * 100_000]
)
def test_rubbish_is_malformed_never_another_error(payload):
    """Whatever bytes come, the reader answers with MalformedMessage."""
    with pytest.raises(wire.MalformedMessage):
        wire.decode(events.Envelope, payload)
