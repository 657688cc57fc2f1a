"""The only place that spells an MQTT topic.

Direction stands at level 3, the agent at level 4: one access rule an agent, one subscription for the server.
"""

from dataclasses import dataclass

from common.ids import AgentId, is_slug

MODEL_HEADER = "Hadir-Model"  # of an agent's HTTP requests: the model_id that it recognises with
ROOT = "hadir/1"
SERVER_STATE = f"{ROOT}/srv/state"
EVERYTHING_UP = f"{ROOT}/up/#"


@dataclass(frozen=True, slots=True)
class AgentTopics:
    """The topics of one agent."""

    agent_id: AgentId

    def __post_init__(self) -> None:
        if not is_slug(self.agent_id):
            raise ValueError(f"agent id {self.agent_id!r} is not a slug (a-z, 0-9, '-', at most 32)")

    def _up(self, leaf: str) -> str:
        return f"{ROOT}/up/{self.agent_id}/{leaf}"

    def _down(self, leaf: str) -> str:
        return f"{ROOT}/down/{self.agent_id}/{leaf}"

    @property
    def events(self) -> str:
        return self._up("ev")

    @property
    def state(self) -> str:
        return self._up("state")

    @property
    def birth(self) -> str:
        return self._up("birth")

    @property
    def heartbeat(self) -> str:
        return self._up("hb")

    @property
    def trial(self) -> str:
        """Where an agent may publish to find out whether it may; the server takes no notice."""
        return self._up("trial")

    def camera(self, camera_id: str) -> str:
        return self._up(f"cam/{camera_id}")

    def result(self, command_id: str) -> str:
        return self._up(f"res/{command_id}")

    @property
    def ack(self) -> str:
        return self._down("ack")

    @property
    def manifest(self) -> str:
        return self._down("manifest")

    def command(self, command_id: str) -> str:
        return self._down(f"cmd/{command_id}")

    @property
    def everything_up(self) -> str:
        return self._up("#")

    @property
    def everything_down(self) -> str:
        return self._down("#")


@dataclass(frozen=True, slots=True)
class Address:
    """A topic read back: who, what, and which camera or command."""

    direction: str  # up | down
    agent_id: AgentId
    leaf: str  # ev | state | birth | hb | cam | res | trial | ack | manifest | cmd
    item: str = ""


def parse(topic: str) -> Address | None:
    """Return what topic addresses, or None when it is not an agent's topic."""
    match topic.split("/"):
        case ["hadir", "1", ("up" | "down") as direction, agent, leaf, *rest] if (
            is_slug(agent) and len(rest) < 2
        ):
            return Address(direction, AgentId(agent), leaf, rest[0] if rest else "")
    return None
