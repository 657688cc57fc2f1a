"""What the dashboard configured, on the agent's disk, for its owner only: cameras' passwords are in it.

Written whole or not at all, and before it is applied: whatever happens in between, the agent knows at the
next start what it was trying, and what worked before.
"""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from common.events import ConfigError
from edge_agent.adapters.identity_file import Identity, write_private
from edge_agent.core.config_change import Document, Held, Stage

log = logging.getLogger("hadir.config")


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The file at path. `owner` is the agent and server that it is for: another's is not taken up."""

    path: Path
    owner: str

    def load(self) -> Held:
        """Return what was kept; nothing when there is nothing for this owner, or when it cannot be read."""
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
            if kept["owner"] != self.owner:
                log.warning("%s was for %s and is not used", self.path.name, kept["owner"])
                return Held()
            return _held(kept["held"])
        except FileNotFoundError:
            return Held()
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.error("%s cannot be read (%r): the configuration is fetched anew", self.path, error)
            return Held()

    def save(self, held: Held) -> None:
        """Keep held; it is on the disk when this returns. Raises OSError."""
        write_private(self.path, json.dumps({"owner": self.owner, "held": asdict(held)}).encode())


def owner_of(identity: Identity) -> str:
    return f"{identity.agent_id} at {identity.server_url}"


def _held(kept: dict[str, Any]) -> Held:
    def document(name: str) -> Document | None:
        found = kept[name]
        return None if found is None else Document(gen=int(found["gen"]), text=str(found["text"]))

    return Held(
        tried=int(kept["tried"]),
        stage=Stage(kept["stage"]),
        newest=document("newest"),
        good=document("good"),
        worked=tuple(str(each) for each in kept["worked"]),
        starts=int(kept["starts"]),
        errors=tuple(ConfigError(key=str(each["key"]), words=str(each["words"])) for each in kept["errors"]),
    )
