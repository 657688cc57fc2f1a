"""Boxes, faces as found in one frame, and the transform that puts a face upright. Pixels, x right, y down."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# Where ArcFace models expect the eyes, the nose tip and the corners of the mouth in a 112 × 112 crop.
# The numbers are part of how those models were trained (insightface's `arcface_dst`).
ARCFACE_SIZE = 112
ARCFACE_LANDMARKS = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float64,
)


@dataclass(frozen=True, slots=True)
class Box:
    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return max(0.0, self.right - self.left)

    @property
    def height(self) -> float:
        return max(0.0, self.bottom - self.top)

    @property
    def area(self) -> float:
        return self.width * self.height

    @property
    def shorter_side(self) -> float:
        return min(self.width, self.height)

    @property
    def centre(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def middle_within(self, size: tuple[int, int]) -> tuple[float, float]:
        """Return the centre as shares of a picture's width and height."""
        x, y = self.centre
        return x / size[0], y / size[1]

    def moved(self, dx: float, dy: float) -> "Box":
        return Box(self.left + dx, self.top + dy, self.right + dx, self.bottom + dy)

    def grown(self, factor: float) -> "Box":
        """Return the box with the same centre and factor times the size."""
        (x, y), w, h = self.centre, self.width * factor / 2, self.height * factor / 2
        return Box(x - w, y - h, x + w, y + h)


def overlap(a: Box, b: Box) -> float:
    """Return the area that a and b share."""
    width = min(a.right, b.right) - max(a.left, b.left)
    height = min(a.bottom, b.bottom) - max(a.top, b.top)
    return max(0.0, width) * max(0.0, height)


def iou(a: Box, b: Box) -> float:
    """Return intersection over union, 0..1; 0 for two empty boxes."""
    shared = overlap(a, b)
    union = a.area + b.area - shared
    return shared / union if union > 0 else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Detection:
    """One face in one frame."""

    box: Box
    landmarks: np.ndarray  # 5 × 2, in the order that the engine's own alignment wants
    score: float  # of the detector, 0..1
    turn: float  # of the head to either side: 0 looks at the camera, 1 has the nose before one eye


Polygon = Sequence[tuple[float, float]]  # corners


def is_inside(point: tuple[float, float], polygon: Polygon) -> bool:
    """Tell whether point lies within polygon: a ray from it crosses the edges an odd number of times."""
    x, y = point
    crossings = 0
    for (x1, y1), (x2, y2) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            crossings += 1
    return crossings % 2 == 1


def distinct(detections: Sequence[Detection], most_shared: float = 0.4) -> list[Detection]:
    """Return the detections without the doubles of two searches that overlap: the surer one of each stays."""
    kept: list[Detection] = []
    for each in sorted(detections, key=lambda found: found.score, reverse=True):
        if all(iou(each.box, other.box) <= most_shared for other in kept):
            kept.append(each)
    return kept


def turn_of(eye: np.ndarray, other_eye: np.ndarray, nose: np.ndarray) -> float:
    """Return how far the head is turned: 0 with the nose midway between the eyes, 1 level with one."""
    across = other_eye - eye
    width = float(across @ across)
    if width < 1e-9:
        return 1.0  # one eye in front of the other: a profile
    return abs(2 * float((nose - eye) @ across) / width - 1)


def nod_of(eyes: np.ndarray, nose: np.ndarray, mouth: np.ndarray) -> float:
    """Return how far down the nose tip is, 0 level with the eyes, 1 with the mouth (their middles are given).

    About 0.5 for a face at the height of the camera; from above the nose hangs lower: 0.66 from 20 degrees,
    0.76 from 30, and so does that of somebody who looks at the floor.
    """
    down = mouth - eyes
    length = float(down @ down)
    return float((nose - eyes) @ down) / length if length > 1e-9 else 0.5


def similarity_transform(points: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the 2 × 3 matrix of the rotation, scale and shift that brings points nearest to targets.

    Least squares over n × 2 points in closed form: written as complex numbers the best rotation and
    scale is one division. Raises ValueError when all points are the same.
    """
    source = points[:, 0].astype(np.float64) + 1j * points[:, 1]
    target = targets[:, 0].astype(np.float64) + 1j * targets[:, 1]
    from_mean, to_mean = source.mean(), target.mean()
    spread = float(np.sum(np.abs(source - from_mean) ** 2))
    if spread <= 1e-12:
        raise ValueError("the points are all in one place")
    turn = np.sum(np.conj(source - from_mean) * (target - to_mean)) / spread
    shift = to_mean - turn * from_mean
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def arcface_transform(landmarks: np.ndarray, size: int = ARCFACE_SIZE) -> np.ndarray:
    """Return the 2 × 3 matrix from the frame to the size × size crop that an ArcFace model reads."""
    if size % 112 and size % 128 == 0:  # the 128-pixel models frame the same face a little wider
        return similarity_transform(landmarks, (ARCFACE_LANDMARKS + np.array((8.0, 0.0))) * (size / 128))
    return similarity_transform(landmarks, ARCFACE_LANDMARKS * (size / ARCFACE_SIZE))
