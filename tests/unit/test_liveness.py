"""Liveness is noted beside an identity, and whatever becomes of it nobody is lost."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from common.events import EventKind
from edge_agent import cli
from edge_agent.adapters.identity_file import BrokerAccess, Identity, save_identity
from edge_agent.core.attention import AttentionPolicy
from edge_agent.core.geometry import Box, Detection
from edge_agent.core.liveness import (
    ENOUGH_LOOKS,
    KEPT,
    LiveLook,
    Liveness,
    doubtful_first,
    is_due,
    live_probability,
    mean_score,
    patch_around,
    scale_in,
    summed_up,
    with_look,
)
from edge_agent.core.resighting import DueEvent
from edge_agent.engines import NoLivenessError, choose_liveness
from edge_agent.frame import Frame
from edge_agent.liveness import LivenessWatch
from edge_agent.picture import ColourPicture
from edge_agent.pipeline import CameraPipeline, Sighted
from edge_agent.recorder import _draft
from tests.vision_world import CAMERA, DIMENSION, POLICY, TEXTURE, detection_at, gallery_of, look_at

HERE = Box(100, 100, 190, 190)
GALLERY = gallery_of("ani", "budi")
EVERY_TIME = AttentionPolicy(is_gated=False)


def looks(*scores: float) -> list[LiveLook]:
    return [LiveLook(at * 1000, score) for at, score in enumerate(scores)]


class OneFace:
    """An analyser that finds one face, always in the same place, of whoever is named."""

    engine, model_id, dimension, policy, search_px = "insightface", "test:0", DIMENSION, POLICY, 640

    def __init__(self) -> None:
        self.name, self.embedded = "ani", 0

    def detect(self, image: np.ndarray) -> list[Detection]:
        return [detection_at(HERE)]

    def aligned(self, image: np.ndarray, detection: Detection) -> np.ndarray:
        return image

    def embed(self, crops: Sequence[np.ndarray]) -> np.ndarray:
        self.embedded += len(crops)
        rows = [look_at(self.name, 0.7, self.embedded + n) for n in range(len(crops))]
        return np.array(rows, np.float32).reshape(-1, DIMENSION)


class Scores:
    """A checker that answers with what a function says."""

    def __init__(self, answer: Callable[[int], float | None]) -> None:
        self.answer, self.asked = answer, 0

    def liveness(self, picture: ColourPicture, faces: Sequence[Detection]) -> list[float | None]:
        self.asked += 1
        return [self.answer(self.asked) for _ in faces]


def broken(_: int) -> float:
    raise RuntimeError("the model fell over")


def watched(
    seconds: Sequence[tuple[str, float]], checker: Scores | None, fps: int = 5
) -> tuple[list[Sighted], OneFace]:
    """Let people stand in one place one after the other, each for some seconds; return what was told."""
    analyser = OneFace()
    pipeline = CameraPipeline(
        CAMERA, analyser, POLICY, "boot", lambda: GALLERY,
        attention=EVERY_TIME, liveness=LivenessWatch(checker) if checker else None,
    )  # fmt: skip
    names = [name for name, time in seconds for _ in range(round(time * fps))]
    told: list[Sighted] = []
    for number, analyser.name in enumerate(names):
        at = number * 1000 // fps
        told += pipeline.process(Frame(ColourPicture(TEXTURE), at + 10**12, at, number))
    return [*told, *pipeline.finish(len(names) * 200 + 10**12, len(names) * 200)], analyser


def first(told: Sequence[Sighted], kind: EventKind) -> DueEvent:
    return next(each.event for each in told if each.event.kind is kind)


# -- the rules -----------------------------------------------------------------------------------------------


def test_one_bad_look_does_not_decide():
    """The score of a track is the median of its looks, with their number; without looks there is none."""
    assert summed_up(looks(0.9, 0.02, 0.95)) == Liveness(0.9, 3)
    assert summed_up([]) is None


def test_the_word_is_for_people():
    """Under one half it says doubtful."""
    assert [Liveness(score, 1).word for score in (0.0, 0.49, 0.5, 1.0)] == [
        "doubtful", "doubtful", "live", "live",
    ]  # fmt: skip


def test_looks_are_judged_until_both_are_clear():
    """While it is open who somebody is every look counts; after that a few are enough."""
    few, enough = looks(*[0.5] * (ENOUGH_LOOKS - 1)), looks(*[0.5] * ENOUGH_LOOKS)
    assert is_due(few, is_clear=True) and is_due(enough, is_clear=False)
    assert not is_due(enough, is_clear=True)


def test_memory_of_a_track_is_bounded():
    """A face that stays unclear all day keeps its newest looks; one that cannot be judged adds nothing."""
    kept: tuple[LiveLook, ...] = ()
    for number in range(100):
        kept = with_look(kept, number, number / 100)
    assert [each.at_ms for each in kept] == list(range(100 - KEPT, 100))
    assert with_look(kept, 100, None) == kept


def test_models_are_only_averaged_when_all_can_judge():
    """The mean of some is not comparable with the mean of all."""
    assert mean_score([0.2, 0.6]) == pytest.approx(0.4)
    assert mean_score([0.2, None]) is None
    assert mean_score([]) is None


def test_of_two_appearances_the_doubtful_one_is_told():
    """Joining broken tracks never hides a doubt."""
    low, high = Liveness(0.1, 2), Liveness(0.9, 5)
    assert doubtful_first(low, high) == doubtful_first(high, low) == low
    assert doubtful_first(None, high) == high and doubtful_first(None, None) is None


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("2.7_80x80_MiniFASNetV2.onnx", 2.7),
        ("4_0_0_80x80_MiniFASNetV1SE.onnx", 4.0),
        ("1_80x80_x.onnx", 1.0),
        ("org_1_80x80_MiniFASNetV4SE.onnx", None),
        ("0.5_80x80_x.onnx", None),
        ("liveness.onnx", None),
    ],
)
def test_the_name_of_a_file_says_what_it_looks_at(name, scale):
    """The first number is the part of the picture, in faces; other names do not tell."""
    assert scale_in(name) == scale


def test_the_patch_is_cut_as_the_models_training_pictures_were():
    """The face grown about its middle; moved inside at an edge; smaller where the picture is too small."""
    assert patch_around(Box(300, 200, 400, 320), 2.0, 1000, 800) == Box(250, 140, 451, 381)
    assert patch_around(Box(10, 20, 110, 140), 2.0, 1000, 800) == Box(0, 0, 201, 241)
    assert patch_around(Box(890, 670, 990, 790), 2.0, 1000, 800) == Box(799, 559, 1000, 800)
    tall = patch_around(Box(100, 50, 200, 150), 4.0, 1000, 201)
    assert tall == Box(50, 0, 251, 201)


def test_a_face_that_the_edge_cuts_off_is_not_judged():
    """Half a face looks like nothing that the models know."""
    assert patch_around(Box(-40, 100, 60, 200), 2.7, 1280, 720) is None
    assert patch_around(Box(-5, 100, 95, 200), 2.7, 1280, 720) is not None
    assert patch_around(Box(50, 50, 50, 90), 2.7, 1280, 720) is None


def test_logits_that_make_no_sense_have_no_probability():
    """Not a number, rather than a number that means nothing."""
    assert np.isnan(live_probability(np.array([1.0, np.nan, 0.0])))
    assert np.isnan(live_probability(np.array([1.0, np.inf, 0.0])))


# -- on a track ----------------------------------------------------------------------------------------------


def test_an_event_carries_the_liveness_of_its_track():
    """Seen and unknown alike: the median, and of how many looks."""
    told, _ = watched([("ani", 5)], Scores(lambda _: 0.93))
    assert first(told, EventKind.SEEN).liveness.score == pytest.approx(0.93)
    assert first(told, EventKind.SEEN).liveness.looks >= 1
    told, _ = watched([("stranger", 8)], Scores(lambda _: 0.1))
    unknown = first(told, EventKind.UNKNOWN)
    assert unknown.employee_id is None and unknown.liveness.score == pytest.approx(0.1)


def test_the_spool_gets_it_beside_the_other_facts():
    """`extra` is what an older server keeps and a newer one shows."""
    told, _ = watched([("ani", 5)], Scores(lambda _: 0.12345))
    seen = next(each for each in told if each.event.kind is EventKind.SEEN)
    draft = _draft(seen, model_id="test:0")
    assert draft.extra["liveness"] == {"score": 0.123, "looks": seen.event.liveness.looks}
    assert draft.extra["first_seen"] == seen.event.first_seen


def test_off_leaves_no_trace():
    """Without a checker events are the ones there always were."""
    told, _ = watched([("ani", 5)], None)
    assert all(each.event.liveness is None for each in told)
    assert set(_draft(told[0], model_id="test:0").extra) == {"first_seen"}


def test_few_looks_are_judged():
    """A minute of somebody who is recognised at once costs a handful of judgements, not one a sample."""
    checker = Scores(lambda _: 0.9)
    _, analyser = watched([("ani", 60)], checker)
    assert ENOUGH_LOOKS <= checker.asked <= ENOUGH_LOOKS + 3 < analyser.embedded


@pytest.mark.parametrize(
    "answer", [lambda _: 0.01, lambda _: None, lambda _: float("nan"), lambda _: 7.0, broken]
)
def test_liveness_never_loses_anybody(answer):
    """A low score, none, nonsense or a checker that fails: the same people are told of at the same times."""

    def facts(told: Sequence[Sighted]) -> list[tuple]:
        return [
            (each.event.kind, each.event.employee_id, each.event.ts, each.event.track_id) for each in told
        ]

    story = [("ani", 5), ("stranger", 12)]
    assert facts(watched(story, Scores(answer))[0]) == facts(watched(story, None)[0])


def test_a_failing_checker_is_told_of_once(caplog):
    """Twenty failures are one line in the log, and the events come without liveness."""
    with caplog.at_level(logging.INFO, logger="hadir.liveness"):
        told, _ = watched([("stranger", 20)], Scores(broken))
    assert [each.levelname for each in caplog.records] == ["ERROR"]
    assert "fell over" in caplog.text
    assert told and all(each.event.liveness is None for each in told)


def test_a_checker_that_answers_for_fewer_faces_is_not_believed():
    """A score must never be given to another face than the one that it is of."""

    class Short:
        def liveness(self, picture: ColourPicture, faces: Sequence[Detection]) -> list[float | None]:
            return [0.9]

    picture = ColourPicture(TEXTURE)
    assert LivenessWatch(Short()).scores(picture, [detection_at(HERE)] * 2) == [None, None]
    assert LivenessWatch(Short()).scores(picture, [detection_at(HERE)]) == [0.9]


def test_a_doubt_stays_with_who_it_is_about():
    """When somebody takes another's place in one track, neither gets the other's scores."""
    told, _ = watched([("ani", 5), ("budi", 12)], Scores(lambda asked: 0.9 if asked <= ENOUGH_LOOKS else 0.1))
    lefts = [each.event for each in told if each.event.kind is EventKind.LEFT]
    assert [each.employee_id for each in lefts] == ["ani", "budi"]
    assert lefts[0].liveness.score == pytest.approx(0.9)
    assert lefts[1].liveness is not None and lefts[1].liveness.score == pytest.approx(0.1)


# -- files that cannot be used -------------------------------------------------------------------------------


def test_a_missing_or_broken_file_is_one_sentence(tmp_path):
    """It names the file; nothing of ONNX Runtime's own words."""
    said: list[str] = []
    (tmp_path / "2.7_80x80_x.onnx").write_text("no model")
    for name in ("2.7_80x80_x.onnx", "nowhere.onnx"):
        with pytest.raises(NoLivenessError) as refused:
            choose_liveness([str(tmp_path / name)], say=said.append)
        words = str(refused.value)
        assert name in words and words.startswith("Liveness cannot be observed: ") and "\n" not in words
    with pytest.raises(NoLivenessError, match=r"addons/liveness\.onnx"):
        choose_liveness(["insightface"], say=said.append, folder=tmp_path / "models")
    assert said == [] and choose_liveness([], say=said.append) is None


def test_the_agent_does_not_start_with_a_model_that_is_not_there(tmp_path, monkeypatch, capsys):
    """Exit status 2 and a sentence: whoever asked for it must know that it would not happen."""
    monkeypatch.setattr("edge_agent.engines.choose_engine", lambda *_, **__: OneFace())
    identity = Identity(
        agent_id="box", site_id="plant", site_name="Plant", server_url="http://127.0.0.1:1", token="t",
        manifest_key="ab" * 16, broker=BrokerAccess(host="127.0.0.1", port=1, username="box", password="p"),
    )  # fmt: skip
    save_identity(tmp_path / "home" / "identity.json", identity)
    settings = tmp_path / "agent.yaml"
    settings.write_text(
        "home: home\nliveness: {mode: observe, models: [gone/2.7_80x80_x.onnx]}\n"
        "cameras:\n  - {camera_id: gate, url: clip.mp4}\n"
    )
    assert cli.main(["run", "--config", str(settings)]) == 2
    assert str(Path("gone") / "2.7_80x80_x.onnx") in capsys.readouterr().err
