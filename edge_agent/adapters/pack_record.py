"""The note that an installation leaves in a pack's folder: whose files they are, and who accepted what."""

import getpass
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

RECORD_FILE = "hadir-pack.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRecord:
    """One installation. Without a licence_id the files were trusted as they came: nobody knows them."""

    pack: str
    source: str  # a URL without credentials, or a path
    files: Mapping[str, str]  # name -> SHA-256
    is_pinned: bool  # checked against hashes that we knew before
    licence_id: str | None
    licence_version: int | None
    accepted_by: str
    accepted_at: str  # UTC, ISO 8601


def write_record(folder: Path, record: PackRecord) -> None:
    """Store the record in a pack's folder. Raises OSError."""
    (folder / RECORD_FILE).write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")


def read_record(folder: Path) -> PackRecord | None:
    """Return the record of a pack's folder; None when there is none that can be read."""
    try:
        record = PackRecord(**json.loads((folder / RECORD_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return record if isinstance(record.files, dict) else None


def who() -> str:
    """Return the user at the keyboard, also behind sudo."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (OSError, KeyError):  # a container without that user in /etc/passwd
        return f"uid {os.getuid()}"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
