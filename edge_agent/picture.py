"""A picture that hands out cuts of itself, at the size that is asked for.

Video is decoded to brightness and colours apart. Most samples show nothing new, and then the brightness is
all that is ever looked at. Colours are converted by FFmpeg's own code, the very one behind OpenCV's reader:
with another matrix or rounding the same face has another embedding (cosines down to 0.93 were measured).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import cv2
import numpy as np

from edge_agent.core.geometry import Box, Polygon

MOST_TINT = 12  # levels of 255 that noise and compression give to a picture without colour


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A part of a picture, and where it lies there."""

    image: np.ndarray  # h × w × 3 uint8, BGR
    left: float
    top: float
    scale: float  # pixels of the cut for one of the picture

    def to_cut(self, points: np.ndarray) -> np.ndarray:
        """Return n × 2 points of the picture as points of the cut."""
        return (np.asarray(points) - (self.left, self.top)) * self.scale

    def to_picture(self, points: np.ndarray) -> np.ndarray:
        """Return n × 2 points of the cut as points of the picture."""
        return np.asarray(points) / self.scale + (self.left, self.top)


class Picture(Protocol):
    """What the pipeline needs of a picture, whatever it is made of."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...

    def cut(self, box: Box | None = None, scale: float = 1.0) -> Cut:
        """Return a part (all of it without a box) as BGR, scale times as large; at most what is there."""

    def grey(self, size: tuple[int, int]) -> np.ndarray:
        """Return the whole picture as height × width uint8 grey levels."""

    def has_colour(self) -> bool:
        """Tell whether it shows colours: an infrared lamp at night leaves none."""

    def without(self, polygons: Sequence[Polygon]) -> "Picture":
        """Return the picture with the polygons (corners 0..1 of each side) painted black."""


def whole_pixels(box: Box | None, width: int, height: int) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of box within the picture, never empty."""
    if box is None:
        return 0, 0, width, height
    left, top = min(max(0, int(box.left)), width - 1), min(max(0, int(box.top)), height - 1)
    right, bottom = min(width, max(left + 1, int(box.right))), min(height, max(top + 1, int(box.bottom)))
    return left, top, right, bottom


def _resized(image: np.ndarray, width: int, height: int) -> np.ndarray:
    if image.shape[1] == width and image.shape[0] == height:
        return image
    is_less = width * height < image.shape[0] * image.shape[1] / 4
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if is_less else cv2.INTER_LINEAR)


class ColourPicture:
    """A photo, or a frame of a webcam: H × W × 3 uint8, BGR."""

    def __init__(self, image: np.ndarray) -> None:
        self.image = image
        self.height, self.width = image.shape[:2]

    def cut(self, box: Box | None = None, scale: float = 1.0) -> Cut:
        left, top, right, bottom = whole_pixels(box, self.width, self.height)
        part = self.image[top:bottom, left:right]
        size = _scaled(right - left, bottom - top, scale)
        return Cut(_resized(part, *size), left, top, scale)

    def grey(self, size: tuple[int, int]) -> np.ndarray:
        small = cv2.resize(self.image, size, interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(small, cv2.COLOR_BGR2GRAY)

    def has_colour(self) -> bool:
        small = cv2.resize(self.image, (32, 18), interpolation=cv2.INTER_AREA).astype(np.int16)
        return bool(np.ptp(small, axis=2).max() > MOST_TINT)

    def without(self, polygons: Sequence[Polygon]) -> "ColourPicture":
        painted = self.image.copy()
        _fill(painted, polygons)
        return ColourPicture(painted)


class DecodedPicture(ColourPicture):
    """A decoded frame: its brightness is there for nothing, its colours once somebody looks at it."""

    def __init__(self, luma: np.ndarray, colours: Callable[[], np.ndarray]) -> None:
        """luma is H × W uint8; colours returns H × W × 3 BGR."""
        self._luma, self._colours = luma, colours
        self.height, self.width = luma.shape

    @cached_property
    def image(self) -> np.ndarray:  # type: ignore[override]
        return self._colours()

    def grey(self, size: tuple[int, int]) -> np.ndarray:
        # Every second pixel is enough for a thumbnail, and a quarter of the work.
        small = self._luma[::2, ::2] if self.width >= 4 * size[0] else self._luma
        return cv2.resize(small, size, interpolation=cv2.INTER_AREA)


def _fill(image: np.ndarray, polygons: Sequence[Polygon]) -> None:
    size = (image.shape[1], image.shape[0])
    for each in polygons:  # one at a time: together, what two of them share would be left out
        corners = np.round(np.array(each, float) * size).astype(np.int32)
        cv2.fillPoly(image, [corners], (0, 0, 0))


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(2, round(width * scale)), max(2, round(height * scale))
