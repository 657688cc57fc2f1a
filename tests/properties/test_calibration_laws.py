"""Laws of calibration that hold for every set of photos."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.calibration import Basis, Rate, ladder, operating_point, propose, shares_at_or_above
from edge_agent.core.comparisons import Photo, compare
from edge_agent.core.photo_faults import judge
from tests.vision_world import POLICY


@st.composite
def albums(draw) -> list[Photo]:
    """Up to a dozen photos of few people and strangers, their faces anything from alike to unlike."""
    owners = draw(st.lists(st.tuples(st.integers(0, 3), st.booleans()), max_size=12))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    spread = draw(st.sampled_from([0.05, 0.4, 1.0]))
    photos = []
    for number, (person, is_enrolled) in enumerate(owners):
        vector = np.eye(6)[person] + rng.normal(size=6) * spread
        vector = (vector / np.linalg.norm(vector)).astype(np.float32)
        photos.append(
            Photo(name=f"{number}.jpg", person=f"p{person}", embedding=vector, is_enrolled=is_enrolled)
        )
    return photos


thresholds = st.floats(-1, 1, width=32)


@given(albums(), thresholds, thresholds)
def test_a_higher_threshold_matches_fewer_and_misses_more(photos, one, other):
    """FMR and FPIR never rise with the threshold, FNMR and FNIR never fall, and each is a share."""
    comparisons = compare(photos)
    low, high = (operating_point(comparisons, each, 0.08) for each in sorted((one, other)))
    assert low.fmr.errors >= high.fmr.errors and low.fpir.errors >= high.fpir.errors
    assert low.fnmr.errors <= high.fnmr.errors and low.fnir.errors <= high.fnir.errors
    for rate in (low.fmr, low.fnmr, low.fpir, low.fnir):
        assert 0 <= rate.errors <= rate.trials and rate.independent <= rate.trials


@given(albums(), st.randoms(), thresholds)
def test_the_order_of_the_photos_is_irrelevant(photos, random, threshold):
    """Shuffled photos give the same rates, the same proposal and the same lists."""
    before = judge(photos, POLICY)
    shuffled = photos.copy()
    random.shuffle(shuffled)
    after = judge(shuffled, POLICY)
    assert after.faults == before.faults and after.left_out == before.left_out
    points = [operating_point(each.comparisons, threshold, 0.08) for each in (before, after)]
    assert points[0] == points[1]
    proposals = [propose(each.comparisons, POLICY, 0.1) for each in (before, after)]
    assert proposals[0].threshold == proposals[1].threshold and proposals[0].basis == proposals[1].basis


@given(albums())
def test_comparing_is_symmetric(photos):
    """The nearest two photos of two people are the same, whichever of the two is searched for."""
    comparisons = compare(photos)
    rows = comparisons.rows_of()
    for one, first in enumerate(comparisons.people):
        for other, second in enumerate(comparisons.people):
            forth = comparisons.best[rows[True, first], other]
            back = comparisons.best[rows[True, second], one]
            if one != other:
                assert forth.max() == pytest.approx(back.max(), abs=1e-6)
            if one != other and len(rows[True, first]) == len(rows[True, second]) == 1:
                assert forth[0] == pytest.approx(back[0], abs=1e-6)


@given(albums())
def test_a_photo_is_never_compared_with_itself(photos):
    """The nearest photo is another one; for the owner it is one of the owner's, and no copy."""
    comparisons = compare(photos)
    for row, column in np.argwhere(~np.isnan(comparisons.best)):
        nearest = int(comparisons.nearest[row, column])
        assert nearest != row
        assert comparisons.photos[nearest].subject == (True, comparisons.people[column])
        if comparisons.own[row, column]:
            assert comparisons.best[row, column] < 0.98


@given(st.integers(0, 3000), st.integers(1, 3000))
def test_a_bound_is_never_below_the_rate_and_falls_with_the_evidence(errors, trials):
    """At most is at least the rate itself, no more than one, and smaller when more trials say the same."""
    errors = min(errors, trials)
    once, tenfold = Rate(errors, trials, trials), Rate(10 * errors, 10 * trials, 10 * trials)
    assert once.value <= once.at_most <= 1
    assert tenfold.at_most <= once.at_most + 1e-9
    assert Rate(errors, trials, max(1, trials // 2)).at_most >= once.at_most - 1e-9


@settings(max_examples=60)
@given(albums(), st.sampled_from([0.05, 0.3, 0.9]))
def test_a_measured_proposal_meets_the_target_and_none_lower_does(photos, target):
    """The proposed threshold has an FMR of the target at most; a step below it, more."""
    comparisons = compare(photos)
    proposal = propose(comparisons, POLICY, target)
    assert -1 <= proposal.threshold <= 1
    if proposal.basis is Basis.MEASURED and -1 < proposal.threshold < 1:
        at, below = (
            shares_at_or_above(comparisons.impostor, [proposal.threshold - each]) for each in (0, 0.005)
        )
        assert at[0] <= target < below[0]
    elif proposal.basis is not Basis.MEASURED:
        assert proposal.threshold >= POLICY.threshold


@given(albums())
def test_the_ladder_is_short_and_holds_what_it_must(photos):
    """Ascending, few, all cosines, and the thresholds that were asked for are rungs."""
    rungs = ladder(compare(photos), 0.4, 0.455)
    assert rungs == sorted(set(rungs)) and {0.4, 0.455} <= set(rungs)
    assert len(rungs) <= 24 and all(-1 <= each <= 1 for each in rungs)


def test_no_trials_give_no_rate():
    """Nothing compared is not "no errors"."""
    assert math.isnan(Rate(0, 0, 0).value) and math.isnan(Rate(0, 0, 0).at_most)
