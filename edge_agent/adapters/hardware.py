"""Which hardware decoders of this machine really decode: a small clip is made, decoded, and looked at."""

import io
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

import av
import numpy as np

from edge_agent.adapters.decoding import Opening, SourceError, Video
from edge_agent.config import DECODERS

SIZE, PICTURES = (320, 240), 12
MOST_OFF = 6.0  # grey levels, on average: another decoder rounds, it does not invent


@dataclass(frozen=True, slots=True)
class Probe:
    name: str  # a value of the camera's `decode`
    works: bool
    words: str


def probe_hardware() -> Iterator[Probe]:
    """Yield what came of each decoder."""
    clip = _clip()
    for name in DECODERS:
        if name != "software":
            yield _probe(name, clip)


def _probe(name: str, clip: bytes) -> Probe:
    if name in ("vaapi", "ffmpeg") and shutil.which("ffmpeg") is None:
        return Probe(name, False, "needs the program ffmpeg, which is not installed")
    try:
        means = _decoded(name, clip)
    except (SourceError, av.FFmpegError, OSError, ValueError, RuntimeError):
        return Probe(name, False, "not on this machine")
    if len(means) < PICTURES // 2:
        return Probe(name, False, "not on this machine")  # ffmpeg ended without a word
    expected = [_level(number) for number in range(PICTURES)]
    off = min(
        float(np.abs(np.array(means) - expected[start : start + len(means)]).mean())
        for start in range(PICTURES - len(means) + 1)
    )
    return Probe(name, off <= MOST_OFF, "works" if off <= MOST_OFF else "it gives wrong pictures")


def _decoded(name: str, clip: bytes) -> list[float]:
    """Return the mean brightness of each picture that the decoder makes of the clip."""
    video = Video(Opening(url="", decode=name, is_live=False, strict=True), file=io.BytesIO(clip))
    means: list[float] = []
    try:
        for packet in video.packets():
            means += [_brightness(frame) for frame in video.context.decode(packet)]
        means += [_brightness(frame) for frame in video.drained()]
    finally:
        video.close()
    return means


def _brightness(frame: av.VideoFrame) -> float:
    return float(frame.reformat(format="gray").to_ndarray().mean())


def _level(number: int) -> int:
    return 30 + 16 * number


def _clip() -> bytes:
    """Return a plain H.264 stream of pictures that grow brighter."""
    out = io.BytesIO()
    with av.open(out, "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height = SIZE
        stream.pix_fmt, stream.options = "yuv420p", {"tune": "zerolatency", "g": "6"}
        for number in range(PICTURES):
            image = np.full((SIZE[1], SIZE[0]), _level(number), np.uint8)
            frame = av.VideoFrame.from_ndarray(image, format="gray").reformat(format="yuv420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()
