"""The ffmpeg program beside us may end or hang at any time; it never takes a camera's thread with it."""

import contextlib
import io
import time
from pathlib import Path

import pytest

from edge_agent.adapters import ffmpeg_child
from edge_agent.adapters.decoding import Decoder, Opening, SourceError, Video
from edge_agent.bench.clips import encoded, marked, wandering

SIZE = (320, 180)


@pytest.fixture(scope="module")
def clip() -> bytes:
    """A hundred pictures, more than a pipe holds."""
    return encoded(wandering(marked(60), SIZE, 100), SIZE)


def decoded(clip: bytes) -> int:
    """Give all of the clip to the decoder, again and again; return the number of packets it took."""
    video = Video(Opening(url="", decode="ffmpeg", is_live=False), file=io.BytesIO(clip))
    decoder, packets = Decoder(video, may_rest=False), list(video.packets())
    try:
        for number in range(5000):
            packet = packets[number % len(packets)]
            decoder.feed(packet, is_wanted=True, is_idle=False, at_s=number / 15)
    finally:
        video.close()
    return decoder.decoded


@pytest.mark.parametrize("does", ["exit 1", "exec sleep 60"])
def test_a_program_that_ends_or_hangs_is_a_failure_of_decoding(clip, does, tmp_path, monkeypatch):
    """It is told as such within moments, and put away without a word."""
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(ffmpeg_child, "STUCK_S", 0.3)
    began = time.monotonic()

    with pytest.raises(SourceError):
        decoded(clip)

    assert time.monotonic() - began < 10
    assert not [each for each in children() if "ffmpeg" in each or "sleep" in each]


def children() -> list[str]:
    """The names of this process's child processes, also of those that nobody has waited for."""
    own, names = Path("/proc/self").resolve().name, []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            name, _, rest = file.read_text().partition("(")[2].rpartition(")")
            names += [name] if rest.split()[1] == own else []
    return names
