"""Signatures that a broker cannot forge: the manifest's HMAC with the agent's own key."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, replace

from common.events import Manifest


def manifest_mac(manifest: Manifest, key: bytes) -> str:
    """Return the HMAC-SHA256, in hex, of every field of manifest but the MAC itself."""
    fields = {name: value for name, value in asdict(manifest).items() if name != "mac"}
    message = json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()


def signed(manifest: Manifest, key: bytes) -> Manifest:
    return replace(manifest, mac=manifest_mac(manifest, key))


def is_genuine(manifest: Manifest, key: bytes) -> bool:
    """Tell, in constant time, whether manifest was signed with key."""
    return hmac.compare_digest(manifest.mac, manifest_mac(manifest, key))


def gallery_digest(owners: Mapping[int, str]) -> str:
    """Return the SHA-256, in hex, that names a gallery: its template ids in order, and whose each one is."""
    lines = "".join(f"{template_id}:{owners[template_id]}\n" for template_id in sorted(owners))
    return hashlib.sha256(lines.encode()).hexdigest()
