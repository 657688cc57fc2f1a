"""Stands in for the models where there are none: finds the bright square of bench.clips, and knows it."""

from collections.abc import Mapping, Sequence

import numpy as np

from common.ids import EmployeeId
from edge_agent.adapters.opencv import cv2
from edge_agent.bench.clips import MARK
from edge_agent.core.gallery import Gallery, Template
from edge_agent.core.geometry import ARCFACE_LANDMARKS, Box, Detection
from edge_agent.core.identification import MatchPolicy

DIMENSION, CROP = 8, 112
LEAST_SIDE = 8  # pixels of the square


class StandIn:
    """Looks like a FaceAnalyser; every face is the same person's."""

    engine, model_id, dimension, search_px = "insightface", "stand-in:0", DIMENSION, 640
    execution: Mapping[str, str | int] = {}
    policy = MatchPolicy(
        threshold=0.4,
        two_extra=0.05,
        single_extra=0.15,
        margin=0.08,
        against=0.15,
        same_face=0.35,
        same_look=1.0,
    )

    def detect(self, image: np.ndarray) -> list[Detection]:
        rows, columns = np.nonzero(image.min(axis=2) >= MARK[0] - 10)
        if not len(rows):
            return []
        left, top, right, bottom = (
            float(each) for each in (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        )
        if min(right - left, bottom - top) < LEAST_SIDE:
            return []
        scale = np.array(((right - left) / CROP, (bottom - top) / CROP))
        return [Detection(Box(left, top, right, bottom), ARCFACE_LANDMARKS * scale + (left, top), 0.9, 0.0)]

    def aligned(self, image: np.ndarray, detection: Detection) -> np.ndarray:
        box, (high, wide) = detection.box, image.shape[:2]
        left, right = max(0, int(box.left)), min(wide, int(box.right))
        top, bottom = max(0, int(box.top)), min(high, int(box.bottom))
        return cv2.resize(image[top:bottom, left:right], (CROP, CROP))

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        return np.tile(_DIRECTION, (len(crops), 1))


_DIRECTION = np.full(DIMENSION, DIMENSION**-0.5, np.float32)


def its_gallery() -> Gallery:
    """Return a gallery that holds the square, under a name."""
    return Gallery.build(StandIn.model_id, 1, [Template(1, EmployeeId("square"), _DIRECTION)])
