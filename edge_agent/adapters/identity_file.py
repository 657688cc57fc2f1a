"""Who this agent is, as the server said when it joined: secrets, so only its owner may read the file."""

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from common.ids import AgentId, is_slug


class IdentityError(Exception):
    """There is no identity, or it cannot be read; says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerAccess:
    host: str
    port: int
    username: str
    password: str = field(repr=False)
    protocol: str = "5"  # 5 | 311
    ca_pem: str = field(default="", repr=False)  # empty: no TLS, for loopback only


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    agent_id: AgentId
    site_id: str
    site_name: str
    server_url: str
    token: str = field(repr=False)
    manifest_key: str = field(repr=False)  # hex
    broker: BrokerAccess
    server_ca_pem: str = field(default="", repr=False)  # the server's own CA; empty: this system's trust

    def secrets(self) -> tuple[str, ...]:
        """Everything that must never be logged."""
        return (self.token, self.manifest_key, self.broker.password)


def identity_from(answer: dict[str, Any], server_url: str) -> Identity:
    """Return the identity in the server's answer to a join. Raises IdentityError."""
    try:
        broker = broker_access(answer["broker"])
        names = ("site_id", "site_name", "token", "manifest_key")
        agent_id = AgentId(answer["agent_id"])
        rest = {name: str(answer[name]) for name in names}
        bytes.fromhex(rest["manifest_key"])
        rest["server_ca_pem"] = str(answer.get("server_ca_pem") or "")
    except (KeyError, TypeError, ValueError) as error:
        raise IdentityError(f"this is not an agent's identity: {error!r}") from error
    if not is_slug(agent_id):
        raise IdentityError(f"agent id {agent_id!r} is not a slug")
    return Identity(agent_id=agent_id, server_url=server_url, broker=broker, **rest)


def broker_access(answer: Mapping[str, Any]) -> BrokerAccess:
    """Return the way to the broker that the server told of. Raises IdentityError."""
    try:
        return BrokerAccess(**{name: answer[name] for name in BrokerAccess.__slots__})
    except (KeyError, TypeError) as error:
        raise IdentityError(f"this is not a way to a broker: {error!r}") from error


def save_identity(path: Path, identity: Identity) -> None:
    """Write the identity in one piece, readable by its owner only."""
    write_private(path, json.dumps(asdict(identity), indent=2).encode())


def load_identity(path: Path) -> Identity:
    """Return the identity. Raises IdentityError, in words, when this machine has not joined."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return identity_from(kept, str(kept["server_url"]))
    except FileNotFoundError as error:
        raise IdentityError(
            "This machine has not joined a server yet: run `hadir agent join https://server/CODE` first."
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IdentityError(f"{path} cannot be read ({error}); join again") from error


def write_private(path: Path, content: bytes) -> None:
    """Replace the file at path by content: whole or not at all, on the disk when this returns, mode 0600.

    What root writes belongs to the owner of the folder: the agent itself need not be root. So the draft is
    always a new file: else that owner could lay a link to any file there, and root would give it away.
    """
    private_folder(path.parent)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
        _give_to_owner(file.fileno(), path.parent)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter; one that is there already stays as it is."""
    if folder.is_dir():
        return
    private_folder(folder.parent)
    folder.mkdir(mode=0o700, exist_ok=True)
    _give_to_owner(folder, folder.parent)


def shut(folder: Path) -> None:
    """Take everybody else's rights on the agent's own folder away. Raises OSError.

    Nobody else's folder: not a shared one (sticky), nor the user's whole home.
    """
    private_folder(folder)
    found = folder.stat()
    is_ours = os.geteuid() in (0, found.st_uid)
    is_shared = found.st_mode & stat.S_ISVTX or folder.resolve() in (Path("/"), Path.home())
    if is_ours and not is_shared and found.st_mode & 0o077:
        folder.chmod(0o700)


def _give_to_owner(what: int | Path, folder: Path) -> None:
    if os.geteuid() == 0 and (owner := folder.stat()).st_uid != 0:
        os.chown(what, owner.st_uid, owner.st_gid)
