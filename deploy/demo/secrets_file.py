"""The demo's own secrets: random, made once, readable by their owner alone. Nothing has a fixed password."""

import base64
import json
import secrets
from pathlib import Path

NAMES = (
    "broker_password",
    "password",
    "whatsapp_token",
    "whatsapp_app_secret",
    "whatsapp_verify_token",
    "hris_key",
)


def demo_secrets(path: Path) -> dict[str, str]:
    """Return the secrets by name; the first time, make them."""
    if path.exists():
        return json.loads(path.read_text())
    made = {name: secrets.token_urlsafe(24) for name in NAMES}
    made["password"] = "-".join(secrets.choice(_WORDS) for _ in range(3))
    made["hris_key"] = "whsec_" + base64.b64encode(secrets.token_bytes(24)).decode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(json.dumps(made))
    return made


_WORDS = (
    *("pagi", "siang", "sore", "malam", "kopi", "teh", "gula", "madu", "bunga", "daun", "pohon", "hutan"),
    *("sungai", "danau", "laut", "pantai", "gunung", "bukit", "awan", "hujan", "angin", "langit", "bintang"),
    *("bulan", "kayu", "batu", "pasir", "kapal", "layar", "ombak", "kapas", "benang", "kain", "batik"),
    *("warna", "merah", "biru", "hijau", "kuning", "putih", "padi", "sawah", "kebun", "jagung", "mangga"),
)
