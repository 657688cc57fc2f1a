"""Galleries on their way to agents: a golden file that both ends must keep understanding."""

import io
import struct
from pathlib import Path

import pytest

from common.gallery_body import ALIGNMENT, GalleryHead, MalformedGallery, encode_head, read_head

GOLDEN = Path(__file__).parent / "golden" / "delta.gallery"
HEAD = GalleryHead(
    gen=57,
    model_id="buffalo_m:4fc2a8d3e1b0",
    sha256="ab" * 32,
    full=False,
    dimension=4,
    templates=((11, "EMP001"), (12, "Zoë 7")),
    remove=(3, 9),
)
VECTORS = ((0.5, -0.5, 0.5, -0.5), (1.0, 0.0, 0.0, 0.0))


def test_the_golden_body_is_read():
    """The line says which vectors follow; they begin where it says, each as raw float32."""
    with GOLDEN.open("rb") as file:
        head, start = read_head(file)
        rows = file.read()
    assert head == HEAD
    assert start % ALIGNMENT == 0 and len(rows) == head.rows_bytes
    assert tuple(struct.iter_unpack("<4f", rows)) == VECTORS


def test_the_golden_body_is_written_again_byte_by_byte():
    """What an older agent understands is what is sent."""
    rows = b"".join(struct.pack("<4f", *vector) for vector in VECTORS)
    assert encode_head(HEAD) + rows == GOLDEN.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"{}\n",
        b"null\n",
        b"[" * 10_000 + b"\n",
        b"\xff\xfe\n",
        encode_head(HEAD).replace(b"hadir-gallery/1", b"hadir-gallery/2"),
        encode_head(HEAD).replace(b'"gen":57', b'"gen":-1'),
        encode_head(HEAD).replace(b'"gen":57', b'"gen":true'),
        encode_head(HEAD).replace(b'"dimension":4', b'"dimension":0'),
        encode_head(HEAD).replace(b'"dimension":4', b'"dimension":5000'),
        encode_head(HEAD).replace(b'[11,"EMP001"]', b'[11,"EMP001",1]'),
        encode_head(HEAD).replace(b'[11,"EMP001"]', b'["11","EMP001"]'),
        encode_head(HEAD).replace(b'"remove":[3,9]', b'"remove":[3.5]'),
        encode_head(HEAD).rstrip(),
    ],
)
def test_what_is_no_gallery_is_malformed_never_another_error(content):
    """Whatever bytes come, the reader answers with MalformedGallery."""
    with pytest.raises(MalformedGallery):
        read_head(io.BytesIO(content))


def test_fields_of_a_newer_server_are_passed_over():
    """A field may be added without a new format."""
    line = encode_head(HEAD).replace(b'{"format"', b'{"later":[1],"format"')
    assert read_head(io.BytesIO(line))[0] == HEAD
