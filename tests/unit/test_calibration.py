"""What a calibration counts, proposes and finds fault with, on faces of known similarity."""

import math

import numpy as np
import pytest

from edge_agent.calibration_report import percent
from edge_agent.core.calibration import Basis, Rate, operating_point, propose
from edge_agent.core.comparisons import Photo, compare
from edge_agent.core.photo_faults import Likeness, judge
from tests.vision_world import POLICY, face_of, look_at


def photo(name: str, face: str | None = None, *, similarity: float = 0.9, stranger: bool = False) -> Photo:
    """Return a photo `person/file`, of the person's own face or of somebody else's."""
    person, _, file = name.partition("/")
    seed = sum(file.encode())
    return Photo(
        name=name,
        person=person,
        embedding=look_at(face or person, similarity, seed),
        is_enrolled=not stranger,
    )


def between(one: str, other: str, similarity: float) -> np.ndarray:
    """Return a unit vector of that similarity to one's face, the rest of it in other's direction."""
    own, away = face_of(one), face_of(other)
    away = away - (away @ own) * own
    return (similarity * own + math.sqrt(1 - similarity**2) * away / np.linalg.norm(away)).astype(np.float32)


THREE = [photo(f"{person}/{number}.jpg") for person in ("ani", "budi", "citra") for number in (1, 2)]


def test_every_photo_meets_its_owner_once_and_everybody_else_once():
    """Six photos of three people: six genuine comparisons, twelve impostor ones, three pairs of people."""
    comparisons = compare(THREE)
    assert (len(comparisons.genuine), len(comparisons.impostor)) == (6, 12)
    assert (comparisons.pairs, comparisons.owners) == (3, 3)


def test_an_impostor_meets_every_enrolled_person_and_nobody_meets_an_impostor():
    """Four strangers among three people: twelve comparisons more, none of them genuine."""
    strangers = [photo(f"s{number}/1.jpg", stranger=True) for number in range(4)]
    comparisons = compare(THREE + strangers)
    assert (len(comparisons.genuine), len(comparisons.impostor)) == (6, 24)
    assert comparisons.pairs == 3 + 4 * 3 and comparisons.people == ("ani", "budi", "citra")


def test_the_nearest_of_a_persons_photos_counts():
    """As in the gallery: a good photo is not spoilt by a poor one beside it."""
    near, far = photo("ani/near.jpg", similarity=0.95), photo("ani/far.jpg", similarity=0.3)
    probe = photo("ani/probe.jpg", similarity=0.95)
    comparisons = compare([near, far, probe])
    row = [each.name for each in comparisons.photos].index("ani/probe.jpg")
    assert comparisons.best[row, 0] == pytest.approx(float(probe.embedding @ near.embedding), abs=1e-6)
    assert comparisons.photos[comparisons.nearest[row, 0]].name == "ani/near.jpg"


def test_embeddings_of_two_models_are_refused():
    """Vectors of different lengths have nothing to say to one another."""
    other = Photo(name="budi/1.jpg", person="budi", embedding=np.ones(3, np.float32))
    with pytest.raises(ValueError, match="one model"):
        compare([photo("ani/1.jpg"), other])


def test_the_rule_of_three():
    """No error in n trials shows no more than 3/n, and the independent trials are what counts."""
    assert Rate(0, 3000, 3000).at_most == pytest.approx(0.001)
    assert Rate(0, 3000, 300).at_most == pytest.approx(0.01)
    assert Rate(0, 2, 2).at_most == 1


@pytest.mark.parametrize(("errors", "exact"), [(1, 0.0474), (5, 0.1028), (50, 0.5857)])
def test_a_bound_with_errors_is_near_the_exact_one_and_never_below(errors, exact):
    """Of a hundred trials; exact is Clopper and Pearson's one-sided 95 % limit."""
    assert exact <= Rate(errors, 100, 100).at_most <= exact * 1.15


def test_a_search_asks_for_the_margin_and_a_comparison_does_not():
    """A face between two people matches both, and is named after neither."""
    middle = between("ani", "budi", math.sqrt(0.5))
    photos = [
        Photo(name="ani/1.jpg", person="ani", embedding=face_of("ani")),
        Photo(name="budi/1.jpg", person="budi", embedding=between("ani", "budi", 0.0)),
        Photo(name="stranger.jpg", person="stranger.jpg", embedding=middle, is_enrolled=False),
    ]
    point = operating_point(compare(photos), 0.6, 0.08)
    assert point.fmr.errors == 2 and point.fpir.errors == 0
    assert operating_point(compare(photos), 0.6, 0.0).fpir.errors == 1


def test_a_photo_nearer_to_somebody_else_is_a_false_negative_of_the_search():
    """Its owner would not be named, although the photo matches them."""
    astray = Photo(name="ani/astray.jpg", person="ani", embedding=between("budi", "ani", 0.8))
    point = operating_point(compare([*THREE, astray]), 0.5, 0.08)
    assert point.fnmr.errors < point.fnir.errors


def test_few_photos_leave_the_models_own_threshold():
    """Three pairs of people cannot show one in a thousand; nothing speaks against the default."""
    proposal = propose(compare(THREE), POLICY, 0.001)
    assert (proposal.basis, proposal.threshold) == (Basis.DEFAULT_STANDS, POLICY.threshold)
    assert (proposal.pairs, proposal.pairs_needed) == (3, 3000)


def test_different_people_too_alike_raise_the_threshold():
    """Above the highest impostor by the model's own margin, rounded up to a step."""
    alike = Photo(name="budi/1.jpg", person="budi", embedding=between("ani", "x", 0.38))
    own = Photo(name="ani/1.jpg", person="ani", embedding=face_of("ani"))
    proposal = propose(compare([own, alike]), POLICY, 0.001)
    assert (proposal.basis, proposal.threshold) == (Basis.RAISED, 0.46)
    assert proposal.highest_impostor == pytest.approx(0.38, abs=1e-5)


def test_enough_pairs_give_the_lowest_threshold_that_meets_the_target():
    """A hundred people at a tenth: the share at it is at most that, a step below it is more."""
    crowd = [photo(f"p{number}/1.jpg") for number in range(100)]
    comparisons = compare(crowd)
    proposal = propose(comparisons, POLICY, 0.1)
    assert proposal.basis is Basis.MEASURED and proposal.threshold < POLICY.threshold
    at, below = (
        operating_point(comparisons, proposal.threshold - each, 0.08).fmr.value for each in (0, 0.005)
    )
    assert at <= 0.1 < below


def test_nobody_to_compare_with_proposes_nothing_new():
    """One person alone: the model's own threshold, and it is said on what it rests."""
    proposal = propose(compare(THREE[:2]), POLICY, 0.001)
    assert (proposal.basis, proposal.threshold) == (Basis.NOTHING, POLICY.threshold)
    assert math.isnan(proposal.highest_impostor)


def test_a_photo_in_the_wrong_folder_is_listed_and_left_out():
    """Unlike its owner, like somebody else; it moves neither the rates nor the proposal."""
    judgement = judge([*THREE, photo("ani/poison.jpg", "budi")], POLICY)
    (found,) = judgement.faults.unlike
    assert found.photo == "ani/poison.jpg" and found.is_misplaced
    assert found.nearest_other.startswith("budi/") and found.other_similarity > 0.7
    assert judgement.faults.alike == () and judgement.left_out == 0
    assert operating_point(judgement.comparisons, 0.4, 0.08).fmr.errors == 0


def test_a_misplaced_photo_does_not_accuse_the_one_beside_it():
    """The other photo of that folder is alone, once the wrong one is taken out."""
    photos = [photo("ani/1.jpg"), photo("ani/poison.jpg", "budi"), *THREE[2:]]
    faults = judge(photos, POLICY).faults
    assert [each.photo for each in faults.unlike] == ["ani/poison.jpg"]
    assert faults.single == ("ani",)


def test_a_photo_like_nobody_is_listed_and_still_counts():
    """It may be a poor photo of its owner: an honest miss stays in the figures."""
    judgement = judge([*THREE, photo("ani/odd.jpg", "somebody")], POLICY)
    (found,) = judgement.faults.unlike
    assert found.photo == "ani/odd.jpg" and not found.is_misplaced
    assert operating_point(judgement.comparisons, POLICY.threshold, 0.08).fnmr.errors == 1


def test_one_person_under_two_names_is_listed_and_not_compared():
    """Most of their photos are alike: the two are no evidence about different people."""
    photos = [*THREE, photo("zul/3.jpg", "ani"), photo("zul/4.jpg", "ani")]
    judgement = judge(photos, POLICY)
    (found,) = judgement.faults.alike
    assert found.people == ("ani", "zul") and found.likeness is Likeness.ONE_PERSON
    assert judgement.left_out == 4
    assert judgement.comparisons.pairs == 4 * 3 // 2 - 1


def test_one_picture_under_two_names_is_called_so():
    """A copy is an enrolment mistake, not a likeness."""
    picture = photo("ani/1.jpg")
    copy = Photo(name="zul/1.jpg", person="zul", embedding=picture.embedding)
    (found,) = judge([picture, copy, *THREE[2:]], POLICY).faults.alike
    assert found.likeness is Likeness.SAME_PICTURE and found.similarity == pytest.approx(1)


def test_an_impostor_who_is_enrolled_is_listed():
    """Somebody's photo among the strangers would make the recogniser look worse than it is."""
    judgement = judge([*THREE, photo("visitor/9.jpg", "budi", stranger=True)], POLICY)
    (found,) = judgement.faults.alike
    assert found.people == ("budi", "visitor") and found.is_impostor
    assert found.likeness is Likeness.ONE_PERSON and judgement.left_out == 1


def test_people_who_merely_come_near_are_listed_and_counted():
    """Below the bar of a single look nothing is taken out of the figures, not even a false match."""
    look_alike = Photo(name="zul/1.jpg", person="zul", embedding=between("ani", "x", 0.45))
    own = Photo(name="ani/1.jpg", person="ani", embedding=face_of("ani"))
    judgement = judge([own, look_alike], POLICY)
    assert [each.likeness for each in judgement.faults.alike] == [Likeness.WOULD_MATCH]
    assert judgement.left_out == 0
    assert operating_point(judgement.comparisons, 0.4, 0.08).fmr.errors == 2


def test_a_copy_of_ones_own_photo_is_no_second_photo():
    """The person still cannot be judged, and the copy is named."""
    picture = photo("ani/1.jpg")
    copy = Photo(name="ani/copy.jpg", person="ani", embedding=picture.embedding)
    judgement = judge([picture, copy, *THREE[2:]], POLICY)
    assert judgement.faults.copies == (("ani/1.jpg", "ani/copy.jpg"),)
    assert judgement.faults.single == ("ani",)
    assert len(judgement.comparisons.genuine) == 4


@pytest.mark.parametrize(
    ("share", "words"),
    [(1, "100 %"), (0.12, "12 %"), (0.012, "1.2 %"), (0.00004, "0.0040 %"), (0, "0 %"), (math.nan, "-")],
)
def test_a_small_rate_is_never_shown_as_none(share, words):
    """0 % is said only of no error at all."""
    assert percent(share) == words
