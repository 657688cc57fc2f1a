"""The secrets that this box has made for itself, kept from before it first tells of them until it has joined.

A join whose answer was lost is repeated with the same ones, also after a power cut in between.
"""

import contextlib
import hashlib
import json
import secrets
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from edge_agent.adapters.identity_file import write_private

LIFE_S = 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """256 random bits each, as 64 hex digits."""

    server: str  # for whom they were made, and under which CA: nobody else hears of them
    at: float
    token: str = field(repr=False)
    broker_password: str = field(repr=False)
    manifest_key: str = field(repr=False)
    nonce: str

    @property
    def token_hash(self) -> str:
        return hashlib.sha256(self.token.encode()).hexdigest()


def made_for(path: Path, server: str) -> Made:
    """Return the secrets for server: those of the last try, else new ones, on the disk. Raises OSError."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        kept = Made(**json.loads(path.read_text(encoding="utf-8")))
        if kept.server == server and 0 <= time.time() - kept.at < LIFE_S:
            return kept
    token, password, key, nonce = (secrets.token_hex(32) for _ in range(4))
    made = Made(
        server=server, at=time.time(), token=token, broker_password=password, manifest_key=key, nonce=nonce
    )
    write_private(path, json.dumps(asdict(made)).encode())
    return made


def forget(path: Path) -> None:
    """Throw the secrets away: they are in the identity now, or were refused."""
    with contextlib.suppress(OSError):
        path.unlink()
