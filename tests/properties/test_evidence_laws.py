"""Laws of what is asked before a name, and of how soon a face is looked at again."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.ids import EmployeeId
from edge_agent.core.consensus import (
    KEPT,
    NOT_YET,
    SETTLED,
    Standing,
    Verdict,
    is_much_better,
    pace_s,
    searched,
)
from tests.vision_world import POLICY, gallery_of, look_at, probe

LEADING = replace(POLICY, lead=0.30)
margins = st.floats(-0.5, 2.0)
counts = st.integers(0, 12)
policies = st.builds(
    lambda probes, two, more, margin, lead: replace(
        POLICY,
        probes=probes,
        two_extra=two,
        single_extra=two + more,
        margin=margin,
        lead=lead and margin + lead,
    ),
    st.integers(1, 5),
    st.floats(0, 0.2),
    st.floats(0, 0.3),
    st.floats(0, 0.3),
    st.one_of(st.none(), st.floats(0.01, 0.5)),
)


@given(policies, counts, margins)
def test_the_bar_is_never_below_the_threshold(policy, agreeing, margin):
    """However far somebody leads, and however many looks agree, the threshold is asked."""
    assert policy.threshold <= policy.bar(agreeing, margin) <= policy.threshold + policy.single_extra + 1e-9


@given(policies, counts, counts, margins, margins)
def test_more_evidence_never_raises_the_bar(policy, few, many, narrow, wide):
    """Neither another look that agrees nor a wider lead asks for more similarity."""
    few, many, narrow, wide = min(few, many), max(few, many), min(narrow, wide), max(narrow, wide)
    assert policy.bar(many, wide) <= policy.bar(few, narrow) + 1e-12


@given(policies, counts, margins)
def test_a_lead_eases_nothing_up_to_the_margin_and_everything_from_the_lead_on(policy, agreeing, margin):
    """Within the margin, and in a policy without a lead, as much is asked as ever."""
    unled = replace(policy, lead=None)
    if policy.lead is None or margin <= policy.margin:
        assert policy.bar(agreeing, margin) == unled.bar(agreeing) == unled.bar(agreeing, margin)
    elif margin >= policy.lead + 1e-9:
        assert policy.bar(agreeing, margin) == pytest.approx(policy.threshold)


def test_a_lead_that_is_no_lead_is_refused():
    """It must lie beyond the margin, or every name would be eased."""
    with pytest.raises(ValueError, match="lead"):
        replace(POLICY, lead=POLICY.margin)


def calm_probes(count: int, apart_ms: int, similarity: float = 0.7) -> list:
    gallery = gallery_of("ani")
    return list(searched([probe("ani", similarity, n * apart_ms) for n in range(count)], gallery))


CONFIRMED = Verdict(standing=Standing.CONFIRMED, employee_id=EmployeeId("ani"), frames=8)


@given(st.integers(3, KEPT), st.integers(350, 20_000))
def test_who_is_known_is_looked_at_ever_less_often(count, apart_ms):
    """After as long again as the kept looks span, but at least every 30 s, and not before three seconds."""
    pace = pace_s(calm_probes(count, apart_ms), CONFIRMED, LEADING, is_ambiguous=False, doubts=0)
    assert pace == pytest.approx(min(30.0, max(3.0, (count - 1) * apart_ms / 1000)))


def test_the_pace_grows_until_it_stays():
    """An hour of somebody who sits there costs a hundred and some looks, the last ones 30 s apart."""
    at_ms, taken = 0, [0]
    while at_ms < 3_600_000:
        probes = searched([probe("ani", 0.7, each) for each in taken[-KEPT:]], gallery_of("ani"))
        verdict = replace(CONFIRMED, frames=len(probes))
        at_ms += round(1000 * pace_s(probes, verdict, LEADING, is_ambiguous=False, doubts=0))
        taken.append(at_ms)
    gaps = np.diff(taken)
    assert (np.diff(gaps) >= 0).all() and gaps[-1] == 30_000
    assert 110 <= len(taken) <= 145


@pytest.mark.parametrize("why", ["nothing yet", "ambiguous", "disagrees"])
def test_who_may_be_somebody_else_is_looked_at_at_once(why):
    """No look yet, another track nearby, or a newest look that shows another face."""
    probes = [] if why == "nothing yet" else calm_probes(5, 3000)
    if why == "disagrees":
        probes.append(probe("budi", 0.9, 15_000))
    assert pace_s(probes, CONFIRMED, LEADING, is_ambiguous=why == "ambiguous", doubts=0) == 0.0


def test_a_doubt_ends_the_long_pauses():
    """Somebody known whose newest look does not show them is looked at again soon."""
    probes = calm_probes(KEPT, 30_000)
    assert pace_s(probes, CONFIRMED, LEADING, is_ambiguous=False, doubts=1) == LEADING.spacing_s


def test_who_nearly_matches_is_looked_at_more_often_than_who_matches_nobody():
    """After eight looks: every second for a face that came near somebody, ever less often for a stranger."""
    near, far = alike(POLICY.threshold - 0.02), alike(0.1)
    paces = [pace_s(each, NOT_YET, LEADING, is_ambiguous=False, doubts=0) for each in (near, far)]
    assert paces == [pytest.approx(3 * LEADING.spacing_s), 7.0]
    unknown = Verdict(standing=Standing.UNKNOWN)
    assert pace_s(near, unknown, LEADING, is_ambiguous=False, doubts=0) == 7.0


def alike(similarity: float) -> list:
    """Return looks at one face, a second apart, of such a similarity to somebody enrolled."""
    embedding = look_at("ani", similarity, 1)
    looks = [replace(probe("ani", 1.0, n * 1000), embedding=embedding) for n in range(KEPT)]
    return list(searched(looks, gallery_of("ani")))


standings = st.sampled_from(list(Standing))


@given(st.lists(st.floats(0, 1), max_size=KEPT), st.floats(0, 1), standings)
def test_only_a_clearly_better_look_is_taken_out_of_turn(qualities, quality, standing):
    """Better by a seventh than every look so far, and never of somebody who is known."""
    probes = [replace(probe("ani", 0.7, n), quality=each) for n, each in enumerate(qualities)]
    is_better = is_much_better(quality, probes, Verdict(standing=standing))
    if standing in SETTLED:
        assert not is_better
    else:
        assert is_better == (quality >= 1.15 * max(qualities, default=0.0))
