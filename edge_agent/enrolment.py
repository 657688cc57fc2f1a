"""From a portrait to a template, or to a reason that HR can act on."""

from dataclasses import dataclass

import cv2
import numpy as np

from edge_agent.core.geometry import Detection
from edge_agent.core.quality import Flaw, QualityPolicy, assess
from edge_agent.faces import embed_faces, find_faces, grey_crop, search_scale
from edge_agent.picture import ColourPicture
from edge_agent.ports import FaceAnalyser

# A three-quarter view still makes a template that finds its owner; only a near profile is refused.
PORTRAIT = QualityPolicy(min_side_px=60, max_turn=1.5, min_sharpness=0.007, min_contrast=10)
SECOND_FACE = 1 / 3  # of the largest face's area: smaller ones are bystanders
MAX_PIXELS = 50_000_000


WORDS = {
    "corrupt": "The file is not a picture that can be read.",
    "no_face": "No face was found in the photo.",
    "several_faces": "There is more than one face in the photo; use one that shows only this person.",
    "too_small": "The face is too small; use a photo taken from nearer (at least 60 pixels wide).",
    "blurred": "The face is blurred or has too little contrast; use a sharp photo in good light.",
    "turned": "The head is turned too far; use a photo that looks towards the camera.",
}
_REASONS = {Flaw.TOO_SMALL: "too_small", Flaw.TURNED: "turned", Flaw.BLURRED: "blurred", Flaw.FLAT: "blurred"}


@dataclass(frozen=True, slots=True, eq=False)
class Enrolled:
    embedding: np.ndarray  # unit length, float32
    quality: float  # 0..1


@dataclass(frozen=True, slots=True)
class Refused:
    reason: str  # a key of WORDS
    words: str


def embed_portrait(photo: bytes, analyser: FaceAnalyser) -> Enrolled | Refused:
    """Return the embedding of the one face in an encoded photo (JPEG, PNG …), turned as its EXIF says."""
    image = _decoded(photo)
    if image is None:
        return _refused("corrupt")
    picture, faces = _faces(image, analyser)
    if not faces:
        return _refused("no_face")
    face = faces[0]
    if len(faces) > 1 and faces[1].box.area > face.box.area * SECOND_FACE:
        return _refused("several_faces")
    assessment = assess(face, grey_crop(picture, face.box), PORTRAIT)
    if assessment.flaw is not None:
        return _refused(_REASONS.get(assessment.flaw, "no_face"))
    return Enrolled(embed_faces(picture, [face], analyser)[0], assessment.quality)


def _refused(reason: str) -> Refused:
    return Refused(reason, WORDS[reason])


def _decoded(photo: bytes) -> np.ndarray | None:
    try:
        image = cv2.imdecode(np.frombuffer(photo, np.uint8), cv2.IMREAD_COLOR)  # applies EXIF orientation
    except cv2.error:
        return None
    if image is None or min(image.shape[:2]) < 16 or image.shape[0] * image.shape[1] > MAX_PIXELS:
        return None
    return image


def _faces(image: np.ndarray, analyser: FaceAnalyser) -> tuple[ColourPicture, list[Detection]]:
    """Return the sure faces, largest first, and the picture they were found in.

    A face that fills the photo is larger than what detectors learnt; with a border around it, it is found.
    """
    for margin in (0.0, 0.5):
        edge = round(max(image.shape[:2]) * margin)
        bordered = cv2.copyMakeBorder(image, edge, edge, edge, edge, cv2.BORDER_CONSTANT) if edge else image
        shown = ColourPicture(bordered)
        faces = find_faces(shown, analyser, scale=search_scale(shown, analyser))
        found = [each for each in faces if each.score >= PORTRAIT.min_score]
        if found:
            return shown, sorted(found, key=lambda each: each.box.area, reverse=True)
    return ColourPicture(image), []
