"""How long the models take, without the code around them knowing."""

import time
from collections.abc import Sequence

import numpy as np

from edge_agent.core.geometry import Detection
from edge_agent.core.identification import MatchPolicy
from edge_agent.ports import FaceAnalyser


class TimedAnalyser:
    """An analyser that adds up the processor time of its thread."""

    def __init__(self, inner: FaceAnalyser) -> None:
        self.inner = inner
        self.detecting_s = self.embedding_s = 0.0

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

    @property
    def search_px(self) -> int:
        return self.inner.search_px

    def detect(self, image: np.ndarray) -> list[Detection]:
        began = time.thread_time()
        try:
            return self.inner.detect(image)
        finally:
            self.detecting_s += time.thread_time() - began

    def aligned(self, image: np.ndarray, detection: Detection) -> np.ndarray:
        return self.inner.aligned(image, detection)

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        began = time.thread_time()
        try:
            return self.inner.embed(crops)
        finally:
            self.embedding_s += time.thread_time() - began
