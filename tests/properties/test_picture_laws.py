"""Laws of boxes, polygons and cuts of a picture: a place is the same place whatever it is cut out of."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from edge_agent.adapters.scrfd import STEP, padded_side
from edge_agent.core.geometry import ARCFACE_LANDMARKS, Box, Detection, distinct, iou, is_inside
from edge_agent.core.motion import Scene, correlation, scene, thumbnail
from edge_agent.faces import closer_look, find_faces
from edge_agent.frame import Frame
from edge_agent.picture import ColourPicture, DecodedPicture, whole_pixels
from tests.vision_world import detection_at

shares = st.floats(0, 1)
sides = st.integers(2, 300)
boxes = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    *[st.floats(-200, 500)] * 2,
    *[st.floats(0.5, 300)] * 2,
)


@given(shares, shares, shares, shares, shares, shares)
def test_inside_a_rectangle_is_between_its_sides(x, y, x1, y1, x2, y2):
    """Strictly between is inside, strictly beyond is not, whichever corner the polygon begins at."""
    left, right, top, bottom = min(x1, x2), max(x1, x2), min(y1, y2), max(y1, y2)
    assume(all(abs(a - b) > 1e-9 for a, b in ((x, left), (x, right), (y, top), (y, bottom))))
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    expected = left < x < right and top < y < bottom
    for turn in range(4):
        turned = corners[turn:] + corners[:turn]
        assert is_inside((x, y), turned) is expected
        assert is_inside((x, y), turned[::-1]) is expected


def test_a_notch_is_outside():
    """An L-shaped counter leaves out what it goes around."""
    counter = ((0.0, 0.0), (1.0, 0.0), (1.0, 0.3), (0.3, 0.3), (0.3, 1.0), (0.0, 1.0))
    assert is_inside((0.1, 0.9), counter) and is_inside((0.9, 0.1), counter)
    assert not is_inside((0.6, 0.6), counter) and not is_inside((1.1, 0.1), counter)


@given(st.lists(st.tuples(boxes, st.floats(0, 1)), max_size=8))
def test_of_doubles_the_surer_one_stays(found):
    """What is kept does not overlap much; what is left out overlaps a surer one that is kept."""
    detections = [detection_at(box, score) for box, score in found]
    kept = distinct(detections)
    assert all(iou(a.box, b.box) <= 0.4 for a in kept for b in kept if a is not b)
    for each in detections:
        if not any(each is other for other in kept):
            assert any(iou(each.box, other.box) > 0.4 and other.score >= each.score for other in kept)


@given(st.one_of(st.none(), boxes), sides, sides)
def test_a_cut_is_never_empty_and_lies_within_the_picture(box, width, height):
    """Also of a box beside the picture: somebody has just walked out of it."""
    left, top, right, bottom = whole_pixels(box, width, height)
    assert 0 <= left < right <= width and 0 <= top < bottom <= height
    cut = ColourPicture(np.zeros((height, width, 3), np.uint8)).cut(box, 0.5)
    assert min(cut.image.shape[:2]) >= 1


@given(boxes, st.floats(0.2, 3), st.lists(st.tuples(*[st.floats(-100, 700)] * 2), min_size=1, max_size=5))
def test_a_point_of_a_cut_is_the_point_of_the_picture(box, scale, points):
    """There and back again it is the same place."""
    cut = ColourPicture(np.zeros((240, 320, 3), np.uint8)).cut(box, scale)
    there = cut.to_cut(np.array(points))
    np.testing.assert_allclose(cut.to_picture(there), points, atol=1e-6)


polygons = st.lists(
    st.lists(st.tuples(shares, shares), min_size=3, max_size=6).map(tuple), min_size=1, max_size=3
)


@settings(max_examples=60)
@given(polygons, st.booleans())
def test_masks_cover_all_they_hold_however_they_overlap(masks, is_decoded):
    """Several masks are black together wherever one of them alone is; the picture itself stays as it was."""
    image = np.full((90, 160, 3), 200, np.uint8)
    picture = DecodedPicture(image[..., 0], lambda: image) if is_decoded else ColourPicture(image)
    together = picture.without(masks)
    alone = [picture.without([each]).cut().image for each in masks]
    np.testing.assert_array_equal(together.cut().image, np.min(alone, axis=0))
    np.testing.assert_array_equal(together.grey((160, 90)) > 0, together.cut().image[..., 0] > 0)
    assert (image == 200).all()


@dataclass
class Seer:
    """Finds the white square in a picture, and nothing else."""

    search_px: int = 640

    def detect(self, image: np.ndarray) -> list[Detection]:
        rows, columns = np.where(image[..., 0] > 128)
        if not len(rows):
            return []
        box = Box(float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
        return [Detection(box, ARCFACE_LANDMARKS, 0.9, 0.0)]


def showing(size: tuple[int, int], box: Box) -> ColourPicture:
    image = np.zeros((size[1], size[0], 3), np.uint8)
    image[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = 255
    return ColourPicture(image)


@given(st.integers(60, 500), st.integers(60, 300), st.integers(40, 120), st.floats(0.3, 2.0))
def test_a_face_is_found_where_it_is_in_the_picture(x, y, side, scale):
    """In the whole or in a part, at whatever scale it is searched."""
    box = Box(x, y, x + side, y + side)
    picture = showing((640, 480), box)
    for part in (None, box.grown(1.5)):
        (found,) = find_faces(picture, Seer(), scale=scale, box=part)  # type: ignore[arg-type]
        corners = (found.box.left, found.box.top, found.box.right, found.box.bottom)
        expected = (box.left, box.top, min(640, box.right), min(480, box.bottom))
        assert np.abs(np.subtract(corners, expected)).max() <= 2.5 / scale + 1


@pytest.mark.parametrize("small_size", [(640, 360), (704, 576)])
def test_the_sharper_stream_is_looked_at_in_the_right_place(small_size):
    """Also where the sub stream is the same picture pressed into another shape, as 704 × 576 is."""
    large = Box(1500, 800, 1620, 920)
    across, down = small_size[0] / 1920, small_size[1] / 1080
    small = Box(large.left * across, large.top * down, large.right * across, large.bottom * down)
    sharper = showing((1920, 1080), large)
    frame = Frame(showing(small_size, small), 0, 0, 0, lambda: sharper)
    picture, face = closer_look(frame, detection_at(small), Seer())  # type: ignore[arg-type]
    assert picture is sharper and iou(face.box, large) > 0.9


greys = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).integers(0, 256, (90, 160)))


@given(greys, greys, st.floats(0.3, 1.0), st.floats(0, 60))
def test_light_and_contrast_are_no_cut(a, b, contrast, light):
    """How alike two pictures are lies in -1..1, the same both ways, and dimmer is still the same scene."""
    one, other = thumbnail(a.astype(np.uint8)), thumbnail(b.astype(np.uint8))
    assert correlation(one, other) == pytest.approx(correlation(other, one), abs=1e-5)
    assert -1.001 <= correlation(one, other) <= 1.001
    assert scene(one, one * contrast + light) is Scene.STEADY
    assert scene(None, one) is Scene.STEADY
    even = np.full_like(one, 16)
    assert scene(even, even) is Scene.STEADY and scene(even, one) is scene(one, even) is Scene.CUT


def test_sides_are_multiples_of_32_or_the_ones_that_are_allowed():
    """Runtimes that prepare themselves for every shape get few; beyond the largest any multiple will do."""
    for side in range(1, 2000):
        own = padded_side(side)
        assert own % STEP == 0 and own >= STEP and side <= own < side + STEP
        some = padded_side(side, (160, 320, 640))
        assert some == next((each for each in (160, 320, 640) if each >= side), own)
