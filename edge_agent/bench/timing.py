"""How long the models take, without the code around them knowing."""

import time
from collections.abc import Sequence

import numpy as np

from edge_agent.adapters.wrapped_analyser import WrappedAnalyser
from edge_agent.core.geometry import Detection
from edge_agent.ports import FaceAnalyser


class TimedAnalyser(WrappedAnalyser):
    """An analyser that adds up the processor time of its thread."""

    def __init__(self, inner: FaceAnalyser) -> None:
        super().__init__(inner)
        self.detecting_s = self.embedding_s = 0.0

    def detect(self, image: np.ndarray) -> list[Detection]:
        began = time.thread_time()
        try:
            return self.inner.detect(image)
        finally:
            self.detecting_s += time.thread_time() - began

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        began = time.thread_time()
        try:
            return self.inner.embed(crops)
        finally:
            self.embedding_s += time.thread_time() - began
