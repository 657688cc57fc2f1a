"""An analyser that several cameras may share although its library is not made for threads."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edge_agent.core.geometry import Detection
from edge_agent.core.identification import MatchPolicy
from edge_agent.ports import FaceAnalyser


def shared(analyser: FaceAnalyser) -> FaceAnalyser:
    """Return analyser, behind a lock unless its engine needs none."""
    return analyser if analyser.engine == "insightface" else SerialAnalyser(analyser)


@dataclass(frozen=True, slots=True)
class SerialAnalyser:
    """One call at a time, whoever calls."""

    inner: FaceAnalyser
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def engine(self) -> str:
        return self.inner.engine

    @property
    def model_id(self) -> str:
        return self.inner.model_id

    @property
    def dimension(self) -> int:
        return self.inner.dimension

    @property
    def policy(self) -> MatchPolicy:
        return self.inner.policy

    def detect(self, image: np.ndarray) -> list[Detection]:
        with self.lock:
            return self.inner.detect(image)

    def embed(self, image: np.ndarray, detections: Sequence[Detection]) -> np.ndarray:
        with self.lock:
            return self.inner.embed(image, detections)
