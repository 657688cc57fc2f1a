"""Galleries from the server, in as many pieces as the line makes of them.

What has arrived lies in a folder of its own, named after the SHA-256 of the whole; the next try asks for the
rest. Nothing of it is used before it is all there and is what its name says.
"""

import hashlib
import logging
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from common.gallery_body import GalleryHead, MalformedGallery, read_head
from edge_agent.adapters.central_api import BrokeOff, CentralAPI, CentralError, pieces
from edge_agent.adapters.erasure import erase

log = logging.getLogger("hadir.gallery")

MOST_BYTES = 2**31
WORTH_GOING_ON = 1 << 16  # bytes that a try brought, for the next one to follow at once
TAG = re.compile(r'"([0-9a-f]{64})"')

Vector = bytes | np.ndarray  # float32, little-endian; as an array: of its bytes


@dataclass(frozen=True, slots=True, eq=False)
class TemplatePage:
    """What the server sent: everything (full) or what changed since the asked generation."""

    gen: int
    model_id: str
    sha256: str
    full: bool
    add: Sequence[tuple[int, str, Vector]]  # template id, employee id, vector
    remove: tuple[int, ...]


class _Rows(Sequence[tuple[int, str, Vector]]):
    """The templates of a body, each read from the disk when it is looked at."""

    def __init__(self, head: GalleryHead, vectors: np.ndarray) -> None:
        self._head, self._vectors = head, vectors

    def __len__(self) -> int:
        return len(self._head.templates)

    def __getitem__(self, place: Any) -> Any:
        number, owner = self._head.templates[place]
        return number, owner, self._vectors[place]


class GalleryDownload:
    """Fetches with `templates`, as often as it takes; `discard` when what came was used."""

    def __init__(self, api: CentralAPI, folder: Path) -> None:
        self._api, self._folder = api, folder

    def templates(self, since: int, model_id: str) -> TemplatePage:
        """Return the agent's people after generation `since`; 0 asks for everybody.

        Raises CentralError, with status 410 when the log does not go back that far. What has arrived stays,
        for the next try.
        """
        params = {"since": str(since), "model": model_id}
        while True:
            there = self._there(since)
            had = there.stat().st_size if there else 0
            try:
                return _page(self._whole(since, params, there))
            except BrokeOff as error:
                if (grown := self._grown(since, had)) < WORTH_GOING_ON:
                    raise
                log.info("%s, after %d more bytes; going on", error, grown)
            except MalformedGallery as error:
                self.discard()
                raise CentralError(f"the server's gallery cannot be read: {error}") from error

    def discard(self) -> None:
        """Erase whatever has arrived."""
        discard(self._folder)

    def _grown(self, since: int, had: int) -> int:
        there = self._there(since)
        return there.stat().st_size - had if there else 0

    def _there(self, since: int) -> Path | None:
        """Return what there is of the answer since that generation; erase what there is of any other."""
        found = sorted(self._folder.glob(f"{since}-*")) if self._folder.is_dir() else []
        for path in set(self._folder.glob("*")) - set(found[:1]):
            erase(path)
        return found[0] if found else None

    def _whole(self, since: int, params: dict[str, str], there: Path | None) -> Path:
        """Return the whole body, with one request for what is missing of it."""
        with self._api.download("templates", params, _conditions(there)) as reply:
            if there and reply.status_code == 304:
                return there
            if there and reply.status_code == 416:
                return _sealed(there)  # all of it is there
            if reply.status_code not in (200, 206):
                raise CentralError(f"the server answered {reply.status_code} to a plain question")
            tag = TAG.fullmatch(reply.headers.get("ETag", "").removeprefix("W/"))
            if tag is None:
                raise CentralError("what answers is no Hadir server: the gallery has no name")
            part = self._folder / f"{since}-{tag[1]}.part"
            offset = _offset(reply, there, part)
            if there and there != part:
                erase(there)
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if offset else os.O_TRUNC)
            with os.fdopen(os.open(part, flags, 0o600), "ab" if offset else "wb") as file:
                _receive(pieces(reply), file, offset)
            if part.stat().st_size < _total(reply):
                raise BrokeOff("the download broke off")
        return _sealed(part)


def discard(folder: Path) -> None:
    """Erase what has arrived of any gallery. Raises OSError."""
    for path in folder.glob("*"):
        erase(path)


def _conditions(there: Path | None) -> dict[str, str]:
    """Return the headers that ask for no more than what is missing."""
    if there is None or not (size := there.stat().st_size):
        return {}
    tag = f'"{_tag(there)}"'
    if there.suffix == ".body":
        return {"If-None-Match": tag}
    return {"Range": f"bytes={size}-", "If-Range": tag}


def _tag(path: Path) -> str:
    return path.stem.partition("-")[2]


def _offset(reply: Any, there: Path | None, part: Path) -> int:
    """Return where in the part the answer goes on: 0 when it begins anew."""
    if reply.status_code == 200:
        return 0
    begins = re.match(r"bytes (\d+)-", reply.headers.get("Content-Range", ""))
    if there != part or begins is None or int(begins[1]) != part.stat().st_size:
        raise CentralError("the server sent another part of the gallery than was asked for")
    return int(begins[1])


def _total(reply: Any) -> int:
    """Return how long the whole body is, as far as the answer tells."""
    length = reply.headers.get("Content-Range", "").rpartition("/")[2]
    length = length if reply.status_code == 206 else reply.headers.get("Content-Length", "")
    return int(length) if length.isdigit() else 0


def _receive(arriving: Iterator[bytes], file: BinaryIO, size: int) -> None:
    for piece in arriving:
        size += len(piece)
        if size > MOST_BYTES:
            raise CentralError("the server's gallery has no end")
        file.write(piece)
    file.flush()
    os.fsync(file.fileno())


def _sealed(part: Path) -> Path:
    """Return the part as a whole body, when it is what its name says; else erase it. Raises CentralError."""
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != _tag(part):
        erase(part)
        raise CentralError("the server's gallery arrived damaged; it is fetched anew")
    return part.replace(part.with_suffix(".body"))


def _page(body: Path) -> TemplatePage:
    """Return what is in a whole body. Raises MalformedGallery."""
    with body.open("rb") as file:
        head, start = read_head(file)
    if body.stat().st_size != start + head.rows_bytes:
        raise MalformedGallery(
            f"{len(head.templates)} vectors are not in {body.stat().st_size - start} bytes"
        )
    shape = len(head.templates), head.vector_bytes
    vectors = np.memmap(body, np.uint8, "r", start, shape) if head.rows_bytes else np.zeros(shape, np.uint8)
    add = _Rows(head, vectors)
    return TemplatePage(head.gen, head.model_id, head.sha256, head.full, add, head.remove)
