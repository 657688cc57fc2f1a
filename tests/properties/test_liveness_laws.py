"""Laws of liveness that hold for every face, picture and order of looks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.core.geometry import Box, overlap
from edge_agent.core.liveness import LiveLook, live_probability, parted, patch_around, summed_up

scores = st.lists(st.floats(0, 1), min_size=1, max_size=12)
sides = st.integers(64, 2000)


@given(sides, sides, st.floats(0, 1), st.floats(0, 1), st.floats(8, 400), st.floats(8, 400), st.floats(1, 5))
def test_a_patch_is_of_the_picture_and_shows_the_face(width, height, x, y, w, h, scale):
    """Whole pixels of the picture, at most scale times the face, with (nearly) all of the face in it."""
    face = Box(x * width, y * height, x * width + w, y * height + h)
    patch = patch_around(face, scale, width, height)
    if patch is None:
        assert overlap(face, Box(0, 0, width, height)) < 0.9 * face.area
        return
    assert 0 <= patch.left < patch.right <= width and 0 <= patch.top < patch.bottom <= height
    assert all(side == int(side) for side in (patch.left, patch.top, patch.right, patch.bottom))
    assert patch.width <= scale * w + 2 and patch.height <= scale * h + 2
    if scale * w < width - 1 and scale * h < height - 1:
        assert overlap(face, patch) >= 0.85 * face.area


@given(scores, st.randoms())
def test_the_order_of_looks_does_not_matter(values, random):
    """The same looks in any order say the same, within what the looks themselves say."""
    looks = [LiveLook(at, value) for at, value in enumerate(values)]
    told = summed_up(looks)
    random.shuffle(looks)
    assert summed_up(looks) == told
    assert min(values) <= told.score <= max(values) and told.looks == len(values)


@given(scores, st.integers(0, 14))
def test_parting_loses_and_doubles_nothing(values, at):
    """Every look is on one side, with the ones of its time."""
    looks = tuple(LiveLook(n, value) for n, value in enumerate(values))
    before, after = parted(looks, at)
    assert before + after == looks
    assert all(each.at_ms < at for each in before) and all(each.at_ms >= at for each in after)


@given(st.lists(st.floats(-500, 500), min_size=3, max_size=3), st.floats(-50, 50))
def test_logits_become_shares_of_one(logits, shift):
    """The shares of the classes add up to 1, and moving all logits together changes nothing."""
    row = np.array(logits)
    shares = [live_probability(row, each) for each in range(3)]
    assert sum(shares) == pytest.approx(1)
    assert live_probability(row + shift) == pytest.approx(shares[1], abs=1e-9)
