"""What is said about pictures: every law on rooms drawn by chance, seen by a sensor with noise."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from common.events import CameraReason
from edge_agent.core.camera_health import PICTURE, Watched, likeness, view_of, watched

WIDTH, HEIGHT = 160, 90
rooms = st.integers(0, 15)
few = settings(max_examples=6, deadline=None)
Change = Callable[[np.ndarray, int], np.ndarray]  # a picture in full light, the second -> the picture then


def room(seed: int) -> np.ndarray:
    """Draw walls in a soft light with some thirty things before them, HEIGHT × WIDTH grey levels."""
    chance = np.random.default_rng(seed)
    picture = np.linspace(90, 160, WIDTH) * np.linspace(1.1, 0.8, HEIGHT)[:, None]
    for _ in range(30):
        left, top = chance.integers(0, WIDTH - 8), chance.integers(0, HEIGHT - 8)
        width, height = chance.integers(6, 40), chance.integers(6, 30)
        picture[top : top + height, left : left + width] = chance.uniform(40, 210)
    return picture


def sampled(picture: np.ndarray, noise: float, chance: np.random.Generator) -> np.ndarray:
    return np.clip(picture + chance.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)


def filmed(seed: int, change: Change, seconds: Iterable[int], noise: float = 0.7) -> Iterator[np.ndarray]:
    """Yield what a camera in room(seed) shows second by second."""
    chance, still = np.random.default_rng(seed + 1), room(seed)
    for second in seconds:
        yield sampled(change(still, second), noise, chance)


def told(greys: Iterable[np.ndarray], before: Watched | None = None) -> tuple[list[CameraReason], Watched]:
    """Return what is said about pictures a second apart, each time, and what is known at the end."""
    state, said = before or Watched(), []
    start = 0 if state.at_ms is None else state.at_ms + 1000
    for index, grey in enumerate(greys):
        state = watched(state, grey, start + index * 1000)
        said.append(state.reason)
    return said, state


def as_ever(picture: np.ndarray, _: int) -> np.ndarray:
    return picture


def are_alike(seed: int, other: int, shown: np.ndarray | None = None) -> bool:
    """Tell whether two rooms look alike by chance, as bare ones do: such a turn is not told."""
    views = (view_of(each.astype(np.uint8), shown) for each in (room(seed), room(other)))
    return likeness(*views) > PICTURE.strange[0] - 0.03  # the noise in a picture moves it a little


@cache
def used_to(seed: int) -> Watched:
    """Return what is known of room(seed) after a minute and a half."""
    said, state = told(filmed(seed, as_ever, range(90)))
    assert set(said) == {CameraReason.NONE}
    return state


def lamp_dimmed(picture: np.ndarray, second: int) -> np.ndarray:
    return 16 + (picture - 16) * max(0.3, 1 - second / 60)


def lightning(picture: np.ndarray, second: int) -> np.ndarray:
    return picture + (120 if second % 7 == 3 else 0)


def infrared(picture: np.ndarray, second: int) -> np.ndarray:
    """From one second to the next the only light is a lamp beside the lens, and dyes look otherwise."""
    if second < 20:
        return picture
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    lamp = np.exp(-(((x - 80) / 90) ** 2) - ((y - 50) / 60) ** 2)
    dyes = np.where((picture // 20) % 3 == 0, 255 - picture, picture)
    return 20 + 0.8 * dyes * lamp


def people_walk(picture: np.ndarray, second: int) -> np.ndarray:
    seen = picture.copy()
    for person in range(3):
        left = (second * (7 + 4 * person) + 50 * person) % WIDTH
        seen[20:, left : left + 18] = 60 + 40 * person
    return seen


def door_opens(picture: np.ndarray, second: int) -> np.ndarray:
    seen = picture.copy()
    seen[10:85, 30 : 30 + min(40, second)] = 235
    return seen


def screen_saver(picture: np.ndarray, second: int) -> np.ndarray:
    seen = picture.copy()
    seen[30:50, 60:90] = 40 + (second * 37) % 180
    return seen


def crowd(picture: np.ndarray, second: int) -> np.ndarray:
    """Somebody sits down near the camera and stays: half of the picture is them."""
    seen = picture.copy()
    seen[15:, 20 : 20 + min(80, 4 * second)] = np.linspace(50, 90, HEIGHT - 15)[:, None]
    return seen


@pytest.mark.parametrize(
    "change",
    [as_ever, lamp_dimmed, lightning, infrared, people_walk, door_opens, screen_saver, crowd],
    ids=lambda each: each.__name__,
)
@given(seed=rooms, noise=st.floats(0.4, 2.5))
@few
def test_life_is_no_fault(change: Change, seed: int, noise: float):
    """Light, weather, infrared, people, doors and screens: a camera that sees is never called blind."""
    said, _ = told(filmed(seed, change, range(80), noise), used_to(seed))
    assert set(said) == {CameraReason.NONE}


def test_a_quiet_office_at_night_is_not_frozen():
    """Strong noise reduction leaves a flicker of one level here and there, and that is enough."""
    still, chance = np.clip(room(3) * 0.5, 0, 255).astype(np.uint8), np.random.default_rng(4)
    greys = [still ^ (chance.random(still.shape) < 0.002).astype(np.uint8) for _ in range(600)]
    said, _ = told(greys)
    assert set(said) == {CameraReason.NONE}


def test_an_encoder_that_repeats_until_the_next_key_frame_is_not_frozen():
    """A still scene may be sent as "nothing changed" for ten seconds; the next key frame has new noise."""
    keys = list(filmed(5, as_ever, range(30), noise=0.4))
    said, _ = told([each for each in keys for _ in range(10)])
    assert set(said) == {CameraReason.NONE}


@given(rooms, st.floats(0, 26))
@few
def test_the_dark_is_noticed(seed: int, level: float):
    """Ten seconds without light, however noisy; a clock in the picture makes no difference."""

    def unlit(picture: np.ndarray, _: int) -> np.ndarray:
        seen = np.full_like(picture, level) + picture * 0.02
        seen[2:6, 2:60] = 235
        return seen

    said, state = told(filmed(seed, unlit, range(30), noise=2), used_to(seed))
    assert said[:10] == [CameraReason.NONE] * 10 and set(said[10:]) == {CameraReason.DARK}
    said, _ = told(filmed(seed, as_ever, range(60)), state)
    assert set(said) == {CameraReason.NONE}


@given(rooms)
@few
def test_light_at_the_bar_does_not_flap(seed: int):
    """Once dark, a little more light than was missing is not enough to be told of."""
    dusk = sampled(np.full((HEIGHT, WIDTH), 44.0), 1.0, np.random.default_rng(seed))
    night = sampled(np.full((HEIGHT, WIDTH), 30.0), 1.0, np.random.default_rng(seed))
    said, state = told([night] * 15)
    assert said[-1] is CameraReason.DARK
    said, _ = told([night, dusk] * 20, state)
    assert set(said) == {CameraReason.DARK}


@given(rooms, st.integers(1, 3))
@few
def test_a_frozen_picture_is_noticed(seed: int, distinct: int):
    """The same picture for twenty seconds, or the same few round and round as key frames come."""
    before = used_to(seed)
    few_greys = list(filmed(seed, as_ever, range(distinct), noise=0.4))
    said, state = told((few_greys[second % distinct] for second in range(60)), before)
    first = said.index(CameraReason.FROZEN)
    assert first <= PICTURE.frozen_after_s + distinct and set(said[first:]) == {CameraReason.FROZEN}
    said, _ = told(filmed(seed + 7, lambda _, second: room(seed), range(20)), state)
    assert set(said) == {CameraReason.NONE}


def test_no_picture_is_not_a_frozen_one():
    """Between two pictures that are the same, a minute apart, anything may have happened."""
    grey, state = room(1).astype(np.uint8), Watched()
    for minute in range(30):
        state = watched(state, grey, minute * 60_000)
        assert state.reason is CameraReason.NONE


def cloth(picture: np.ndarray, _: int) -> np.ndarray:
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH]
    return 120 + 30 * np.exp(-(((x - 80) / 60) ** 2) - ((y - 50) / 40) ** 2)


def sprayed(picture: np.ndarray, _: int) -> np.ndarray:
    return 150 + 0.06 * (picture - picture.mean())


def defocused(picture: np.ndarray, _: int) -> np.ndarray:
    """Smear over half of the picture's height."""
    kernel = np.hanning(91)
    kernel /= kernel.sum()
    padded = np.pad(picture, 45, mode="edge")
    rows = np.apply_along_axis(np.convolve, 1, padded, kernel, "valid")
    return np.apply_along_axis(np.convolve, 0, rows, kernel, "valid")


@pytest.mark.parametrize("change", [cloth, sprayed, defocused], ids=lambda each: each.__name__)
@given(seed=rooms)
@few
def test_a_covered_lens_is_noticed(change: Change, seed: int):
    """Ten seconds without the detail that the camera usually has; it ends as soon as that is back."""
    said, state = told(filmed(seed, change, range(40), noise=0.4), used_to(seed))
    assert said[:10] == [CameraReason.NONE] * 10 and set(said[10:]) == {CameraReason.COVERED}
    said, _ = told(filmed(seed, as_ever, range(60)), state)
    assert set(said) == {CameraReason.NONE}


HIDDEN = np.zeros((HEIGHT, WIDTH), bool)  # two privacy masks, as large as windows
HIDDEN[8:56, 14:58] = HIDDEN[16:82, 96:146] = True


def masked(greys: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    return (np.where(HIDDEN, np.uint8(16), each) for each in greys)


@pytest.mark.parametrize("fault", [CameraReason.COVERED, CameraReason.MOVED])
@given(seed=rooms)
@few
def test_a_privacy_mask_hides_no_fault_and_makes_none(fault: CameraReason, seed: int):
    """Its black edges stay whatever happens, so they say nothing; the rest of the picture does."""
    assume(fault is CameraReason.COVERED or not are_alike(seed, seed + 20_000, ~HIDDEN[::2, ::2]))
    state = Watched()
    for second, grey in enumerate(masked(filmed(seed, as_ever, range(120)))):
        state = watched(state, grey, second * 1000, hidden=HIDDEN)
        assert state.reason is CameraReason.NONE
    wrong = filmed(seed, cloth, range(60), noise=0.4)
    if fault is CameraReason.MOVED:
        wrong = filmed(seed + 20_000, as_ever, range(60))
    for second, grey in enumerate(masked(wrong), 120):
        state = watched(state, grey, second * 1000, hidden=HIDDEN)
    assert state.reason is fault


def test_a_lens_that_was_covered_before_the_start_is_noticed():
    """A picture with no detail at all needs nothing to be compared with."""
    white = (sampled(np.full((HEIGHT, WIDTH), 180.0), 0.3, np.random.default_rng(n)) for n in range(20))
    said, _ = told(white)
    assert said[-1] is CameraReason.COVERED


@given(rooms, rooms.map(lambda seed: seed + 20_000))
@few
def test_a_camera_that_was_turned_away_is_noticed_and_its_new_view_accepted(seed: int, other: int):
    """After half a minute it has moved; after ten minutes the new view is the usual one."""
    assume(not are_alike(seed, other))
    said, state = told(filmed(other, as_ever, range(640)), used_to(seed))
    assert set(said[:30]) == {CameraReason.NONE}
    assert set(said[30:600]) == {CameraReason.MOVED}
    assert set(said[601:]) == {CameraReason.NONE}
    said, _ = told(filmed(other, people_walk, range(120)), state)
    assert set(said) == {CameraReason.NONE}


@given(rooms, rooms.map(lambda seed: seed + 20_000))
@few
def test_a_camera_that_is_turned_back_is_right_at_once(seed: int, other: int):
    """The usual view is not forgotten while another is shown, and nobody has to wait for its return."""
    assume(not are_alike(seed, other))
    said, state = told(filmed(other, as_ever, range(120)), used_to(seed))
    assert said[-1] is CameraReason.MOVED
    said, _ = told(filmed(seed, people_walk, range(60)), state)
    assert set(said) == {CameraReason.NONE}


sights = st.sampled_from(
    [
        room(1).astype(np.uint8),
        room(20_001).astype(np.uint8),
        np.zeros((HEIGHT, WIDTH), np.uint8),
        np.full((HEIGHT, WIDTH), 255, np.uint8),
        np.full((HEIGHT, WIDTH), 120, np.uint8),
        np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH), dtype=np.uint8),
        np.zeros((96, 96), np.uint8),
    ]
)


@given(st.lists(st.tuples(sights, st.integers(0, 20_000)), max_size=80))
@few
def test_nothing_is_said_before_its_time(steps: list[tuple[np.ndarray, int]]):
    """Whatever comes: what is said has held without a break for as long as it must, and nothing fails."""
    state, at = Watched(), 0
    states = [state]
    for grey, later in steps:
        at += later
        state = watched(state, grey, at)
        states.append(state)
        if state.reason is not CameraReason.NONE:
            assert at - state.held[state.reason] >= PICTURE.after_ms(state.reason) - later
    for before, after in pairwise(states):
        if before.reason is not CameraReason.NONE and after.reason is before.reason:
            assert after.held[after.reason] == before.held[before.reason]


def test_looking_more_often_changes_nothing():
    """Ten pictures a second are one look a second: a frozen picture is not frozen ten times sooner."""
    grey, state = room(1).astype(np.uint8), Watched()
    for tick in range(300):
        before = state
        state = watched(state, grey, tick * 100)
        assert (state is before) == (tick % 10 != 0)
        assert (state.reason is CameraReason.FROZEN) == (tick * 100 >= 1000 + PICTURE.frozen_after_s * 1000)
