"""How it stands with what the dashboard wants of an agent and what the agent says that it does."""

from dataclasses import dataclass
from enum import StrEnum


class ConfigState(StrEnum):
    LOCAL = "local"  # the box's own file counts
    NO_SAY = "no_say"  # the box's file refuses the dashboard
    WAITING = "waiting"  # the agent has not tried it yet
    TRYING = "trying"
    APPLIED = "applied"
    REFUSED = "refused"  # the agent cannot use it
    ROLLED_BACK = "rolled_back"
    AHEAD = "ahead"  # the agent has tried a later one than we know of: our database was restored


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFacts:
    wanted: int  # 0: the dashboard configures nothing
    applied: int
    tried: int
    origin: str  # common.events.ConfigOrigin
    stage: str = ""  # of the agent's trial


def config_state(facts: ConfigFacts) -> ConfigState:
    """Return the one thing to say about an agent's configuration."""
    if facts.origin == "refused":
        return ConfigState.NO_SAY
    if facts.tried > facts.wanted:
        return ConfigState.AHEAD
    if facts.wanted == 0:
        return ConfigState.LOCAL
    if facts.tried < facts.wanted:
        return ConfigState.WAITING
    if facts.applied == facts.wanted:
        return ConfigState.TRYING if facts.stage == "trying" else _of_applied(facts)
    return ConfigState.ROLLED_BACK if facts.origin == "rolled_back" else ConfigState.REFUSED


def _of_applied(facts: ConfigFacts) -> ConfigState:
    return ConfigState.LOCAL if facts.origin == "local" else ConfigState.APPLIED
