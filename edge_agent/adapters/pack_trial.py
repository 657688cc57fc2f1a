"""A model pack put to work once, on the group photograph that comes with the insightface package."""

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from insightface.data import get_image

from edge_agent.adapters.face_analyser import InsightFaceAnalyser, ModelPackError
from edge_agent.adapters.pack_download import PackError
from edge_agent.faces import embed_faces, find_faces, search_scale
from edge_agent.picture import ColourPicture

SURE = 0.5  # detector score of a face that any detector should find


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a pack did with a photograph of six people."""

    model_id: str
    dimension: int
    faces: int
    seconds: float  # for all of them, detection and embeddings


def try_pack(pack: Path) -> Trial:
    """Load a pack, find the faces of the photograph and embed them. Raises PackError when it cannot."""
    try:
        analyser = InsightFaceAnalyser(pack)
    except ModelPackError as error:
        raise PackError(str(error)) from error
    photograph, began = get_image("t1"), time.monotonic()
    try:
        picture = ColourPicture(photograph)
        found = find_faces(picture, analyser, scale=search_scale(picture, analyser))
        faces = [each for each in found if each.score >= SURE]
        rows = embed_faces(picture, faces, analyser)
    except Exception as error:  # a model of another kind fails in any way it likes
        raise PackError(f"it loads, but does not run: {error}") from error
    if not faces:
        raise PackError("it runs, but finds no face in a photograph of six people")
    if rows.shape != (len(faces), analyser.dimension) or not np.isfinite(rows).all():
        raise PackError("it runs, but its embeddings are not numbers")
    if len(faces) > 1 and _most_alike(rows) > 0.9:
        raise PackError("it runs, but takes different people for one")
    seconds = time.monotonic() - began
    return Trial(model_id=analyser.model_id, dimension=analyser.dimension, faces=len(faces), seconds=seconds)


def _most_alike(rows: np.ndarray) -> float:
    """Return the highest similarity of two different rows."""
    similarities = rows @ rows.T
    np.fill_diagonal(similarities, -1.0)
    return float(similarities.max())
