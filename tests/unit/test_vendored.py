"""What we hand to browsers of others' work is what they published, with their licence beside it."""

import hashlib
import re
from pathlib import Path

import pytest

VENDOR = Path(__file__).parents[2] / "central_server" / "static" / "vendor"
AS_PUBLISHED = {  # SHA-256 of the files in the packages of npm
    "qr-0.7.0/decode.js": "00e209820dcb11d624e9a03d6383e580766792b57d1651318f0a29e4e1ff0fe8",
    "qr-0.7.0/index.js": "a0de370051f94bd74f218f74401fdf197585e3f9ef0143164f87ea941a3fdd6f",
}


@pytest.mark.parametrize("name", AS_PUBLISHED)
def test_a_vendored_file_is_as_it_was_published(name):
    """Nobody slips anything into a file that no reviewer reads."""
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == AS_PUBLISHED[name]
    assert "Permission is hereby granted" in (VENDOR / name).with_name("LICENSE").read_text()


@pytest.mark.parametrize("name", AS_PUBLISHED)
def test_a_vendored_file_needs_no_weaker_policy(name):
    """No text is run as a program, and nothing is fetched: the page's strict policy holds for it too."""
    content = (VENDOR / name).read_text()
    for word in (
        r"\beval\(",
        r"new Function",
        "WebAssembly",
        r"\bfetch\(",
        "XMLHttpRequest",
        "importScripts",
    ):
        assert not re.search(word, content), word
