"""What this box has been told about its gallery, and for how long it is lent: kept over restarts."""

import hashlib
import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from common import wire
from common.events import Manifest
from edge_agent.adapters.identity_file import write_private
from edge_agent.core.lease import Lease, Reading

log = logging.getLogger("hadir.gallery")


@dataclass(frozen=True, slots=True)
class Heard:
    """The newest genuine manifest, the lease that runs, and whether the last one ran out."""

    manifest: Manifest | None = None
    lease: Lease | None = None
    leased_out: bool = False


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One JSON file, mode 0600, for one identity: that of another one says nothing to this agent."""

    path: Path
    key: bytes  # of the manifests; only its digest is written

    def is_of_another(self) -> bool:
        """Tell whether the file was written for another identity."""
        kept = self._read()
        return kept is not None and kept.get("for") != self._whose()

    def load(self) -> Heard:
        """Return what was kept; nothing when there is none, or none that can be read."""
        kept = self._read()
        if kept is None or kept.get("for") != self._whose():
            return Heard()
        try:
            manifest, lease = kept["manifest"], kept["lease"]
            return Heard(
                wire.decode(Manifest, json.dumps(manifest)) if manifest else None,
                _lease_of(lease) if lease else None,
                kept["leased_out"] is True,
            )
        except (wire.MalformedMessage, KeyError, TypeError, ValueError) as error:
            log.warning("%s cannot be read (%s): the server is asked anew", self.path, error)
            return Heard()

    def save(self, heard: Heard) -> None:
        """Write it down, on the disk when this returns. Raises OSError."""
        body = {
            "for": self._whose(),
            "manifest": json.loads(wire.encode(heard.manifest)) if heard.manifest else None,
            "lease": asdict(heard.lease) if heard.lease else None,
            "leased_out": heard.leased_out,
        }
        write_private(self.path, json.dumps(body).encode())

    def _whose(self) -> str:
        return hashlib.sha256(b"manifests of " + self.key).hexdigest()[:16]

    def _read(self) -> dict[str, object] | None:
        try:
            kept = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read (%s): the server is asked anew", self.path, error)
            return None
        return kept if isinstance(kept, dict) else None


def _lease_of(kept: dict[str, object]) -> Lease:
    at = kept["at"]
    if not isinstance(at, dict):
        raise TypeError("no reading of the clocks")
    reading = Reading(float(at["wall_s"]), float(at["up_s"]), str(at["boot_id"]))
    off_since = kept["off_since_s"]
    return Lease(
        float(kept["lease_s"]),  # type: ignore[arg-type]
        float(kept["spent_s"]),  # type: ignore[arg-type]
        reading,
        None if off_since is None else float(off_since),  # type: ignore[arg-type]
        float(kept["off_s"]),  # type: ignore[arg-type]
    )
