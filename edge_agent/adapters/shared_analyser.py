"""The models of a box, for all its cameras: a few workers, in the order of asking, embeddings in batches.

More threads than processors would only make every camera wait longer. A lock would not do either: it favours
who has just let go of it, and a busy camera would then keep an enrolment waiting for ever.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from edge_agent.adapters.wrapped_analyser import WrappedAnalyser
from edge_agent.core.geometry import ARCFACE_LANDMARKS, Box, Detection
from edge_agent.ports import FaceAnalyser

UPRIGHT = Detection(Box(100, 100, 212, 212), ARCFACE_LANDMARKS + 100, 1.0, 0.0)  # a face as any, to try with
MOST_CROPS = 8  # in one batch: more make the first of them wait, and gain nothing


def shared(analyser: FaceAnalyser, workers: int) -> "SharedAnalyser":
    """Return analyser for several threads; one at a time where its library is not made for more."""
    return SharedAnalyser(analyser, workers if analyser.engine == "insightface" else 1)


class SharedAnalyser(WrappedAnalyser):
    """An analyser behind a queue. Crops that wait at the same time, of whatever cameras, share one run."""

    def __init__(self, inner: FaceAnalyser, workers: int) -> None:
        super().__init__(inner)
        self._workers = workers
        self._pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="analyser")
        self._waiting: deque[tuple[np.ndarray, Future[np.ndarray]]] = deque()
        self._lock = threading.Lock()

    @property
    def execution(self) -> Mapping[str, str | int]:
        return {**self.inner.execution, "workers": self._workers}

    def warm_up(self) -> None:
        """Let every worker search a whole picture of a camera and embed a crowd.

        The memory for that is then taken at the start, and not when the crowd comes.
        """
        side = self.inner.search_px
        picture = np.zeros((side * 9 // 16, side, 3), np.uint8)
        list(self._pool.map(self.inner.detect, [picture] * self._workers))
        crop = self.inner.aligned(picture, UPRIGHT)
        list(self._pool.map(self.inner.embed, [[crop] * MOST_CROPS] * self._workers))

    def detect(self, image: np.ndarray) -> list[Detection]:
        return self._pool.submit(self.inner.detect, image).result()

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        if not crops:
            return self.inner.embed(crops)
        mine = [(each, Future[np.ndarray]()) for each in crops]
        with self._lock:
            self._waiting.extend(mine)
        for _ in range(-(-len(mine) // MOST_CROPS)):
            self._pool.submit(self._embed_some)
        return np.stack([future.result() for _, future in mine])

    def _embed_some(self) -> None:
        """Embed what waits, the oldest first; an earlier run may have left nothing."""
        with self._lock:
            batch = [self._waiting.popleft() for _ in range(min(MOST_CROPS, len(self._waiting)))]
        if not batch:
            return
        try:
            rows = self.inner.embed([crop for crop, _ in batch])
        except BaseException as error:  # whoever asked must hear of it, whatever it is
            for _, future in batch:
                future.set_exception(error)
            return
        for (_, future), row in zip(batch, rows, strict=True):
            future.set_result(row)
