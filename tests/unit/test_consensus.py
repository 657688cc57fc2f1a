"""What several looks at one track add up to."""

import pytest

from common.ids import EmployeeId
from edge_agent.core.consensus import (
    KEPT,
    NOT_YET,
    Standing,
    Verdict,
    beaten,
    break_at,
    doubts,
    pace_s,
    searched,
    separate,
    settled,
    weigh,
    with_probe,
)
from edge_agent.core.gallery import Gallery, Template
from tests.vision_world import POLICY, face_of, gallery_of, look_at, probe

GALLERY = gallery_of("ani", "budi", "citra")
WALL = GALLERY.with_anchors(
    Template(-1 - n, EmployeeId(""), face, is_ignored=True)
    for n, face in enumerate([face_of("poster"), look_at("poster", 0.95, 1)])  # two photos of one poster
)


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


@pytest.mark.parametrize(
    ("similarities", "standing"),
    [
        ((0.38,), Standing.TENTATIVE),
        ((0.45,), Standing.IGNORED),
        ((0.6, 0.6, 0.6), Standing.IGNORED),
        ((0.2, 0.2, 0.2, 0.2), Standing.UNKNOWN),
    ],
)
def test_a_face_to_ignore_is_neither_named_nor_unknown(similarities, standing):
    """Looks that reach the threshold for an anchor make a track ignored; far ones leave it a stranger's."""
    verdict = weigh(looks("poster", *similarities, every_ms=1000), WALL, POLICY)
    assert verdict.standing is standing and verdict.employee_id is None


def test_a_poster_is_ignored_however_still_it_is():
    """One picture all the time is one look, and one look is enough to ignore it."""
    still = [probe("poster", 0.5, at, seed=1) for at in range(0, 4000, 500)]
    verdict = weigh(still, WALL, POLICY)
    assert (verdict.standing, verdict.frames) == (Standing.IGNORED, 8)


def test_an_anchor_beside_a_person_blocks_the_name():
    """A face about as near to an anchor as to a person is nobody's."""
    clear = looks("ani", 0.6, 0.6, 0.6)
    twin = Template(-1, EmployeeId(""), look_at("ani", 0.97, 1), is_ignored=True)
    assert weigh(clear, GALLERY, POLICY).standing is Standing.CONFIRMED
    assert weigh(clear, GALLERY.with_anchors([twin]), POLICY).standing is not Standing.CONFIRMED


def test_one_look_at_a_poster_does_not_hide_a_person():
    """Against a person an anchor needs as many looks as a person does."""
    mixed = (probe("poster", 0.45, 0), *looks("ani", 0.6, 0.6, 0.6, first_ms=1000))
    assert weigh(mixed, WALL, POLICY).employee_id == "ani"
    both = (*looks("poster", 0.6, 0.6), *looks("ani", 0.6, 0.6, first_ms=1000))
    assert weigh(both, WALL, POLICY).standing is Standing.CONFLICT


def test_who_steps_before_a_poster_gets_a_track_of_their_own():
    """The track of an ignored face ends where another face begins, known or not; and the other way round."""
    poster = looks("poster", 0.7, 0.7, 0.7)
    before = weigh(poster, WALL, POLICY)
    assert break_at((*poster, probe("ani", 0.7, 5000)), before, WALL, POLICY) == 3
    strangers = looks("stranger", 0.9, 0.9, first_ms=5000)
    assert break_at((*poster, *strangers), before, WALL, POLICY) == 3
    ani = looks("ani", 0.7, 0.7, 0.7)
    assert break_at((*ani, probe("poster", 0.7, 5000)), weigh(ani, WALL, POLICY), WALL, POLICY) == 3


def test_an_ignored_face_stays_ignored_and_is_seldom_looked_at():
    """A poor look takes nothing back, good looks at nobody do in the end, and the pace is slow."""
    poster = looks("poster", 0.7, 0.7, 0.7)
    ignored = weigh(poster, WALL, POLICY)
    assert settled(ignored, NOT_YET) is ignored
    assert pace_s(poster, ignored, POLICY, is_ambiguous=False, doubts=0) == POLICY.reverify_s
    gone = (*poster, *looks("poster", 0.3, 0.3, 0.3, first_ms=3000))
    assert doubts(gone, ignored, WALL, POLICY) == 3 and break_at(gone, ignored, WALL, POLICY) == 3


def test_a_probe_is_searched_once_in_each_gallery(monkeypatch):
    """Judging a track again costs no search; another gallery costs one product for all its probes."""
    counts = []
    search = Gallery.search
    monkeypatch.setattr(
        Gallery, "search", lambda self, probes: (counts.append(len(probes)), search(self, probes))[1]
    )
    probes = ()
    for each in looks("ani", 0.6, 0.6, 0.6):
        probes = searched(with_probe(probes, each), GALLERY)
        verdict = weigh(probes, GALLERY, POLICY)
        break_at(probes, verdict, GALLERY, POLICY)
        doubts(probes, verdict, GALLERY, POLICY)
    assert counts == [1, 1, 1]
    later = GALLERY.with_templates([Template(9, EmployeeId("dewi"), face_of("dewi"))], gen=2)
    assert weigh(searched(probes, later), later, POLICY).employee_id == verdict.employee_id == "ani"
    assert counts == [1, 1, 1, 3]


def test_what_is_kept_of_a_search_keeps_no_template():
    """A probe remembers the answer and the name of the gallery, never the gallery itself."""
    (kept,) = searched(looks("ani", 0.6), GALLERY)
    assert kept.found.stamp is GALLERY.stamp and kept.found.match.employee_id == "ani"
    assert not isinstance(kept.found.stamp, Gallery)
