"""InsightFace packs (SCRFD + ArcFace) through insightface's own model classes.

Only the detection and the recognition file of a pack are kept (what `allowed_modules` asks for). They are
loaded on the processor first, which is then the judge of every other provider: see execution and self_test.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from insightface.model_zoo.arcface_onnx import ArcFaceONNX
from insightface.model_zoo.scrfd import SCRFD

from edge_agent.adapters import execution, self_test
from edge_agent.adapters.scrfd import LeanSCRFD
from edge_agent.config import ExecutionConfig
from edge_agent.core.geometry import Box, Detection, arcface_transform, turn_of
from edge_agent.core.identification import MatchPolicy

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
    rejoin=0.55,
)


class ModelPackError(Exception):
    """A model pack cannot be used; the message says which file and why."""


class WrongAnswersError(ModelPackError):
    """The processor itself computes a known model wrongly: nobody may be named by it."""


@dataclass(frozen=True, slots=True)
class PackFiles:
    detection: Any  # SCRFD
    recognition: Any  # ArcFaceONNX
    detection_file: Path
    recognition_file: Path


def _load(pack: Path, threads: int, load: execution.Load) -> PackFiles:
    """Load the detector and the recogniser of pack on the processor. Raises ModelPackError."""
    detection = recognition = None
    for file in sorted(pack.glob("*.onnx")):
        try:
            model = load(file, execution.CPU, threads)
        except Exception as error:  # onnxruntime raises many kinds of its own
            raise ModelPackError(f"{file} is not a usable ONNX model: {error}") from error
        if isinstance(model, SCRFD) and model.use_kps and detection is None:
            detection, detection_file = model, file
        elif isinstance(model, ArcFaceONNX) and recognition is None:
            recognition, recognition_file = model, file
    if detection is None or recognition is None:
        missing = "face detector with landmarks" if detection is None else "face recognition model"
        raise ModelPackError(f"{pack} holds no {missing} (*.onnx)")
    return PackFiles(detection, recognition, detection_file, recognition_file)


def _unit_rows(recogniser: ArcFaceONNX, crops: Sequence[np.ndarray]) -> np.ndarray:
    rows = recogniser.get_feat(list(crops))
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


class InsightFaceAnalyser:
    """A pack directory behind the FaceAnalyser interface; safe to use from several threads.

    Raises ModelPackError, and WrongAnswersError when even the processor computes the model wrongly.
    """

    engine = "insightface"
    search_px = 640  # the size that the published packs are used and compared at

    def __init__(
        self,
        pack: Path,
        *,
        policy: MatchPolicy | None = None,
        settings: ExecutionConfig | None = None,
        load: execution.Load = execution.load_model,
        available: Sequence[str] | None = None,
    ) -> None:
        settings = settings or ExecutionConfig()
        files = _load(pack, settings.threads, load)
        digest = hashlib.sha256(files.recognition_file.read_bytes()).hexdigest()
        self.model_id = f"{pack.resolve().name}:{digest[:12]}"
        self.policy = policy or FIELD_POLICY
        self._size = int(files.recognition.input_size[0])
        processor = execution.Models(LeanSCRFD(files.detection), files.recognition)
        right = _answers(pack, processor, self._size)
        _check_golden(files.recognition_file, digest, right)
        chosen = execution.choose(
            (files.detection_file, files.recognition_file),
            processor,
            right,
            _unit_rows,
            settings,
            load=load,
            available=available,
        )
        self._detector, self._recogniser = chosen.models
        self.dimension = int(right.embeddings.shape[1])
        self.execution = {"provider": chosen.provider.onnx_name, "threads": settings.threads}
        self.refused_providers = chosen.refused

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
        return _unit_rows(self._recogniser, crops)


def _answers(pack: Path, processor: execution.Models, crop_px: int) -> self_test.Answers:
    """Return what the processor answers in the self-test. Raises ModelPackError."""
    try:
        return self_test.answers_of(
            processor.search, lambda crops: _unit_rows(processor.recogniser, crops), crop_px
        )
    except Exception as error:  # onnxruntime raises many kinds of its own
        raise ModelPackError(f"the models in {pack} do not run: {error}") from error


def _check_golden(file: Path, digest: str, right: self_test.Answers) -> None:
    gap = self_test.golden_gap(right.embeddings, digest)
    if not gap < self_test.MOST_GOLDEN_GAP:
        raise WrongAnswersError(
            f"The onnxruntime on this box computes {file.name} wrongly: an embedding of the self-test is off "
            f"by {gap:.3f}, less than {self_test.MOST_GOLDEN_GAP} is needed; install onnxruntime again"
        )
