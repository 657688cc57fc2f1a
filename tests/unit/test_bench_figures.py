"""The arithmetic of `bench edge`: whose appearance was found, and what a part of the video cost."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.bench.appearances import GAP_S, Named, appearances, compared
from edge_agent.bench.parts import Part, automatic_parts, cost_of, given_part
from edge_agent.people_folder import InputError

hits = st.lists(
    st.tuples(st.floats(0, 60).map(lambda s: round(s, 2)), st.sampled_from(["ani", "budi"])), max_size=40
)


def named(person: str, first: float, last: float, at: float | None = None) -> Named:
    return Named(person=person, first_s=first, last_s=last, named_s=first if at is None else at)


@given(hits, st.randoms())
def test_appearances_are_hits_without_a_longer_break(seen, random):
    """Every hit lies in one of its person's appearances; two of them are further apart than the gap."""
    found = appearances(seen)
    shuffled = list(seen)
    random.shuffle(shuffled)
    assert appearances(shuffled) == found
    for at_s, person in seen:
        assert sum(each.first_s <= at_s <= each.last_s for each in found if each.person == person) == 1
    for person in ("ani", "budi"):
        own = [each for each in found if each.person == person]
        assert all(later.first_s - earlier.last_s > GAP_S for earlier, later in pairwise(own))
        assert all(each.named_s == each.first_s for each in own)


@given(hits)
def test_whoever_is_compared_with_themselves_has_found_all(seen):
    """Recall one, no delay, nothing missed and nothing unsupported."""
    own = appearances(seen)
    same = compared(own, own)
    assert same.recall == 1.0 and same.found == len(own)
    assert not same.missed and not same.unsupported and set(same.delays_s) <= {0.0}


def test_what_was_missed_what_came_late_and_what_only_one_saw():
    """A name at another time or of another person counts for nothing; a later one counts with its delay."""
    reference = [named("ani", 0, 5), named("budi", 10, 12), named("ani", 30, 31)]
    ours = [named("ani", 0, 5, at=0.8), named("budi", 20, 22), named("ani", 31.5, 33)]
    result = compared(ours, reference)
    assert result.found == 2 and result.delays_s == (0.8, 1.5)
    assert result.missed == (reference[1],) and result.unsupported == (ours[1],)
    assert result.recall == pytest.approx(2 / 3)
    assert compared([], []).recall == 1.0


def test_one_long_appearance_of_ours_may_meet_two_of_the_reference():
    """Who is followed through a gap was found on both sides of it."""
    result = compared([named("ani", 0, 20)], [named("ani", 0, 5), named("ani", 10, 20)])
    assert result.found == 2 and not result.unsupported


def test_a_part_is_given_as_a_name_and_seconds():
    """One or several spans; its length is their sum."""
    assert given_part("empty=0-60") == Part("empty", ((0.0, 60.0),))
    assert given_part("empty=0-60,141.5-200").length_s == 118.5


@pytest.mark.parametrize(
    "words", ["", "empty", "empty=", "=0-60", "empty=60", "empty=60-0", "empty=a-b", "x=5-5"]
)
def test_a_part_that_is_none_is_refused_in_a_sentence(words):
    """With what was given."""
    with pytest.raises(InputError, match="--part wants NAME"):
        given_part(words)


SERIES = [(n / 5, n * 0.01, 0 if n < 50 else 4) for n in range(100)]  # ten empty seconds, ten of a crowd


def test_parts_are_found_and_cost_what_was_spent_in_them():
    """The empty and the crowded half of a video; together they cost what all of it did."""
    empty, crowd = automatic_parts(SERIES)
    assert empty.spans == ((0.0, 10.0),) and crowd.spans == ((10.0, 20.0),)
    assert cost_of(empty, SERIES) == pytest.approx(0.50)
    assert cost_of(empty, SERIES) + cost_of(crowd, SERIES) == pytest.approx(SERIES[-1][1])


def test_a_moment_without_a_face_is_no_empty_part():
    """Five seconds and less are a pause of somebody's; of nothing there are no parts and no costs."""
    pause = [(n / 5, n * 0.01, 0 if 10 <= n < 35 else 1) for n in range(100)]
    assert automatic_parts(pause) == []
    assert automatic_parts([]) == [] and cost_of(Part("all", ((0, 9),)), []) == 0.0
