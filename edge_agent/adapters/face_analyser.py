"""InsightFace packs (SCRFD + ArcFace) through insightface's own model classes, on the CPU.

Only the detection and the recognition file of a pack are loaded (what `allowed_modules` asks for, without
building a session for every other file first). Each session has one thread and never spins: cameras, not
operators, are what runs in parallel, and spinning pools eat whole cores while they wait.
"""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from insightface import model_zoo
from insightface.model_zoo.arcface_onnx import ArcFaceONNX
from insightface.model_zoo.scrfd import SCRFD

from edge_agent.adapters.scrfd import LeanSCRFD
from edge_agent.core.geometry import Box, Detection, arcface_transform, turn_of
from edge_agent.core.identification import MatchPolicy

log = logging.getLogger(__name__)

LOWEST_SCORE = 0.3  # low-scored faces may continue a track, never begin one

FIELD_POLICY = MatchPolicy(
    threshold=0.40,
    two_extra=0.05,
    single_extra=0.15,
    margin=0.08,
    against=0.15,
    same_face=0.35,
    same_look=0.97,
    lead=0.30,
)


class ModelPackError(Exception):
    """A model pack cannot be used; the message says which file and why."""


@dataclass(frozen=True, slots=True)
class PackFiles:
    detection: Any  # SCRFD
    recognition: Any  # ArcFaceONNX
    recognition_file: Path


def _session_options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def _load(pack: Path, threads: int) -> PackFiles:
    """Load the detector and the recogniser of pack. Raises ModelPackError."""
    detection = recognition = None
    for file in sorted(pack.glob("*.onnx")):
        try:
            model = model_zoo.get_model(
                str(file),
                providers=["CPUExecutionProvider"],
                sess_options=_session_options(threads),
                static_shape_sessions=False,  # else every photo's shape would keep a session of its own
            )
        except Exception as error:  # onnxruntime raises many kinds of its own
            raise ModelPackError(f"{file} is not a usable ONNX model: {error}") from error
        if isinstance(model, SCRFD) and model.use_kps and detection is None:
            detection = model
        elif isinstance(model, ArcFaceONNX) and recognition is None:
            recognition, recognition_file = model, file
    if detection is None or recognition is None:
        missing = "a face detector with landmarks" if detection is None else "a face recognition model"
        raise ModelPackError(f"{pack} holds no {missing} (*.onnx)")
    return PackFiles(detection, recognition, recognition_file)


class InsightFaceAnalyser:
    """A pack directory behind the FaceAnalyser interface; safe to use from several threads."""

    engine = "insightface"
    search_px = 640  # the size that the published packs are used and compared at

    def __init__(self, pack: Path, *, threads: int = 1, policy: MatchPolicy | None = None) -> None:
        files = _load(pack, threads)
        self._detector, self._recogniser = LeanSCRFD(files.detection), files.recognition
        digest = hashlib.sha256(files.recognition_file.read_bytes()).hexdigest()
        self.model_id = f"{pack.resolve().name}:{digest[:12]}"
        self.policy = policy or FIELD_POLICY
        self._size = int(self._recogniser.input_size[0])
        blank = np.zeros((self._size, self._size, 3), np.uint8)
        self.dimension = int(self._recogniser.get_feat([blank]).shape[1])

    def detect(self, image: np.ndarray) -> list[Detection]:
        boxes, landmarks = self._detector.detect(image, LOWEST_SCORE)
        return [
            Detection(
                Box(*map(float, row[:4])), points, float(row[4]), turn_of(points[0], points[1], points[2])
            )
            for row, points in zip(boxes, landmarks, strict=True)
        ]

    def aligned(self, image: np.ndarray, detection: Detection) -> np.ndarray:
        size = self._size
        return cv2.warpAffine(
            image, arcface_transform(detection.landmarks, size), (size, size), borderValue=0.0
        )

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        if not crops:
            return np.zeros((0, self.dimension), np.float32)
        rows = self._recogniser.get_feat(list(crops))
        return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
