"""Liveness is an observation: whatever becomes of it, the person is told of."""

import logging
import threading
from collections.abc import Sequence

from edge_agent.core.geometry import Detection
from edge_agent.picture import Picture
from edge_agent.ports import LivenessChecker

log = logging.getLogger("hadir.liveness")


class LivenessWatch:
    """A checker that cannot stop a camera. One for all cameras of a box."""

    def __init__(self, checker: LivenessChecker) -> None:
        self._checker = checker
        self._lock = threading.Lock()
        self._was_told = False

    def scores(self, picture: Picture, faces: Sequence[Detection]) -> list[float | None]:
        """Return a score of 0..1 for each face; None where there is none. Never raises."""
        if not faces:
            return []
        try:
            scores = self._checker.liveness(picture, faces)
            if len(scores) != len(faces):
                raise ValueError(f"{len(scores)} scores for {len(faces)} faces")
        except Exception as error:  # whatever it is, the person counts and the liveness does not
            self._tell(error)
            return [None] * len(faces)
        return [each if each is not None and 0 <= each <= 1 else None for each in scores]

    def _tell(self, error: Exception) -> None:
        with self._lock:
            is_first, self._was_told = not self._was_told, True
        if is_first:
            log.error("liveness cannot be judged (%s); events go out without it", error, exc_info=error)
        else:
            log.debug("liveness cannot be judged (%s)", error)
