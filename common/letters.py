"""Messages with their topics in one body, for the road beside MQTT."""

import json
from collections.abc import Iterable

from common.wire import MalformedMessage

Letter = tuple[str, bytes]  # an MQTT topic, and the message that would stand on it


def bundle(letters: Iterable[Letter]) -> bytes:
    """Return the body that carries the letters, in order."""
    parts = (b'{"topic":%s,"message":%s}' % (json.dumps(topic).encode(), body) for topic, body in letters)
    return b'{"v":1,"letters":[' + b",".join(parts) + b"]}"


def unbundle(body: bytes) -> list[Letter]:
    """Return the letters of a body. Raises MalformedMessage."""
    try:
        read = json.loads(body)
        if read["v"] != 1:
            raise MalformedMessage(f"version {read['v']!r} is not 1")
        return [(str(each["topic"]), json.dumps(each["message"]).encode()) for each in read["letters"]]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedMessage(f"not a bundle of letters: {error!r}") from error
