"""Faces in a picture: found in a part of it; cut out for the recogniser, the judge of quality, and people."""

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np

from edge_agent.core.geometry import Box, Detection, iou
from edge_agent.core.quality import CROP_PX
from edge_agent.frame import Frame
from edge_agent.picture import Cut, Picture
from edge_agent.ports import FaceAnalyser

COMFORTABLE_PX = 80.0  # a face this wide gains nothing from a sharper stream
NEARBY = 3.0  # times the box: people move between the pictures of two streams
SAME_PLACE = 0.2  # IoU
EVIDENCE_MARGIN = 1.6  # an evidence crop shows this much more than the face


def search_scale(picture: Picture, analyser: FaceAnalyser) -> float:
    """Return the scale at which a whole picture is searched."""
    return analyser.search_px / max(picture.width, picture.height)


def find_faces(
    picture: Picture, analyser: FaceAnalyser, *, scale: float, box: Box | None = None
) -> list[Detection]:
    """Return the faces in picture, or in the part box of it, searched at scale; in pixels of the picture."""
    cut = picture.cut(box, scale)
    return [_in_picture(each, cut) for each in analyser.detect(cut.image)]


def _in_picture(found: Detection, cut: Cut) -> Detection:
    corners = cut.to_picture(np.array([[found.box.left, found.box.top], [found.box.right, found.box.bottom]]))
    box = Box(*map(float, corners.ravel()))
    return replace(found, box=box, landmarks=cut.to_picture(found.landmarks))


def recogniser_crop(picture: Picture, face: Detection, analyser: FaceAnalyser) -> np.ndarray:
    """Return the upright crop that the recogniser reads, from the picture's own pixels."""
    return analyser.aligned(picture.cut().image, face)


def closer_look(frame: Frame, face: Detection, analyser: FaceAnalyser) -> tuple[Picture, Detection]:
    """Return the picture to take a face from, a sharper stream's where that shows it larger, and the face.

    Its picture is a little older or newer, so the face is searched for anew around its place.
    """
    if frame.closer is None or face.box.shorter_side >= COMFORTABLE_PX:
        return frame.picture, face
    picture = frame.closer()
    if picture is None or picture.width <= frame.picture.width:
        return frame.picture, face
    # Apart for each side: many a sub stream is the same picture pressed into 4:3.
    across, down = picture.width / frame.picture.width, picture.height / frame.picture.height
    small = face.box
    box = Box(small.left * across, small.top * down, small.right * across, small.bottom * down)
    found = find_faces(picture, analyser, scale=COMFORTABLE_PX / box.shorter_side, box=box.grown(NEARBY))
    best = max(found, key=lambda each: iou(each.box, box), default=None)
    if best is None or iou(best.box, box) < SAME_PLACE:
        return frame.picture, face
    return picture, best


def embed_faces(picture: Picture, faces: Sequence[Detection], analyser: FaceAnalyser) -> np.ndarray:
    """Return n × dimension unit rows, one for each face of one picture."""
    return analyser.embed([recogniser_crop(picture, each, analyser) for each in faces])


def grey_crop(picture: Picture, box: Box) -> np.ndarray:
    """Return the face as CROP_PX × CROP_PX grey levels, as quality.assess reads it."""
    cut = picture.cut(box).image
    how = cv2.INTER_AREA if min(cut.shape[:2]) > CROP_PX else cv2.INTER_LINEAR
    return cv2.cvtColor(cv2.resize(cut, (CROP_PX, CROP_PX), interpolation=how), cv2.COLOR_BGR2GRAY)


def evidence_crop(picture: Picture, box: Box) -> np.ndarray:
    """Return a copy of the face with some of what is around it, BGR."""
    return picture.cut(box.grown(EVIDENCE_MARGIN)).image.copy()
