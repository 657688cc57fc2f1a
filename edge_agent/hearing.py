"""What an agent says and hears on any road: what its parts answer, and what is done with what comes down."""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from common import topics, wire
from common.events import Ack, Birth, CameraStatus, Command, Heartbeat, Manifest
from edge_agent.adapters.outbox import OutboxError
from edge_agent.drain import Drain

log = logging.getLogger("hadir.link")


@dataclass(frozen=True, slots=True)
class AgentVoice:
    """What a road asks of the agent, on the road's thread: none of these may block for long."""

    birth: Callable[[str], Birth]  # given the session id
    heartbeat: Callable[[str], Heartbeat]
    cameras: Callable[[], Sequence[CameraStatus]]
    on_manifest: Callable[[Manifest], None]
    on_command: Callable[[Command], None]


@dataclass
class Told:
    """Which state of each camera the server has been told on this connection."""

    states: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    def changed(self, cameras: Iterable[CameraStatus]) -> Iterator[CameraStatus]:
        """Yield what the server does not know yet."""
        for status in cameras:
            shown = (status.state, status.reason)
            if self.states.get(status.camera_id) != shown:
                self.states[status.camera_id] = shown
                yield status

    def forget(self) -> None:
        self.states.clear()


def hear(
    topic: str, payload: bytes, mine: topics.AgentTopics, voice: AgentVoice, drain: Drain, now: float
) -> None:
    """Do what a message to this agent asks; one that cannot be read is logged. now: monotonic seconds."""
    try:
        if topic == mine.ack:
            drain.acknowledge(wire.decode(Ack, payload), now)
        elif topic == mine.manifest and payload:
            voice.on_manifest(wire.decode(Manifest, payload))
        elif (address := topics.parse(topic)) and address.leaf == "cmd":
            voice.on_command(wire.decode(Command, payload))
    except wire.MalformedMessage as error:
        log.warning("a message on %s cannot be read: %s", topic, error)
    except OutboxError:
        raise
    except Exception:  # it comes again with each connection, and none would get so far as to send an event
        log.exception("what a message on %s asks for could not be done", topic)
