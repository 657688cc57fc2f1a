"""What the pipeline asks of a recognition engine, and of a judge of liveness."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from edge_agent.core.geometry import Detection
from edge_agent.core.identification import MatchPolicy
from edge_agent.picture import Picture


class FaceAnalyser(Protocol):
    """Finds faces and turns them into embeddings. Detection and embedding are apart: few faces need both."""

    @property
    def engine(self) -> str:
        """`insightface` or `dlib`."""

    @property
    def model_id(self) -> str:
        """The pack's name, ':' and the first 12 hex digits of the recognition file's SHA-256."""

    @property
    def dimension(self) -> int:
        """The length of an embedding."""

    @property
    def policy(self) -> MatchPolicy:
        """What this model's similarities mean, unless the configuration says otherwise."""

    @property
    def search_px(self) -> int:
        """The length to which a whole picture's longer side is brought before it is searched."""

    def detect(self, image: np.ndarray) -> list[Detection]:
        """Return the faces in an H × W × 3 BGR uint8 image, searched at its own size; doubtful ones too.

        Best first, in pixels of the image.
        """

    def aligned(self, image: np.ndarray, detection: Detection) -> np.ndarray:
        """Return the upright crop, uint8, that `embed` reads, of a face at this place in image."""

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        """Return n × dimension float32 unit rows, one for each crop that `aligned` made."""


class LivenessChecker(Protocol):
    """Tells a face from a picture of a face, as far as one look can."""

    def liveness(self, picture: Picture, faces: Sequence[Detection]) -> list[float | None]:
        """Return for each face how alive it looks, 0..1; None where that cannot be judged.

        Safe to call from several threads. May raise whatever its library raises.
        """
