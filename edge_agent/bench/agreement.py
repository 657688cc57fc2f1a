"""Is it bought with accuracy? The same faces through insightface's own path and through ours."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np

from edge_agent.adapters.decoding import Opening, SourceError, Video, picture_of
from edge_agent.adapters.face_analyser import InsightFaceAnalyser
from edge_agent.adapters.opencv import cv2
from edge_agent.core.geometry import Box, Detection
from edge_agent.faces import recogniser_crop
from edge_agent.people_folder import InputError
from edge_agent.picture import Picture

FACES, APART_S = 60, 0.6


def agreement(video: Path, models: Path) -> dict[str, Any]:
    """Return the cosines of our embedding and insightface's of the same faces of a video.

    Theirs: OpenCV's picture, their alignment, one face a run. Ours: our decoding, our alignment. The faces
    are those that their detector finds. Raises InputError when the video cannot be read.
    """
    analyser = InsightFaceAnalyser(models)
    cosines: list[float] = []
    try:
        opened = Video(Opening(url=str(video), is_live=False))
    except SourceError as error:
        raise InputError(f"{video} cannot be read as a video.") from error
    capture = cv2.VideoCapture(str(video), cv2.CAP_FFMPEG)
    due_s = 0.0
    for packet in opened.packets():
        for frame in opened.context.decode(packet):
            is_there = capture.grab()
            at_s = opened.at_s(frame.pts) or 0.0
            if is_there and at_s >= due_s and len(cosines) < FACES:
                due_s = at_s + APART_S
                cosines += _of_one(analyser, picture_of(frame), capture.retrieve()[1])
    opened.close()
    return {
        "faces": len(cosines),
        "least": round(min(cosines, default=1.0), 6),
        "median": round(float(np.median(cosines or [1.0])), 6),
    }


def _of_one(analyser: InsightFaceAnalyser, picture: Picture, image: np.ndarray) -> list[float]:
    from insightface.utils import face_align

    detector, recogniser = analyser._detector._model, analyser._recogniser
    boxes, landmarks = detector.detect(image, input_size=(640, 640), det_thresh=0.5)
    found = []
    for row, points in zip(boxes, landmarks, strict=True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # scikit-image's, about a call that insightface still makes
            theirs = recogniser.get_feat(face_align.norm_crop(image, points, analyser._size)).ravel()
        face = Detection(Box(*map(float, row[:4])), points, float(row[4]), 0.0)
        ours = analyser.embed([recogniser_crop(picture, face, analyser)])[0]
        found.append(float(ours @ theirs) / float(np.linalg.norm(theirs)))
    return found
