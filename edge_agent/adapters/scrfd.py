"""SCRFD's own arithmetic around its network: the same faces as insightface's class finds, for less work.

insightface decodes every anchor before it looks at the scores, and builds its input with general tools. Here
the scores are looked at first, so a picture without a face costs the network and hardly anything else. The
network, its layout and the suppression of doubles stay insightface's; a test holds both to the same faces.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

STEP = 32  # the network wants sides that are multiples of this


def padded_side(side: int, allowed: Sequence[int] = ()) -> int:
    """Return the smallest side that the network takes: one of allowed, else (or beyond) a multiple of 32."""
    return next((each for each in allowed if each >= side), max(STEP, STEP * -(-side // STEP)))


class LeanSCRFD:
    """A loaded insightface SCRFD (with landmarks). Safe to use from several threads.

    sides are the only ones, in rising order, of pictures up to the last of them: for runtimes that prepare
    themselves for every shape. Empty: every multiple of 32.
    """

    def __init__(self, model: Any, sides: Sequence[int] = ()) -> None:
        self._model, self._sides = model, sides
        self._strides: tuple[int, ...] = tuple(model._feat_stride_fpn)
        self._anchors: int = model._num_anchors
        self._mean, self._scale = np.float32(model.input_mean), np.float32(1 / model.input_std)

    def detect(self, image: np.ndarray, lowest: float) -> tuple[np.ndarray, np.ndarray]:
        """Return n × 5 (left, top, right, bottom, score) and n × 5 × 2 landmarks of an H × W × 3 BGR image.

        Best first, in pixels of the image, which is searched at its own size; only scores of lowest and more.
        """
        model = self._model
        blob, outputs = self.raw(image)
        levels = len(self._strides)
        rows, points = [], []
        for level, stride in enumerate(self._strides):
            scores, boxes, landmarks = (outputs[level + levels * part] for part in range(3))
            found = self._level(
                scores.reshape(-1), boxes.reshape(-1, 4), landmarks.reshape(-1, 10), stride, blob, lowest
            )
            if found is not None:
                rows.append(found[0])
                points.append(found[1])
        if not rows:
            return np.zeros((0, 5), np.float32), np.zeros((0, 5, 2), np.float32)
        everything, marks = np.vstack(rows), np.vstack(points)
        order = np.argsort(-everything[:, 4], kind="stable")
        everything, marks = everything[order], marks[order]
        keep = model.nms(everything)
        return everything[keep], marks[keep]

    def raw(self, image: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the network's input for image, and its outputs: scores, boxes, landmarks, of each level."""
        model, blob = self._model, self._blob(image)
        return blob, model.session.run(model.output_names, {model.input_name: blob})

    def _blob(self, image: np.ndarray) -> np.ndarray:
        """Return the 1 × 3 × H × W float32 RGB input, padded below and to the right as insightface pads."""
        height, width = image.shape[:2]
        wide, high = (padded_side(side, self._sides) for side in (width, height))
        blob = np.full((1, 3, high, wide), -self._mean * self._scale, np.float32)
        for channel in range(3):
            part = blob[0, channel, :height, :width]
            np.multiply(image[:, :, 2 - channel], self._scale, out=part, dtype=np.float32)
            part -= self._mean * self._scale
        return blob

    def _level(
        self,
        scores: np.ndarray,
        boxes: np.ndarray,
        landmarks: np.ndarray,
        stride: int,
        blob: np.ndarray,
        lowest: float,
    ) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the faces of one level of the pyramid, None when there is none."""
        index = np.flatnonzero(scores >= lowest)
        if not len(index):
            return None
        across = blob.shape[3] // stride
        cell = index // self._anchors
        centre = np.stack([cell % across, cell // across], axis=1).astype(np.float32) * stride
        sides = boxes[index] * stride
        rows = np.empty((len(index), 5), np.float32)
        rows[:, :2], rows[:, 2:4] = centre - sides[:, :2], centre + sides[:, 2:]
        rows[:, 4] = scores[index]
        return rows, landmarks[index].reshape(-1, 5, 2) * stride + centre[:, None, :]
