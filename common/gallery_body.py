"""A gallery on its way from the server to an agent: one line of JSON, then the vectors as raw numbers.

The line is filled up with spaces to a multiple of 16 bytes, so that the vectors can be used where they lie.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

MEDIA_TYPE = "application/vnd.hadir.gallery"
FORMAT = "hadir-gallery/1"
FLOAT_BYTES = 4  # float32, little-endian
ALIGNMENT = 16  # bytes
MOST_HEAD_BYTES = 64_000_000  # a million templates
MOST_DIMENSION = 4096


class MalformedGallery(Exception):
    """A body that cannot be read; says what is wrong with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryHead:
    """The first line: which templates follow, and which are to be forgotten."""

    gen: int  # what is held after this body
    model_id: str
    sha256: str  # common.signing.gallery_digest of what is held after it
    full: bool  # it takes the place of everything held before
    dimension: int  # of each vector; 0 when there is none
    templates: tuple[tuple[int, str], ...] = ()  # number and employee, in the order of the vectors
    remove: tuple[int, ...] = ()  # numbers

    @property
    def vector_bytes(self) -> int:
        return self.dimension * FLOAT_BYTES

    @property
    def rows_bytes(self) -> int:
        """The length of all that follows the line."""
        return len(self.templates) * self.vector_bytes


def encode_head(head: GalleryHead) -> bytes:
    """Return the line, with its newline; the vectors follow, one after the other."""
    body = {
        "format": FORMAT,
        "gen": head.gen,
        "model_id": head.model_id,
        "sha256": head.sha256,
        "full": head.full,
        "dimension": head.dimension,
        "templates": head.templates,
        "remove": head.remove,
    }
    line = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    return line + b" " * (-(len(line) + 1) % ALIGNMENT) + b"\n"


def read_head(file: BinaryIO) -> tuple[GalleryHead, int]:
    """Return the line at the start of file, and where the vectors begin. Raises MalformedGallery."""
    line = file.readline(MOST_HEAD_BYTES)
    if not line.endswith(b"\n"):
        raise MalformedGallery("the first line has no end")
    try:
        body = json.loads(line)
        if body["format"] != FORMAT:
            raise MalformedGallery(f"format {body['format']!r} is not {FORMAT}")
        head = _head_of(body)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise MalformedGallery(f"the first line cannot be read: {error!r}") from error
    return head, len(line)


def _head_of(body: Mapping[str, Any]) -> GalleryHead:
    head = GalleryHead(
        gen=_whole(body["gen"]),
        model_id=_text(body["model_id"]),
        sha256=_text(body["sha256"]),
        full=body["full"] is True,
        dimension=_whole(body["dimension"]),
        templates=tuple((_whole(number), _text(owner)) for number, owner in body["templates"]),
        remove=tuple(map(_whole, body["remove"])),
    )
    if head.dimension > MOST_DIMENSION or (head.templates and head.dimension == 0):
        raise ValueError(f"vectors of {head.dimension} numbers")
    return head


def _whole(value: Any) -> int:
    if type(value) is not int or not 0 <= value < 2**63:
        raise ValueError(f"{value!r} is not a whole number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\x00" in value:
        raise ValueError(f"{value!r} is not text")
    return value
