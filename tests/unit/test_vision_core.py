"""The decisions of the vision core: geometry, quality, motion, gallery, identification, resighting."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from common.events import EventKind
from common.ids import EmployeeId
from edge_agent.core.consensus import NOT_YET, Standing, Verdict
from edge_agent.core.gallery import Gallery, Template
from edge_agent.core.geometry import Box, arcface_transform, iou, similarity_transform, turn_of
from edge_agent.core.identification import Match, MatchPolicy, identify
from edge_agent.core.motion import Scene, scene
from edge_agent.core.quality import CROP_PX, Flaw, QualityPolicy, assess, sharpness
from edge_agent.core.resighting import Announced, due_kind
from tests.vision_world import POLICY, TEXTURE, detection_at, face_of, gallery_of, look_at

SHARP = TEXTURE[:CROP_PX, :CROP_PX, 0]
BOX = Box(100, 100, 180, 180)


def test_overlap_of_boxes():
    """Two equal boxes overlap wholly, distant ones not at all, half-shifted ones by a third."""
    assert iou(BOX, BOX) == 1.0
    assert iou(BOX, BOX.moved(500, 0)) == 0.0
    assert iou(BOX, BOX.moved(40, 0)) == pytest.approx(1 / 3)
    assert iou(Box(0, 0, 0, 0), Box(0, 0, 0, 0)) == 0.0


def test_points_in_one_place_give_no_transform():
    """Landmarks that all coincide are refused instead of dividing by nothing."""
    with pytest.raises(ValueError, match="one place"):
        similarity_transform(np.ones((5, 2)), np.zeros((5, 2)))


def test_an_upright_face_in_the_template_s_place_is_not_moved():
    """Landmarks that already lie where ArcFace wants them need the identity transform."""
    landmarks = detection_at(Box(0, 0, 112, 112)).landmarks
    np.testing.assert_allclose(arcface_transform(landmarks), [[1, 0, 0], [0, 1, 0]], atol=1e-9)


def test_turn_of_a_head():
    """A nose midway between the eyes looks at the camera; level with one eye it looks aside."""
    eyes = np.array([0.0, 0.0]), np.array([10.0, 0.0])
    assert turn_of(*eyes, np.array([5.0, 6.0])) == 0.0
    assert turn_of(*eyes, np.array([10.0, 6.0])) == pytest.approx(1.0)
    assert turn_of(eyes[0], eyes[0], np.array([5.0, 6.0])) == 1.0


@pytest.mark.parametrize(
    ("detection", "grey", "flaw"),
    [
        (detection_at(BOX), SHARP, None),
        (detection_at(BOX, score=0.4), SHARP, Flaw.DOUBTFUL),
        (detection_at(Box(0, 0, 20, 20)), SHARP, Flaw.TOO_SMALL),
        (detection_at(BOX, turn=3.0), SHARP, Flaw.TURNED),
        (detection_at(BOX), np.tile(np.linspace(0, 255, CROP_PX), (CROP_PX, 1)), Flaw.BLURRED),
        (detection_at(BOX), np.full((CROP_PX, CROP_PX), 90.0), Flaw.FLAT),
    ],
)
def test_each_flaw_is_named(detection, grey, flaw):
    """A face is refused for the first thing that is wrong with it, and only then."""
    assessment = assess(detection, grey, QualityPolicy())
    assert assessment.flaw is flaw and assessment.is_usable is (flaw is None)
    assert 0.0 <= assessment.quality <= 1.0


def test_a_profile_is_usable_but_proves_nothing():
    """A head turned far aside may still match, but its lack of a match means nothing."""
    assessment = assess(detection_at(BOX, turn=1.2), SHARP, QualityPolicy())
    assert assessment.is_usable and not assessment.is_good


def test_sharpness_does_not_depend_on_the_light():
    """Half the contrast and another brightness leave the sharpness as it is."""
    assert sharpness(SHARP * 0.5 + 20) == pytest.approx(sharpness(SHARP), rel=1e-4)


def test_a_cut_is_told_from_a_change_of_light():
    """Another picture is a cut; the same one darker, or the first one ever, is not."""
    rng = np.random.default_rng(3)
    one, other = rng.integers(0, 255, (2, 18, 32))
    assert scene(None, one) is Scene.STEADY
    assert scene(one, one // 2) is Scene.STEADY
    assert scene(one, other) is Scene.CUT
    assert scene(one, one * 0.6 + other * 0.4) is not Scene.CUT
    black = np.zeros((18, 32))
    assert scene(black, black) is Scene.STEADY and scene(black, one) is Scene.CUT


def test_a_gallery_searches_the_nearest_template_of_each_person():
    """A person with several templates is as similar as the best of them."""
    far, near = -face_of("ani"), face_of("ani")
    gallery = Gallery.build(
        "m", 4, [Template(2, EmployeeId("ani"), near), Template(1, EmployeeId("ani"), far * 7)]
    )
    assert gallery.search(near[None]) == [Match(EmployeeId("ani"), pytest.approx(1.0, abs=1e-6), 1.0)]
    assert len(gallery) == 2 and gallery.gen == 4


def test_an_empty_gallery_knows_nobody():
    """Without templates there is nobody to be similar to."""
    gallery, look = Gallery.empty("m"), face_of("ani")[None]
    assert gallery.search(look) == [None] and gallery.people == () and len(gallery) == 0
    assert gallery.similarities_to(EmployeeId("ani"), look).tolist() == [-1.0]
    assert identify(None, POLICY, POLICY.threshold) is None


def test_a_gallery_refuses_what_is_no_embedding():
    """Zero, not-a-number and mixed lengths are refused when the gallery is built, not when it is searched."""
    for vectors in ([np.zeros(4)], [np.full(4, np.nan)], [np.ones(4), np.ones(5)]):
        with pytest.raises(ValueError):
            Gallery.build("m", 1, [Template(n, EmployeeId(f"p{n}"), each) for n, each in enumerate(vectors)])


def test_a_gallery_never_changes():
    """Nobody gets hold of the rows that threads share: what is handed out is a copy."""
    gallery = gallery_of("ani")
    gallery.matrix[:] = 0.0
    with pytest.raises(FrozenInstanceError):
        gallery.gen = 2
    assert gallery.search(face_of("ani")[None])[0].similarity == pytest.approx(1.0, abs=1e-6)


def test_the_second_best_counts_as_a_person_not_as_a_template():
    """Two templates of one person do not take the margin away from that person."""
    gallery = Gallery.build("m", 1, [Template(n, EmployeeId("ani"), face_of("ani")) for n in range(2)])
    match = identify(gallery.search(face_of("ani")[None])[0], POLICY, POLICY.threshold)
    assert match is not None and match.margin == 1.0


def test_similar_twins_are_nobody():
    """A face equally near to two people is not claimed for either."""
    twins = [Template(n, EmployeeId(each), look_at("x", 0.99, n)) for n, each in enumerate("ab")]
    (match,) = Gallery.build("m", 1, twins).search(face_of("x")[None])
    assert match is not None and match.similarity > 0.9
    assert identify(match, POLICY, POLICY.threshold) is None


def test_the_bar_falls_with_the_looks_that_agree():
    """One look is asked the most, two less, three or more the threshold itself."""
    assert [POLICY.bar(n) for n in (1, 2, 3, 9)] == pytest.approx([0.55, 0.45, 0.40, 0.40])


def test_a_policy_that_makes_no_sense_is_refused():
    """A threshold beyond a cosine, or a negative margin, cannot be configured."""
    numbers = {"two_extra": 0.0, "single_extra": 0.0, "against": 0.1, "same_face": 0.3, "same_look": 0.9}
    with pytest.raises(ValueError):
        MatchPolicy(threshold=40, margin=0.1, **numbers)
    with pytest.raises(ValueError):
        MatchPolicy(threshold=0.4, margin=-0.1, **numbers)


ANI = Verdict(standing=Standing.CONFIRMED, employee_id=EmployeeId("ani"), similarity=0.6)
NOBODY = Verdict(standing=Standing.UNKNOWN)
POSTER = Verdict(standing=Standing.IGNORED)


@pytest.mark.parametrize(
    ("verdict", "told", "at_ms", "due"),
    [
        (NOT_YET, None, 0, None),
        (ANI, None, 0, EventKind.SEEN),
        (ANI, ANI, 29_999, None),
        (ANI, ANI, 30_000, EventKind.STILL),
        (NOBODY, None, 0, EventKind.UNKNOWN),
        (NOBODY, NOBODY, 90_000, None),
        (ANI, NOBODY, 500, EventKind.SEEN),
        (NOBODY, ANI, 90_000, None),
        (POSTER, None, 0, None),
        (POSTER, NOBODY, 90_000, None),
    ],
)
def test_what_is_due(verdict, told, at_ms, due):
    """Seen once, still every so often, unknown once; an unknown who is recognised later is seen then.

    Of a face to ignore nothing is due.
    """
    announced = Announced(verdict=told, at_ms=0)
    assert due_kind(verdict, announced, at_ms, 30.0) is due
