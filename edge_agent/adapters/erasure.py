"""Files that hold faces are overwritten before they are deleted, as far as a disk lets itself be told."""

import os
from pathlib import Path

BLOCK = bytes(1 << 16)


def erase(path: Path) -> None:
    """Overwrite a file with zeros and delete it; one that is not there is fine. Raises OSError."""
    try:
        with path.open("r+b") as file:
            left = os.fstat(file.fileno()).st_size
            while left > 0:
                left -= file.write(BLOCK[: min(left, len(BLOCK))])
            file.flush()
            os.fsync(file.fileno())
    except FileNotFoundError:
        return
    path.unlink(missing_ok=True)
