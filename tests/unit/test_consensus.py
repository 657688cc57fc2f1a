"""What several looks at one track add up to."""

import pytest

from edge_agent.core.consensus import (
    KEPT,
    NOT_YET,
    Standing,
    Verdict,
    beaten,
    break_at,
    doubts,
    pace_s,
    separate,
    settled,
    weigh,
    with_probe,
)
from tests.vision_world import POLICY, gallery_of, probe

GALLERY = gallery_of("ani", "budi", "citra")


def looks(name, *similarities, every_ms=400, first_ms=0, is_good=True):
    return tuple(
        probe(name, each, first_ms + index * every_ms, is_good=is_good)
        for index, each in enumerate(similarities)
    )


def verdict_of(*probes, **more):
    return weigh(probes, GALLERY, POLICY, **more)


@pytest.mark.parametrize(
    ("similarities", "standing"),
    [
        ((0.50,), Standing.TENTATIVE),
        ((0.60,), Standing.CONFIRMED),
        ((0.44, 0.44), Standing.TENTATIVE),
        ((0.47, 0.47), Standing.CONFIRMED),
        ((0.42, 0.42, 0.42), Standing.CONFIRMED),
        ((0.38, 0.38, 0.38), Standing.TENTATIVE),
    ],
)
def test_fewer_looks_are_asked_more(similarities, standing):
    """Three agreeing looks pass the threshold, two a higher bar, one the highest."""
    assert verdict_of(*looks("ani", *similarities)).standing is standing


def test_looks_too_near_in_time_are_one():
    """Ten looks within a third of a second say no more than one."""
    assert separate(looks("ani", *[0.5] * 10, every_ms=30), POLICY) == 1
    assert verdict_of(*looks("ani", *[0.5] * 10, every_ms=30)).standing is Standing.TENTATIVE


def test_a_still_picture_is_one_look_however_long():
    """The same embedding again and again is one piece of evidence."""
    still = [probe("ani", 0.5, at, seed=1) for at in range(0, 4000, 500)]
    assert separate(still, POLICY) == 1


def test_a_stranger_needs_good_looks_and_time():
    """Unknown is said after good looks two seconds apart, not earlier, and never from poor ones."""
    near_nobody = [probe("stranger", 0.9, at) for at in (0, 1000, 2000)]
    assert verdict_of(*near_nobody[:2]).standing is Standing.TENTATIVE
    assert verdict_of(*near_nobody).standing is Standing.UNKNOWN
    poor = looks("stranger", *[0.9] * 8, every_ms=1000, is_good=False)
    assert verdict_of(*poor).standing is Standing.TENTATIVE


def test_a_track_that_is_over_is_judged_by_what_there_is():
    """Two good looks half a second apart make an unknown once no more can come."""
    two = looks("stranger", 0.9, 0.9, every_ms=500)
    assert verdict_of(*two).standing is Standing.TENTATIVE
    assert verdict_of(*two, is_over=True).standing is Standing.UNKNOWN


def test_a_face_just_below_the_threshold_is_not_called_unknown_lightly():
    """Looks at 0.38 may still become a match; only patience makes them an unknown."""
    assert verdict_of(*looks("ani", *[0.38] * 4, every_ms=1000)).standing is Standing.TENTATIVE
    assert verdict_of(*looks("ani", *[0.38] * 7, every_ms=1000)).standing is Standing.UNKNOWN


def test_lucky_looks_at_a_stranger_do_not_make_a_name():
    """Three looks above the threshold are outweighed by four good ones far below it."""
    mixed = (*looks("ani", 0.41, 0.42, 0.41), *looks("ani", *[0.1] * 4, first_ms=2000))
    assert verdict_of(*mixed).standing is not Standing.CONFIRMED


def test_two_people_in_one_track_are_a_conflict():
    """Clear looks at two people name neither."""
    both = (*looks("ani", 0.6, 0.6), *looks("budi", 0.6, 0.6, first_ms=1000))
    assert verdict_of(*both).standing is Standing.CONFLICT


def test_who_turned_away_is_still_there():
    """A recognised person stays recognised while looks say nothing, and not against evidence."""
    ani = verdict_of(*looks("ani", 0.6))
    assert settled(ani, NOT_YET) == ani
    assert settled(ani, Verdict(standing=Standing.UNKNOWN)).standing is Standing.UNKNOWN


def test_a_clear_look_at_another_person_breaks_the_track_at_once():
    """When the newest look names somebody else by itself, the track ends before it."""
    probes = (*looks("ani", 0.6, 0.6, 0.6), probe("budi", 0.7, 5000))
    assert break_at(probes, verdict_of(*probes[:3]), GALLERY, POLICY) == 3


def test_one_odd_look_at_nobody_does_not_break_it_but_two_do():
    """A hand before the face is forgiven; two good looks at one stranger are another person."""
    ani = looks("ani", 0.8, 0.8, 0.8)
    before = verdict_of(*ani)
    assert break_at((*ani, probe("stranger", 0.9, 5000)), before, GALLERY, POLICY) is None
    two = (*ani, probe("stranger", 0.9, 5000), probe("stranger", 0.9, 5400))
    assert break_at(two, before, GALLERY, POLICY) == 3


def test_good_looks_that_no_longer_show_the_person_end_the_name():
    """Three good looks in a row unlike the recognised person break the track where they begin."""
    ani, before = looks("ani", 0.6, 0.6, 0.6), verdict_of(*looks("ani", 0.6, 0.6, 0.6))
    gone = (*ani, *looks("ani", 0.3, 0.3, 0.3, first_ms=3000))
    assert doubts(gone[:5], before, GALLERY, POLICY) == 2
    assert break_at(gone[:5], before, GALLERY, POLICY) is None
    assert break_at(gone, before, GALLERY, POLICY) == 3


def test_a_person_in_profile_raises_no_doubt():
    """Poor looks neither confirm nor deny."""
    ani, before = looks("ani", 0.6, 0.6, 0.6), verdict_of(*looks("ani", 0.6, 0.6, 0.6))
    profile = (*ani, *looks("ani", *[0.2] * 5, first_ms=3000, is_good=False))
    assert doubts(profile, before, GALLERY, POLICY) == 0
    assert break_at(profile, before, GALLERY, POLICY) is None


def test_nobody_is_in_two_places():
    """Of two tracks named alike the clearly more similar one keeps the name, else the first."""
    low, high = verdict_of(*looks("ani", 0.6)), verdict_of(*looks("ani", 0.9))
    assert beaten({1: low, 2: high}, POLICY.margin) == [1]
    assert beaten({1: high, 2: low}, POLICY.margin) == [2]
    assert beaten({1: low, 2: low}, POLICY.margin) == [2]
    assert beaten({1: low, 2: NOT_YET, 3: verdict_of(*looks("budi", 0.9))}, POLICY.margin) == []


def test_the_pace_of_looking():
    """At once at first and in doubt, soon until it is clear, then now and then."""
    quick = {"is_ambiguous": False, "doubts": 0}
    three, one = looks("ani", 0.7, 0.7, 0.7), looks("ani", 0.7)
    assert pace_s((), NOT_YET, POLICY, **quick) == 0.0
    assert pace_s(one, verdict_of(*one), POLICY, **quick) == POLICY.spacing_s
    assert pace_s(three, verdict_of(*three), POLICY, **quick) == POLICY.reverify_s
    assert pace_s(three, verdict_of(*three), POLICY, is_ambiguous=True, doubts=0) == 0.0
    assert pace_s(three, verdict_of(*three), POLICY, is_ambiguous=False, doubts=1) == POLICY.spacing_s
    stranger = looks("stranger", *[0.9] * KEPT)
    assert pace_s(stranger[:4], NOT_YET, POLICY, **quick) == POLICY.spacing_s
    assert pace_s(stranger, verdict_of(*stranger), POLICY, **quick) == POLICY.reverify_s


def test_only_the_newest_looks_are_kept():
    """A track's memory is bounded."""
    probes = ()
    for each in looks("ani", *[0.5] * 20):
        probes = with_probe(probes, each)
    assert len(probes) == KEPT and probes[-1].at_ms == 19 * 400
