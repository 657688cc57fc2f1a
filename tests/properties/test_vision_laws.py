"""Laws of the vision core that hold for every input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.ids import EmployeeId
from edge_agent.core.consensus import Standing, weigh
from edge_agent.core.gallery import Gallery, Template
from edge_agent.core.geometry import ARCFACE_LANDMARKS, Box, iou, similarity_transform
from edge_agent.core.identification import identify
from edge_agent.core.tracking import TrackPolicy, advance
from tests.vision_world import POLICY, detection_at, face_of, gallery_of, look_at, probe

cosines = st.floats(-1, 1, width=32)
people = st.dictionaries(st.sampled_from([EmployeeId(f"p{n}") for n in range(6)]), cosines)
places = st.builds(
    lambda x, y, w, h: Box(x, y, x + w, y + h),
    *[st.floats(0, 900)] * 2,
    *[st.floats(1, 300)] * 2,
)


@given(st.floats(-math.pi, math.pi), st.floats(0.05, 20), st.floats(-500, 500), st.floats(-500, 500))
def test_a_known_transform_is_recovered(angle, scale, x, y):
    """Points turned, scaled and shifted by known amounts give exactly those amounts back."""
    turn = scale * np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    moved = ARCFACE_LANDMARKS @ turn.T + (x, y)
    np.testing.assert_allclose(similarity_transform(ARCFACE_LANDMARKS, moved), np.c_[turn, (x, y)], atol=1e-6)


@given(places, places)
def test_overlap_is_symmetric_and_bounded(a, b):
    """Intersection over union does not care who is asked, and lies in 0..1."""
    assert iou(a, b) == iou(b, a) and 0 <= iou(a, b) <= 1 + 1e-9


@given(people, people, st.floats(-1, 1))
def test_nobody_is_named_below_the_threshold_or_within_the_margin(similarities, anchors, bar):
    """Whoever is identified is at or above threshold and bar, and well ahead of everyone and every anchor."""
    (found,) = gallery_that_says(similarities, anchors).search(face_of("anybody")[None])
    match = identify(found, POLICY, bar)
    if match is not None:
        assert match.similarity >= max(bar, POLICY.threshold)
        assert match.similarity == pytest.approx(similarities[match.employee_id], abs=1e-5)
        others = [each for person, each in similarities.items() if person != match.employee_id]
        assert all(match.similarity - each >= POLICY.margin - 1e-5 for each in [*others, *anchors.values()])


def gallery_that_says(similarities, anchors):
    """Return a gallery in which the face of anybody has these similarities to people and anchors."""
    people = [(each, cosine, False) for each, cosine in similarities.items()]
    people += [(each, cosine, True) for each, cosine in anchors.items()]
    return Gallery.build(
        "m",
        1,
        [
            Template(n, who, look_at("anybody", cosine, n), flag)
            for n, (who, cosine, flag) in enumerate(people)
        ],
    )


looks = st.lists(
    st.tuples(st.sampled_from(["ani", "budi", "stranger"]), st.floats(0, 0.99), st.booleans()), max_size=8
)


@settings(max_examples=150)
@given(looks, st.integers(30, 1500))
def test_a_name_always_has_looks_to_show_for_it(seen, every_ms):
    """A confirmed person was named by looks that reach what was asked; an unknown by good looks."""
    gallery = gallery_of("ani", "budi")
    probes = [
        probe(name, similarity, n * every_ms, is_good=good) for n, (name, similarity, good) in enumerate(seen)
    ]
    verdict = weigh(probes, gallery, POLICY)
    if verdict.standing is Standing.CONFIRMED:
        assert verdict.similarity >= verdict.threshold >= POLICY.threshold and verdict.frames >= 1
        assert (
            max(
                float(gallery.similarities_to(verdict.employee_id, each.embedding[None])[0])
                for each in probes
            )
            >= verdict.threshold - 1e-6
        )
    if verdict.standing is Standing.UNKNOWN:
        assert verdict.employee_id is None and sum(each.is_good for each in probes) >= 2


@given(st.lists(st.lists(places, max_size=4), max_size=12), st.integers(40, 1000))
def test_tracks_are_never_shared(frames, every_ms):
    """Each detection belongs to one track, each number is given once, and an ended track stays ended."""
    tracks, number, ended = (), 1, set()
    for index, boxes in enumerate(frames):
        step = advance(tracks, [detection_at(box) for box in boxes], index * every_ms, number, TrackPolicy())
        tracks, number = step.tracks, step.next_number
        assert len({id(each) for each in step.seen.values()}) == len(step.seen) == len(boxes)
        assert len({each.number for each in tracks}) == len(tracks)
        ended |= {each.number for each in step.ended}
        assert not ended & {each.number for each in tracks}
