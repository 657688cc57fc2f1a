"""An analyser around another: what it does not change is the inner one's."""

from collections.abc import Mapping, Sequence

import numpy as np

from edge_agent.core.geometry import Detection
from edge_agent.core.identification import MatchPolicy
from edge_agent.ports import FaceAnalyser


class WrappedAnalyser:
    """Passes everything on."""

    def __init__(self, inner: FaceAnalyser) -> None:
        self.inner = inner

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
    def execution(self) -> Mapping[str, str | int]:
        return self.inner.execution

    @property
    def search_px(self) -> int:
        return self.inner.search_px

    def detect(self, image: np.ndarray) -> list[Detection]:
        return self.inner.detect(image)

    def aligned(self, image: np.ndarray, detection: Detection) -> np.ndarray:
        return self.inner.aligned(image, detection)

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        return self.inner.embed(crops)
