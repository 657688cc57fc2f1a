"""The pipeline with all its mechanisms, and with one of them taken out: what each of them is worth."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from edge_agent.core.attention import ATTENTION, AttentionPolicy
from edge_agent.core.geometry import Box, Detection, turn_of
from edge_agent.picture import ColourPicture, Picture
from edge_agent.ports import FaceAnalyser


def _same(analyser: FaceAnalyser) -> FaceAnalyser:
    return analyser


def _as_it_is(picture: Picture) -> Picture:
    return picture


def _converted(picture: Picture) -> Picture:
    return ColourPicture(picture.cut().image.copy())


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    name: str
    about: str
    attention: AttentionPolicy = ATTENTION
    rests: bool = True
    skips: bool = True
    embeds_all: bool = False
    threads: int = 1
    analyser: Callable[[FaceAnalyser], FaceAnalyser] = _same
    shown: Callable[[Picture], Picture] = _as_it_is


def _plain_glue(analyser: FaceAnalyser) -> FaceAnalyser:
    """Detect with insightface's own code around the network, padded to a square."""
    detector = analyser._detector._model  # type: ignore[attr-defined]

    def detect(image: np.ndarray) -> list[Detection]:
        boxes, landmarks = detector.detect(image, input_size=(640, 640), det_thresh=0.3)
        return [
            Detection(Box(*map(float, row[:4])), points, float(row[4]), turn_of(*points[:3]))
            for row, points in zip(boxes, landmarks, strict=True)
        ]

    analyser.detect = detect  # type: ignore[method-assign]
    return analyser


VARIANTS = {
    each.name: each
    for each in (
        Variant(name="ours", about="all of it"),
        Variant(name="no-rest", about="every packet decoded, also while nothing moves", rests=False),
        Variant(name="no-skip", about="spare pictures decoded too", skips=False),
        Variant(
            name="no-gate",
            about="the whole of every sample searched",
            attention=replace(ATTENTION, is_gated=False),
            rests=False,
        ),
        Variant(
            name="no-regions",
            about="the whole picture or nothing",
            attention=replace(ATTENTION, follows=False),
        ),
        Variant(name="embed-all", about="every usable face of every sample embedded", embeds_all=True),
        Variant(name="square", about="insightface's own glue, padded to 640 × 640", analyser=_plain_glue),
        Variant(name="whole-bgr", about="every sample converted to BGR", shown=_converted),
        Variant(name="own-threads", about="as many threads a run as ONNX Runtime likes", threads=0),
    )
}
