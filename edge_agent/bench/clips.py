"""Short H.264 streams made here, with PyAV's own encoder: what the cameras of tests and of the soak show."""

import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from edge_agent.adapters.opencv import cv2

FPS = 15
MARK = (150, 250)  # grey levels of the marked square: nothing else is as bright


@dataclass(frozen=True)
class Clip:
    """An H.264 byte stream, cut into pictures."""

    pictures: list[list[bytes]]  # each a list of NAL units
    sps: bytes
    pps: bytes
    size: tuple[int, int] = (0, 0)  # width and height, where they are known

    @classmethod
    def read(cls, file: Path) -> "Clip":
        return cls.of(file.read_bytes())

    @classmethod
    def of(cls, stream: bytes, size: tuple[int, int] = (0, 0)) -> "Clip":
        units = [unit.rstrip(b"\0") for unit in re.split(rb"\x00\x00\x00?\x01", stream)]
        pictures: list[list[bytes]] = [[]]
        sps = pps = b""
        for unit in filter(None, units):
            kind = unit[0] & 31
            sps, pps = (unit if kind == 7 else sps), (unit if kind == 8 else pps)
            is_slice = kind in (1, 5)
            begins = kind in (6, 7, 8) or (is_slice and bool(unit[1] & 0x80))
            if begins and any(each[0] & 31 in (1, 5) for each in pictures[-1]):
                pictures.append([])
            if kind != 9:
                pictures[-1].append(unit)
        return cls(pictures, sps, pps, size)

    def is_key(self, number: int) -> bool:
        """Tell whether decoding may begin at this picture."""
        return any(unit[0] & 31 == 5 for unit in self.pictures[number])


def make_clip(file: Path, *, seconds: int = 4, fps: int = FPS, size: str = "320x180") -> Path:
    """Write a bright square that wanders before a wall as H.264."""
    width, height = (int(side) for side in size.split("x"))
    shown = wandering(marked(height // 3), (width, height), seconds * fps)
    file.write_bytes(encoded(shown, (width, height), fps))
    return file


def encoded(images: Iterable[np.ndarray], size: tuple[int, int], fps: int = FPS) -> bytes:
    """Return BGR pictures, uint8, of this width and height, both even, as H.264 with a key frame a second.

    Parameter sets come with every key frame, so that who decodes may begin at any.
    """
    out = io.BytesIO()
    with av.open(out, "w", format="h264") as container:
        stream = container.add_stream("libx264", rate=fps)
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        stream.options = {"tune": "zerolatency", "g": str(fps), "bf": "0", "threads": "1"}
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="bgr24")))
        container.mux(stream.encode())
    return out.getvalue()


def marked(side: int) -> np.ndarray:
    """Return the bright square that the stand-in analyser takes for a face, with some detail in it."""
    rng = np.random.default_rng(1)
    cells = rng.integers(*MARK, (8, 8), np.uint8, endpoint=True)
    cells[0, :] = cells[-1, :] = cells[:, 0] = cells[:, -1] = MARK[1]
    square = cv2.resize(cells, (side, side), interpolation=cv2.INTER_NEAREST)
    return cv2.cvtColor(square, cv2.COLOR_GRAY2BGR)


def wandering(thing: np.ndarray, size: tuple[int, int], count: int) -> Iterator[np.ndarray]:
    """Yield count pictures of width × height in which thing goes to and fro; the last leads to the first."""
    width, height = size
    wall = _wall(width, height)
    high, wide = thing.shape[:2]
    for number in range(count):
        turn = 2 * np.pi * number / count
        left = round((width - wide) * (0.5 - 0.4 * np.cos(turn)))
        top = round((height - high) * (0.5 + 0.3 * np.sin(turn)))
        picture = wall.copy()
        picture[top : top + high, left : left + wide] = thing
        yield picture


def _wall(width: int, height: int) -> np.ndarray:
    """Draw a dim wall with things on it."""
    rng = np.random.default_rng(2)
    wall = np.full((height, width, 3), 90, np.uint8)
    for _ in range(30):
        left, top = rng.integers(width), rng.integers(height)
        wide, high = rng.integers(width // 16, width // 5), rng.integers(height // 16, height // 4)
        wall[top : top + high, left : left + wide] = rng.integers(50, 120, 3)
    return wall
