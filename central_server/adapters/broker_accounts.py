"""The embedded broker's accounts: mosquitto's own password file and access rules, one account an agent.

Both brokers that we start read the same files. They are replaced whole, mode 0600, and the broker is told. It
then ends the sessions of those whose account is gone.
"""

import base64
import fcntl
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from central_server.config import BrokerConfig
from central_server.ports import AccountsError
from common import topics

ITERATIONS = 101  # mosquitto's default; what agents get are 256 random bits, which nobody guesses
SALT_BYTES = 12


@dataclass(frozen=True, slots=True)
class BrokerAccounts:
    """The two files in one folder; safe for several processes at once."""

    folder: Path

    @property
    def password_file(self) -> Path:
        return self.folder / "passwd"

    @property
    def acl_file(self) -> Path:
        return self.folder / "acl"

    def put(self, username: str, password: str) -> None:
        """Make the account, or give it this password. Nothing is written when it has it already."""
        with self._locked():
            lines = self.read()
            if not is_password(password, lines.get(username, "")):
                self._write(lines | {username: hashed(password)})

    def remove(self, username: str) -> None:
        with self._locked():
            lines = self.read()
            if lines.pop(username, None) is not None:
                self._write(lines)

    def names(self) -> frozenset[str]:
        with self._locked():
            return frozenset(self.read())

    def read(self) -> dict[str, str]:
        """Return the hashes by user name."""
        try:
            text = self.password_file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)

    def write_access_rules(self, server: str) -> None:
        """Write who may use which topics: the server everything, an agent only what carries its name."""
        rules = (
            f"user {server}\ntopic readwrite {topics.ROOT}/#\n\n"
            f"pattern write {topics.ROOT}/up/%u/#\n"
            f"pattern read {topics.ROOT}/down/%u/#\n"
            f"pattern read {topics.SERVER_STATE}\n"
        )
        with self._locked():
            if not self.acl_file.exists() or self.acl_file.read_text() != rules:
                _replace(self.acl_file, rules)

    def server_password(self) -> str:
        """Return the password of the server's own account: made the first time, kept for its owner."""
        kept = self.folder / "server_password"
        with self._locked():
            if not kept.exists():
                _replace(kept, secrets.token_urlsafe(32))
            return kept.read_text().strip()

    def note_protocol(self, protocol: str) -> None:
        """Write down which MQTT the broker that uses these files speaks: 5 or 311."""
        with self._locked():
            _replace(self.folder / "protocol", protocol)

    def _write(self, lines: dict[str, str]) -> None:
        _replace(self.password_file, "".join(f"{name}:{kept}\n" for name, kept in sorted(lines.items())))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self.folder / ".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
        except OSError as error:
            raise AccountsError(
                f"the broker's accounts in {self.folder} cannot be changed ({error.strerror})"
            ) from error


def password_of_server(broker: BrokerConfig) -> str:
    """Return the password with which the server itself connects."""
    if broker.password or broker.accounts_dir is None:
        return broker.password
    return BrokerAccounts(broker.accounts_dir).server_password()


def protocol_of(broker: BrokerConfig) -> str:
    """Return the MQTT version to begin with, 5 or 311: what the embedded broker speaks, else what is set."""
    try:
        noted = (broker.accounts_dir / "protocol").read_text().strip() if broker.accounts_dir else ""
    except OSError:
        noted = ""
    return noted if noted in ("5", "311") else broker.protocol


def may(username: str, server: str, topic: str, *, writes: bool) -> bool:
    """Tell whether a user may write to, or read from, a topic or filter: the rules above, in Python."""
    if username == server:
        return topic.startswith(f"{topics.ROOT}/")
    if not writes and topic == topics.SERVER_STATE:
        return True
    return topic.startswith(f"{topics.ROOT}/{'up' if writes else 'down'}/{username}/")


def hashed(password: str, *, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """Return the hash as mosquitto writes it: $7$, PBKDF2 with SHA-512."""
    salt = salt or secrets.token_bytes(SALT_BYTES)
    key = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)
    return f"$7${iterations}${base64.b64encode(salt).decode()}${base64.b64encode(key).decode()}"


def is_password(password: str, kept: str) -> bool:
    """Tell, in constant time, whether password is the one that was hashed."""
    try:
        _, kind, iterations, salt, _ = kept.split("$")
        again = hashed(password, salt=base64.b64decode(salt), iterations=int(iterations))
    except ValueError:
        return False
    return kind == "7" and hmac.compare_digest(again.encode(), kept.encode())


def _replace(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    if os.geteuid() == 0:  # an operator's command, as root: the broker must still be able to read it
        owner = path.parent.stat()
        os.chown(draft, owner.st_uid, owner.st_gid)
    draft.replace(path)
