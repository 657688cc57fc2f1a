"""Laws of where to look: nothing that moved and nobody who is followed is ever left out."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_agent.core.attention import (
    ATTENTION,
    CELLS,
    GREY,
    Plan,
    changed_cells,
    groups,
    is_cut_off,
    merged,
    plan,
)
from edge_agent.core.geometry import Box

COLUMNS, ROWS = CELLS
CELL_W, CELL_H = GREY[0] // COLUMNS, GREY[1] // ROWS
CALM = np.random.default_rng(3).integers(60, 190, (GREY[1], GREY[0])).astype(np.uint8)

sizes = st.tuples(st.integers(160, 4096), st.integers(120, 2304))
cells = st.tuples(st.integers(0, ROWS - 1), st.integers(0, COLUMNS - 1))
changes = st.lists(cells, max_size=6, unique=True)
shares = st.floats(-0.2, 1.2)
places = st.lists(st.tuples(shares, shares, st.floats(0.01, 0.3)), max_size=3)


def changed_at(where: list[tuple[int, int]], by: int = 40) -> np.ndarray:
    """Return the calm picture with every pixel of some cells changed."""
    grey = CALM.copy()
    for row, column in where:
        part = grey[row * CELL_H : (row + 1) * CELL_H, column * CELL_W : (column + 1) * CELL_W]
        part += np.uint8(by)
    return grey


def tracks_at(where: list[tuple[float, float, float]], size: tuple[int, int]) -> list[Box]:
    side = min(size)
    return [
        Box(x * size[0], y * size[1], x * size[0] + wide * side, y * size[1] + wide * side)
        for x, y, wide in where
    ]


def looked(
    grey: np.ndarray = CALM,
    tracks: list[Box] | None = None,
    at_ms: int = 0,
    size: tuple[int, int] = (1280, 720),
    before: Plan | None = None,
    **more: bool,
) -> Plan:
    scale = 640 / max(size)
    return plan(before and before.searched, grey, tracks or [], at_ms, size, scale, ATTENTION, **more)


def is_searched(box: Box, made: Plan, size: tuple[int, int]) -> bool:
    """Tell whether all of box that lies within the picture is searched, give or take a rounding."""
    left, top = max(0.0, box.left), max(0.0, box.top)
    right, bottom = min(float(size[0]), box.right), min(float(size[1]), box.bottom)
    return (
        made.is_whole
        or left >= right
        or top >= bottom
        or any(
            each.left <= left + 1e-6
            and each.top <= top + 1e-6
            and each.right >= right - 1e-6
            and each.bottom >= bottom - 1e-6
            for each in made.regions
        )
    )


@given(sizes, changes, places)
def test_whoever_is_followed_and_whatever_changed_is_searched(size, where, people):
    """A track's box and every changed cell lie in what is searched, in pictures of any size."""
    tracks = tracks_at(people, size)
    made = looked(changed_at(where), tracks, 200, size, looked(size=size))
    assert all(is_searched(each, made, size) for each in tracks)
    wide, high = size[0] / COLUMNS, size[1] / ROWS
    for row, column in where:
        cell = Box(column * wide, row * high, (column + 1) * wide, (row + 1) * high)
        assert is_searched(cell, made, size)
    assert made.is_blind == (not where and not tracks)


@given(sizes, changes, places)
def test_regions_lie_within_the_picture(size, where, people):
    """No region is empty or goes beyond an edge, also of a face that walks out of the picture."""
    made = looked(changed_at(where), tracks_at(people, size), 200, size, looked(size=size))
    for each in made.regions:
        assert -1e-6 <= each.left < each.right <= size[0] + 1e-6
        assert -1e-6 <= each.top < each.bottom <= size[1] + 1e-6


@given(sizes, changes)
def test_what_was_searched_is_known_and_nothing_else_is(size, where):
    """The picture as last searched is the new one within the regions and the old one everywhere else."""
    now = changed_at(where)
    now[::7] += 5  # too little to be a change, and everywhere
    made = looked(now, [], 200, size, looked(size=size))
    if made.is_whole:
        assert np.array_equal(made.searched.grey, now)
        return
    inside = np.zeros(now.shape, bool)
    for each in made.regions:
        x0, x1 = (side * GREY[0] / size[0] for side in (each.left, each.right))
        y0, y1 = (side * GREY[1] / size[1] for side in (each.top, each.bottom))
        xs, ys = np.arange(GREY[0]), np.arange(GREY[1])
        inside |= ((ys >= y0 - 1e-6) & (ys + 1 <= y1 + 1e-6))[:, None] & (
            (xs >= x0 - 1e-6) & (xs + 1 <= x1 + 1e-6)
        )
    assert np.array_equal(made.searched.grey, np.where(inside, now, CALM))


@given(sizes, changes)
def test_the_same_picture_again_asks_for_nothing(size, where):
    """A change is searched once: when it has come to rest the next sample costs nothing."""
    now = changed_at(where)
    again = looked(now, [], 400, size, looked(now, [], 200, size, looked(size=size)))
    assert again.is_blind and again.changed == 0


steps = st.lists(st.tuples(st.integers(30, 1500), changes, places), min_size=1, max_size=60)


@settings(max_examples=60)
@given(steps)
def test_the_whole_is_searched_every_five_seconds_whatever_happens(course):
    """However much or little moves, no longer than five seconds and a sample pass between whole searches."""
    size, at, before = (1280, 720), 0, looked()
    whole_ms = 0
    for wait, where, people in course:
        at += wait
        before = looked(changed_at(where), tracks_at(people, size), at, size, before)
        assert before.is_whole or at - whole_ms < 5000
        whole_ms = at if before.is_whole else whole_ms


@settings(max_examples=60)
@given(steps)
def test_a_picture_is_idle_only_after_three_calm_seconds(course):
    """Idle is a scene in which for three seconds nothing changed and nobody was followed, and no other."""
    size, at, before, busy_ms = (1280, 720), 0, looked(), 0
    for wait, where, people in course:
        at += wait
        now, tracks = changed_at(where), tracks_at(people, size)
        if tracks or changed_cells(before.searched.grey, now, ATTENTION).any():
            busy_ms = at
        before = looked(now, tracks, at, size, before)
        assert before.is_idle == (at - busy_ms >= 3000)


@given(st.integers(50, 1000))
def test_an_unchanged_picture_is_not_searched_until_the_whole_is_due(every_ms):
    """Nothing moves, nobody is followed: only the searches every five seconds are made."""
    before, wholes = looked(), [0]
    for at in range(every_ms, 20_000, every_ms):
        before = looked(at_ms=at, before=before)
        assert before.is_whole or before.is_blind
        wholes += [at] if before.is_whole else []
    assert all(5000 <= later - earlier < 5000 + every_ms for earlier, later in pairwise(wholes))


@given(st.integers(0, 2**32 - 1), st.integers(1, 8))
def test_noise_below_the_bar_changes_nothing(seed, most):
    """Eight levels either way ask for nothing, and do not creep into what is known."""
    noise = np.random.default_rng(seed).integers(-most, most + 1, CALM.shape)
    made = looked((CALM + noise).astype(np.uint8), [], 200, before=looked())
    assert made.is_blind and np.array_equal(made.searched.grey, CALM)


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0, 2.5))
def test_a_noisy_camera_at_night_is_calm(seed, sigma):
    """Noise that is everywhere alike raises the bar for itself; a face that comes is seen all the same."""
    rng = np.random.default_rng(seed)
    first, second = (np.clip(CALM + rng.normal(0, sigma, CALM.shape), 0, 255) for _ in range(2))
    before = looked(first.astype(np.uint8))
    assert looked(second.astype(np.uint8), [], 200, before=before).is_blind
    second[40:50, 70:80] += 45
    assert not looked(second.astype(np.uint8), [], 200, before=before).is_blind


def test_what_comes_slowly_is_seen_all_the_same():
    """One level a sample is no change to the sample before, but it is one to what was last searched."""
    before, seen = looked(), []
    for n in range(1, 24):
        grey = CALM.copy()
        grey[40:50, 70:80] += np.uint8(n)
        before = looked(grey, [], n * 200, before=before)
        seen += [] if before.is_blind else [n]
    assert seen == [9, 18]


@given(sizes, places)
def test_a_cut_is_a_whole_search(size, people):
    """When everything changed, or it is told that nothing is known any more, the whole is searched."""
    tracks = tracks_at(people, size)
    before = looked(size=size)
    everywhere = [(row, column) for row in range(ROWS) for column in range(COLUMNS)]
    assert looked(changed_at(everywhere), tracks, 200, size, before).is_whole
    assert looked(CALM, tracks, 200, size, before, is_new=True).is_whole
    assert looked(CALM, tracks, 200, size).is_whole, "so is the first sample"


@given(sizes, changes, places)
def test_without_a_gate_everything_is_searched_and_never_idle(size, where, people):
    """The check and the benchmark may ask for the whole of every sample."""
    policy = replace(ATTENTION, is_gated=False)
    args = changed_at(where), tracks_at(people, size), 90_000, size, 640 / max(size), policy
    made = plan(looked(size=size).searched, *args)
    assert made.is_whole and not made.is_idle


@given(st.lists(st.tuples(*[st.floats(0, 1000)] * 2, *[st.floats(1, 300)] * 2), max_size=8))
def test_merged_boxes_cover_what_they_were_made_of(corners):
    """Fewer boxes, at most a tenth more work, and each of the old ones lies in one of them."""
    boxes = [Box(x, y, x + wide, y + high) for x, y, wide, high in corners]
    fewer = merged(boxes)
    assert len(fewer) <= len(boxes)
    for each in boxes:
        assert any(
            big.left <= each.left
            and big.top <= each.top
            and big.right >= each.right
            and big.bottom >= each.bottom
            for big in fewer
        )


@given(changes)
def test_groups_hold_every_changed_cell_and_do_not_touch(where):
    """Cells that touch are in one group; none is lost."""
    changed = np.zeros((ROWS, COLUMNS), bool)
    for cell in where:
        changed[cell] = True
    found = groups(changed)
    assert all(any(l <= c <= r and t <= row <= b for l, t, r, b in found) for row, c in where)  # noqa: E741
    near = [(a, b) for a in where for b in where if a < b and max(abs(a[0] - b[0]), abs(a[1] - b[1])) == 1]
    for (row, column), (row2, column2) in near:
        assert any(
            left <= min(column, column2)
            and max(column, column2) <= right
            and top <= min(row, row2)
            and max(row, row2) <= bottom
            for left, top, right, bottom in found
        )


@pytest.mark.parametrize(
    ("face", "is_cut"),
    [
        (Box(120, 120, 180, 180), False),
        (Box(99, 120, 180, 180), True),
        (Box(120, 120, 301, 180), True),
        (Box(120, 98, 180, 180), True),
        (Box(120, 120, 180, 300), True),
    ],
)
def test_a_face_at_the_edge_of_a_region_goes_on_beyond_it(face, is_cut):
    """At the picture's own edge it does not: there is nothing beyond."""
    assert is_cut_off(face, Box(100, 100, 300, 300), (1280, 720)) is is_cut
    assert not is_cut_off(face, Box(0, 0, 300, 300), (300, 300))
