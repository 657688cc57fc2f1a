"""The server's folder: database, photos and keys are in it, so nobody else looks into it."""

import contextlib
from pathlib import Path


def keep_private(home: Path) -> None:
    """Make the folder, if it is not there, and shut it to everybody but its owner, if it is ours."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(OSError):  # somebody else's: then it is theirs to decide
        home.chmod(0o700)
