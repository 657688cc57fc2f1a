"""A picture as the decoder left it. Only what is looked at is converted: a face, a region, a thumbnail.

Video is decoded to planes (YUV 4:2:0). Turning every whole picture into BGR costs more than finding the faces
in a part of it, so a picture hands out cuts of itself, at the size that is asked for. Photos come as BGR.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np

from edge_agent.core.geometry import Box, Polygon


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


def whole_pixels(box: Box | None, width: int, height: int, step: int = 1) -> tuple[int, int, int, int]:
    """Return left, top, right, bottom of box within the picture, on multiples of step, never empty."""
    if box is None:
        return 0, 0, width, height
    left = min(max(0, int(box.left)), width - step) // step * step
    top = min(max(0, int(box.top)), height - step) // step * step
    right = min(width, max(left + step, -(-int(box.right) // step) * step))
    bottom = min(height, max(top + step, -(-int(box.bottom) // step) * step))
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
        _fill(painted, polygons, (0, 0, 0))
        return ColourPicture(painted)


class PlanarPicture:
    """A decoded frame: Y of H × W, U and V of half the width and height, uint8."""

    def __init__(self, y: np.ndarray, u: np.ndarray, v: np.ndarray, *, is_full_range: bool = False) -> None:
        self.y, self.u, self.v, self.is_full_range = y, u, v, is_full_range
        self.height, self.width = y.shape

    def cut(self, box: Box | None = None, scale: float = 1.0) -> Cut:
        left, top, right, bottom = whole_pixels(box, self.width & ~1, self.height & ~1, 2)
        width, height = (side & ~1 for side in _scaled(right - left, bottom - top, scale))
        y = _resized(self.y[top:bottom, left:right], width, height)
        halves = [
            _resized(plane[top // 2 : bottom // 2, left // 2 : right // 2], width // 2, height // 2)
            for plane in (self.u, self.v)
        ]
        return Cut(bgr_of(y, *halves, is_full_range=self.is_full_range), left, top, scale)

    def grey(self, size: tuple[int, int]) -> np.ndarray:
        # Every second pixel is enough for a thumbnail, and a quarter of the work.
        small = self.y[::2, ::2] if self.width >= 4 * size[0] else self.y
        return cv2.resize(small, size, interpolation=cv2.INTER_AREA)

    def has_colour(self) -> bool:
        few = (plane[::8, ::8].astype(np.int16) for plane in (self.u, self.v))
        return any(int(np.abs(plane - 128).max()) > MOST_TINT for plane in few)

    def without(self, polygons: Sequence[Polygon]) -> "PlanarPicture":
        planes = []  # copies: the decoder still needs its own
        for plane, black in ((self.y, 16), (self.u, 128), (self.v, 128)):
            painted = plane.copy()
            _fill(painted, polygons, black)
            planes.append(painted)
        return PlanarPicture(*planes, is_full_range=self.is_full_range)


MOST_TINT = 12  # levels of 255 that noise and compression give to a picture without colour


def _fill(plane: np.ndarray, polygons: Sequence[Polygon], value: int | tuple[int, int, int]) -> None:
    size = (plane.shape[1], plane.shape[0])
    corners = [np.round(np.array(each, float) * size).astype(np.int32) for each in polygons]
    cv2.fillPoly(plane, corners, value)


def _scaled(width: int, height: int, scale: float) -> tuple[int, int]:
    return max(2, round(width * scale)), max(2, round(height * scale))


def bgr_of(y: np.ndarray, u: np.ndarray, v: np.ndarray, *, is_full_range: bool) -> np.ndarray:
    """Return planes of even size as H × W × 3 BGR (BT.601, as OpenCV's own reader converts).

    The one conversion of the product: with another matrix or range the same face has another embedding.
    """
    height, width = y.shape
    if is_full_range:
        chroma = [cv2.resize(each, (width, height), interpolation=cv2.INTER_LINEAR) for each in (v, u)]
        return cv2.cvtColor(cv2.merge([np.ascontiguousarray(y), *chroma]), cv2.COLOR_YCrCb2BGR)
    packed = np.empty((height * 3 // 2, width), np.uint8)
    packed[:height] = y
    flat, quarter = packed[height:].reshape(-1), width * height // 4
    flat[:quarter].reshape(height // 2, width // 2)[:] = u
    flat[quarter : 2 * quarter].reshape(height // 2, width // 2)[:] = v
    return cv2.cvtColor(packed, cv2.COLOR_YUV2BGR_I420)
