"""What a few seconds of a camera amount to, and what the technician is told to change."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_agent.camera_words import ADVICE, FLAWS, advice_words, face_words, numbers, picture_words
from edge_agent.core.geometry import ARCFACE_LANDMARKS, nod_of
from edge_agent.core.quality import Flaw, QualityPolicy
from edge_agent.core.suitability import (
    SUITABILITY,
    Advice,
    CameraLook,
    FaceLook,
    Sharpness,
    Verdict,
    suitability,
)


def a_face(side_px: float = 100, **more) -> FaceLook:
    values = {"turn": 0.1, "nod": 0.5, "sharpness": 0.05, "contrast": 40.0, "score": 0.8, "flaw": None}
    if side_px < 32:
        values["flaw"] = Flaw.TOO_SMALL
    return FaceLook(side_px=side_px, **values | more)


def a_look(*faces: FaceLook, **more) -> CameraLook:
    values = {
        "width": 1280, "height": 720, "pictures": 30, "fps": 5.0, "wanted_fps": 5.0, "decode_ms": 8.0,
        "level": 120.0, "is_dark": False, "is_plain": False, "is_still": False, "has_colour": True,
    }  # fmt: skip
    return CameraLook(faces=faces, **values | more)


def advised(*faces: FaceLook, **more) -> tuple[Advice, ...]:
    return suitability(a_look(*faces, **more)).advice


def test_a_good_camera_is_left_alone():
    """Large, sharp faces by daylight: good, and nothing to change."""
    judged = suitability(a_look(*[a_face(90)] * 9, a_face(90, flaw=Flaw.TURNED, turn=2.5)))
    assert (judged.verdict, judged.advice) == (Verdict.GOOD, ())
    assert (judged.face_px, judged.usable_share, judged.sharpness) == (90, 0.9, Sharpness.SHARP)
    assert judged.flaws == {Flaw.TURNED: 1}


@pytest.mark.parametrize(
    ("px", "width", "verdict", "advice"),
    [
        (24, 640, Verdict.POOR, Advice.MAIN_STREAM),
        (24, 1280, Verdict.POOR, Advice.NEARER),
        (39, 1920, Verdict.POOR, Advice.NEARER),
        (40, 1280, Verdict.USABLE, Advice.MODEST),
        (79, 640, Verdict.USABLE, Advice.MODEST),
        (80, 640, Verdict.GOOD, None),
        (160, 3840, Verdict.GOOD, Advice.SUB_STREAM),
        (159, 3840, Verdict.GOOD, None),
        (160, 1280, Verdict.GOOD, None),
    ],
)
def test_the_size_of_faces_decides(px, width, verdict, advice):
    """Forty pixels are the least, eighty comfortable; a small picture is answered with a larger one first."""
    judged = suitability(a_look(*[a_face(px)] * 7, width=width))
    assert judged.verdict is verdict
    assert judged.advice == ((advice,) if advice else ())


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ({"nod": 0.75}, Advice.HIGH),
        ({"turn": 1.4}, Advice.ASIDE),
        ({"flaw": Flaw.BLURRED, "sharpness": 0.003}, Advice.BLURRED),
        ({"flaw": Flaw.FLAT, "contrast": 5.0}, Advice.FLAT),
    ],
)
def test_what_is_wrong_with_most_faces_is_the_cameras_doing(fault, advice):
    """A fault of six faces in ten is advised about; the same fault of two is theirs."""
    assert advised(*[a_face(**fault)] * 6, *[a_face()] * 4) == (advice,)
    assert advised(*[a_face(**fault)] * 2, *[a_face()] * 8) == ()


@pytest.mark.parametrize(
    ("more", "advice"),
    [
        ({"is_dark": True, "level": 10.0}, Advice.DARK),
        ({"is_plain": True}, Advice.PLAIN),
        ({"is_still": True}, Advice.STILL),
        ({"level": 40.0}, Advice.DIM),
        ({"level": 220.0}, Advice.GLARING),
        ({"has_colour": False}, Advice.INFRARED),
        ({"fps": 2.0}, Advice.SLOW),
    ],
)
def test_what_is_wrong_with_the_picture_is_told_alone(more, advice):
    """One fault, one line, however good the faces are."""
    assert advised(*[a_face()] * 6, **more) == (advice,)


def test_nobody_walking_past_proves_nothing():
    """Without a face the camera is untried; a doubtful find in the wallpaper is none."""
    judged = suitability(a_look(a_face(flaw=Flaw.DOUBTFUL, score=0.4)))
    assert (judged.verdict, judged.advice, judged.faces) == (Verdict.UNTRIED, (Advice.NOBODY,), 0)
    assert judged.flaws == {Flaw.DOUBTFUL: 1}
    assert suitability(a_look(is_dark=True)).advice == (Advice.DARK,)


def test_an_engine_without_a_mouth_says_nothing_about_height():
    """Where the landmarks do not tell, no camera hangs too high."""
    assert advised(*[a_face(nod=None)] * 6) == ()


looks = st.builds(
    a_look,
    *[
        st.builds(
            a_face,
            st.floats(10, 400),
            turn=st.floats(0, 4),
            nod=st.none() | st.floats(0, 1),
            sharpness=st.floats(0, 0.2),
            flaw=st.none() | st.sampled_from(Flaw),
        )
    ]
    * 3,
    width=st.sampled_from([320, 640, 1280, 1920, 3840]),
    level=st.floats(0, 255),
    is_dark=st.booleans(),
    is_plain=st.booleans(),
    fps=st.floats(0, 30),
)


@given(looks)
def test_every_judgement_has_its_words_and_numbers(look):
    """Whatever is found can be said without a gap, and a poor camera is never without advice."""
    judged = suitability(look)
    told = [picture_words(look, judged), face_words(look, judged), *advice_words(look, judged)]
    assert all("{" not in each and "None" not in each for each in told)
    assert numbers(look, judged)["verdict"] == judged.verdict
    assert len(set(judged.advice)) == len(judged.advice)
    if judged.verdict is Verdict.POOR and not judged.flaws:
        assert judged.advice


@given(looks, st.floats(1.0, 4.0))
def test_larger_faces_are_never_judged_worse(look, factor):
    """The same faces, only wider: the verdict stays or rises."""
    order = [Verdict.POOR, Verdict.USABLE, Verdict.GOOD]
    grown = [
        FaceLook(
            **{name: getattr(each, name) for name in each.__slots__} | {"side_px": each.side_px * factor}
        )
        for each in look.faces
    ]
    values = {name: getattr(look, name) for name in look.__slots__} | {"faces": grown}
    before, after = suitability(look).verdict, suitability(CameraLook(**values)).verdict
    assert (before is Verdict.UNTRIED) == (after is Verdict.UNTRIED)
    if before is not Verdict.UNTRIED:
        assert order.index(after) >= order.index(before)


def test_everything_that_can_be_advised_has_words():
    """Each key of advice and each flaw, and the sizes that are spoken of are those that decide."""
    assert set(ADVICE) == set(Advice)
    assert set(FLAWS) == set(Flaw)
    assert re.findall(r"(\d+) px", ADVICE[Advice.NEARER]) == ["40", "80"]


def test_the_two_judges_of_sharpness_agree():
    """A face that is called blurred here is one that the pipeline does not use."""
    quality = QualityPolicy()
    assert (SUITABILITY.blurred, SUITABILITY.soft) == (quality.min_sharpness, quality.good_sharpness)


def test_a_face_from_above_nods():
    """The nose of an upright face is midway; from above it hangs towards the mouth, tilted or not."""
    eyes, nose, mouth = (
        ARCFACE_LANDMARKS[:2].mean(axis=0),
        ARCFACE_LANDMARKS[2],
        ARCFACE_LANDMARKS[3:].mean(axis=0),
    )
    assert nod_of(eyes, nose, mouth) == pytest.approx(0.5, abs=0.01)
    assert nod_of(eyes, nose + np.array((0, 8)), mouth) > SUITABILITY.high
    lying = [point[::-1] for point in (eyes, nose, mouth)]
    assert nod_of(*lying) == pytest.approx(nod_of(eyes, nose, mouth))
    assert nod_of(eyes, nose, eyes) == 0.5
