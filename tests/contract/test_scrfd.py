"""Our arithmetic around SCRFD, and our whole path, against insightface's own on real video."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from edge_agent.adapters.decoding import Opening, Video, picture_of
from edge_agent.adapters.face_analyser import InsightFaceAnalyser
from edge_agent.adapters.scrfd import LeanSCRFD, padded_side
from edge_agent.bench.agreement import agreement
from edge_agent.core.geometry import Box
from edge_agent.picture import Picture

pytestmark = pytest.mark.shared_data

CLIPS = ("corridor_three_720p.mp4", "hamilton_720p.mp4")
SIZES = ((640, 384), (640, 360), (608, 341), (320, 180), (331, 207), (96, 96))  # width, height
LOWEST = 0.3


@pytest.fixture(scope="module")
def analyser(shared_data: Path) -> InsightFaceAnalyser:
    return InsightFaceAnalyser(shared_data / "models" / "field_sc")


@pytest.fixture(scope="module", params=CLIPS)
def pictures(request, shared_data: Path) -> list[Picture]:
    """Some pictures of a clip, a second apart."""
    video = Video(Opening(url=str(shared_data / "media" / "clips" / request.param), is_live=False))
    frames = [frame for packet in video.packets() for frame in video.context.decode(packet)]
    return [picture_of(each) for each in frames[7::20]]


def padded(image: np.ndarray) -> np.ndarray:
    """Return image with black below and to the right, so that insightface need not resize it."""
    high, wide = image.shape[:2]
    return cv2.copyMakeBorder(
        image, 0, padded_side(high) - high, 0, padded_side(wide) - wide, cv2.BORDER_CONSTANT, value=(0, 0, 0)
    )


@pytest.mark.parametrize("size", SIZES)
def test_the_faces_are_those_that_insightface_finds(analyser, pictures, size):
    """Boxes, scores and landmarks within a thousandth, in the same order, at sizes of every kind."""
    detector, found = analyser._detector, 0
    assert isinstance(detector, LeanSCRFD)
    for picture in pictures:
        image = cv2.resize(picture.cut().image, size, interpolation=cv2.INTER_AREA)
        rows, points = detector.detect(image, LOWEST)
        black = padded(image)
        asked = (black.shape[1], black.shape[0])
        their_rows, their_points = detector._model.detect(black, input_size=asked, det_thresh=LOWEST)
        assert rows.shape == their_rows.shape and points.shape == their_points.shape
        np.testing.assert_allclose(rows, their_rows, atol=1e-3)
        np.testing.assert_allclose(points, their_points, atol=1e-3)
        found += len(rows)
    assert found or max(size) < 320, "a comparison of nothing with nothing proves nothing"


def test_a_face_in_a_region_is_the_face_in_the_whole(analyser, pictures):
    """A face alone in its surroundings is found where it is in the picture, within a few pixels."""
    compared = 0
    for picture in pictures:
        whole = picture.cut(scale=0.5)
        for face in (each for each in analyser.detect(whole.image) if each.score >= 0.6):
            corners = whole.to_picture(
                np.array([face.box.left, face.box.top, face.box.right, face.box.bottom]).reshape(2, 2)
            )
            box = Box(*map(float, corners.ravel()))
            region = picture.cut(box.grown(2.4), 0.5)
            again = [
                region.to_picture(each.landmarks)
                for each in analyser.detect(region.image)
                if each.score >= 0.5
            ]
            gaps = [float(np.abs(each - whole.to_picture(face.landmarks)).max()) for each in again]
            assert gaps and min(gaps) <= 0.12 * box.shorter_side
            compared += 1
    assert compared >= 4


@pytest.mark.parametrize("clip", CLIPS)
def test_our_whole_path_gives_insightface_s_embeddings(shared_data, clip):
    """Decoding, colours, alignment and batching together cost no accuracy: cosine at least 0.999."""
    same = agreement(shared_data / "media" / "clips" / clip, shared_data / "models" / "field_sc")
    assert same["faces"] >= 10
    assert same["least"] >= 0.999
