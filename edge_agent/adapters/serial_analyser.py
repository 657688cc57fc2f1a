"""An analyser that several cameras may share although its library is not made for threads."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from edge_agent.core.geometry import Detection
from edge_agent.core.identification import MatchPolicy
from edge_agent.ports import FaceAnalyser


def shared(analyser: FaceAnalyser) -> FaceAnalyser:
    """Return analyser, one call at a time unless its engine needs no such care."""
    return analyser if analyser.engine == "insightface" else SerialAnalyser(analyser)


def _one_thread() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="analyser")


@dataclass(frozen=True, slots=True)
class SerialAnalyser:
    """One call at a time, in the order of asking.

    A lock would not do: it favours who has just let go of it, and a camera that is always busy would then
    keep an enrolment waiting for ever.
    """

    inner: FaceAnalyser
    queue: ThreadPoolExecutor = field(default_factory=_one_thread)

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
        return self.queue.submit(self.inner.detect, image).result()

    def embed(self, image: np.ndarray, detections: Sequence[Detection]) -> np.ndarray:
        return self.queue.submit(self.inner.embed, image, detections).result()
