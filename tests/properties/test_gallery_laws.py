"""Laws of the gallery that hold for every set of templates, however it came about."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.ids import EmployeeId
from edge_agent.core import gallery as gallery_module
from edge_agent.core.gallery import Gallery, Template
from tests.vision_world import DIMENSION

ROUNDING = 1e-5  # a product adds up in another order when its rows lie elsewhere
PEOPLE = [EmployeeId(f"p{n}") for n in range(5)]


@pytest.fixture(autouse=True, scope="module")
def small_chunks():
    """Sixteen templates fill a chunk, and five are read at a time: a few dozen of them make many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery_module, "CHUNK_BYTES", 0)
        patch.setattr(gallery_module, "BLOCK", 5)
        yield


@st.composite
def some_templates(draw, most=40):
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    owners = draw(
        st.lists(st.tuples(st.sampled_from(PEOPLE), st.sampled_from([False] * 3 + [True])), max_size=most)
    )
    return [
        Template(n, who, rng.normal(size=DIMENSION).astype(np.float32), is_ignored)
        for n, (who, is_ignored) in enumerate(owners)
    ]


def some_probes(count: int = 3) -> np.ndarray:
    probes = np.random.default_rng(11).normal(size=(count, DIMENSION)).astype(np.float32)
    return probes / np.linalg.norm(probes, axis=1, keepdims=True)


PROBES = some_probes()


def by_hand(templates, probe):
    """Return (who, similarity, margin) as a loop over all templates finds it; all anchors are one."""
    best: dict[EmployeeId | None, float] = {}
    for each in templates:
        who = None if each.is_ignored else each.employee_id
        cosine = float(probe @ (each.vector / np.linalg.norm(each.vector)))
        best[who] = max(cosine, best.get(who, -1.0))
    ranked = sorted(best.items(), key=lambda each: -each[1])
    if not ranked:
        return None
    (who, similarity), *others = ranked
    return who, similarity, min(1.0, similarity - others[0][1]) if others else 1.0


def assert_holds(gallery: Gallery, templates) -> None:
    """Assert that gallery answers every question as a loop over these templates does."""
    assert len(gallery) == len(templates)
    assert gallery.people == tuple(sorted({each.employee_id for each in templates if not each.is_ignored}))
    for probe, match in zip(PROBES, gallery.search(PROBES), strict=True):
        expected = by_hand(templates, probe)
        assert (match is None) == (expected is None)
        if match is not None and expected is not None:
            if expected[2] > ROUNDING:  # of two who are equally near, either may come first
                assert match.employee_id == expected[0] and match.is_ignored == (expected[0] is None)
            assert (match.similarity, match.margin) == pytest.approx(expected[1:], abs=ROUNDING)
    for who in (*PEOPLE, None, EmployeeId("nobody")):
        own = [each for each in templates if (None if each.is_ignored else each.employee_id) == who]
        expected = [by_hand(own, probe)[1] if own else -1.0 for probe in PROBES]
        assert gallery.similarities_to(who, PROBES) == pytest.approx(expected, abs=ROUNDING)


@given(some_templates())
def test_a_search_finds_what_a_loop_over_everybody_finds(templates):
    """Best person, similarity and the lead over the second person, and any one person's similarity."""
    assert_holds(Gallery.build("m", 1, templates), templates)


@given(some_templates(), st.randoms())
def test_the_order_of_templates_is_irrelevant(templates, random):
    """Shuffled templates give the same answers, up to rounding."""
    shuffled = list(templates)
    random.shuffle(shuffled)
    assert_holds(Gallery.build("m", 1, shuffled), templates)


@given(some_templates(), st.lists(st.integers(1, 12), max_size=8))
def test_adding_one_by_one_equals_building_at_once(templates, sizes):
    """However the templates arrive, the gallery is the same; and each one on the way stays what it was."""
    galleries, rest, seen = [Gallery.empty("m")], list(templates), [0]
    for size in [*sizes, len(rest)]:
        galleries.append(galleries[-1].with_templates(rest[:size], gen=len(galleries)))
        seen.append(seen[-1] + len(rest[:size]))
        rest = rest[size:]
    for gallery, count in zip(galleries, seen, strict=True):
        assert_holds(gallery, templates[:count])


@given(some_templates(), some_templates(), some_templates())
def test_two_galleries_made_of_one_do_not_disturb_each_other(templates, one, other):
    """Neither sees what was added to the other, and both stay what they are."""
    base = Gallery.build("m", 1, templates)
    first, second = base.with_templates(one, gen=2), base.with_templates(other, gen=2)
    third = first.with_templates(other, gen=3)
    for gallery, held in (
        (base, templates),
        (first, templates + one),
        (second, templates + other),
        (third, templates + one + other),
    ):
        assert_holds(gallery, held)


@settings(max_examples=60)
@given(some_templates(), st.data())
def test_what_is_removed_is_gone_and_nothing_else(templates, data):
    """A gallery without some equals one that never had them, and goes on growing; their rows are zeros."""
    gone = data.draw(st.sets(st.sampled_from(range(40))))
    kept = [each for each in templates if each.template_id not in gone]
    before = Gallery.build("m", 1, templates)
    after = before.without(gone, gen=2)
    assert_holds(after, kept)
    erased = [each.template_id in gone for each in templates]
    assert not before.matrix[erased].any() if templates else not len(before)
    late = [Template(99, EmployeeId("late"), PROBES[0])]
    assert_holds(after.with_templates(late, gen=3), kept + late)
    assert_holds(after, kept)


@given(some_templates(), some_templates())
def test_removing_what_was_added_restores(templates, more):
    """Who comes and goes leaves the gallery as it was, the older value included."""
    added = [
        Template(100 + each.template_id, each.employee_id, each.vector, each.is_ignored) for each in more
    ]
    before = Gallery.build("m", 1, templates)
    after = before.with_templates(added, gen=2).without([each.template_id for each in added], gen=3)
    assert_holds(after, templates)
    assert_holds(before, templates)


@given(some_templates(), some_templates(most=4))
def test_the_anchors_are_replaced_as_a_set(templates, wanted):
    """Whatever anchors there were, afterwards there are exactly those that were asked for."""
    anchors = [Template(-1 - each.template_id, each.employee_id, each.vector, True) for each in wanted]
    gallery = Gallery.build("m", 1, templates).with_anchors(anchors)
    assert_holds(gallery, [each for each in templates if not each.is_ignored] + anchors)
    assert gallery.with_anchors(anchors) is gallery
