"""What runs the models: a runtime that answers otherwise than the processor is never used, and says why."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from insightface.model_zoo.arcface_onnx import ArcFaceONNX
from insightface.model_zoo.scrfd import SCRFD

from edge_agent.adapters import self_test
from edge_agent.adapters.execution import FEW_SIDES, PROVIDERS, Provider, ProviderError, load_model
from edge_agent.adapters.face_analyser import InsightFaceAnalyser, WrongAnswersError
from edge_agent.config import PROVIDERS as NAMES
from edge_agent.config import ExecutionConfig
from edge_agent.engines import NoEngineError, choose_engine

ALL = tuple(each.onnx_name for each in PROVIDERS.values())
Outputs = list[np.ndarray]


@pytest.fixture
def pack(shared_data) -> Path:
    return shared_data / "models" / "field_sc"


@dataclass
class Session:
    """A runtime that computes rightly, and then changes what it says; it keeps the shapes that it saw."""

    inner: Any
    change: Callable[[Outputs], Outputs]
    times: int = 1  # how often it computes the same, being slow
    shapes: set[tuple[int, ...]] = field(default_factory=set)

    def run(self, names: list[str], feed: dict[str, np.ndarray]) -> Outputs:
        self.shapes |= {each.shape for each in feed.values()}
        return [self.change(self.inner.run(names, feed)) for _ in range(self.times)][-1]


@dataclass
class Machine:
    """A box with other hardware: its providers compute on our processor, with a fault where there is one."""

    detector: dict[str, Callable[[Outputs], Outputs]] = field(default_factory=dict)  # provider -> its fault
    recogniser: dict[str, Callable[[Outputs], Outputs]] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    times: int = 1
    sessions: list[Session] = field(default_factory=list)

    def load(self, file: Path, provider: Provider, threads: int) -> Any:
        if provider.name in self.missing:
            raise ProviderError("it does not start here")
        model = load_model(file, PROVIDERS["cpu"], threads)
        faults = {SCRFD: self.detector, ArcFaceONNX: self.recogniser}.get(type(model), {})
        if provider.name != "cpu" or "cpu" in faults:
            change = faults.get(provider.name, lambda outputs: outputs)
            model.session = Session(model.session, change, self.times)
            self.sessions.append(model.session)
        return model


def noisy(size: float) -> Callable[[Outputs], Outputs]:
    def change(outputs: Outputs) -> Outputs:
        return [
            each + np.random.default_rng(1).normal(0, size, each.shape).astype(np.float32) for each in outputs
        ]

    return change


def scores_off(outputs: Outputs) -> Outputs:
    return [each + np.float32(0.03) if number < 3 else each for number, each in enumerate(outputs)]


def boxes_off(outputs: Outputs) -> Outputs:
    return [each + np.float32(0.5) if number >= 3 else each for number, each in enumerate(outputs)]


def not_numbers(outputs: Outputs) -> Outputs:
    return [np.full_like(each, np.nan) for each in outputs]


def wrong_at_small_shapes(outputs: Outputs) -> Outputs:
    """Right for the shape that was prepared first, garbage for the next."""
    return scores_off(outputs) if len(outputs[0]) < 5000 else outputs


def whole_faces(analyser: InsightFaceAnalyser, scene: np.ndarray) -> list[list[float]]:
    """The sides of the faces that the right edge does not cut, from left to right."""
    boxes = [each.box for each in analyser.detect(scene) if each.score > 0.5]
    return sorted([each.left, each.top, each.right] for each in boxes if each.right < scene.shape[1] - 30)


def started(pack: Path, machine: Machine, *providers: str, available: tuple[str, ...] = ALL):
    return InsightFaceAnalyser(
        pack, settings=ExecutionConfig(providers), load=machine.load, available=available
    )


def test_the_first_of_the_list_that_answers_rightly_is_used(pack):
    """In the order asked for; nothing is said about those that were not needed."""
    analyser = started(pack, Machine(), "openvino-gpu", "cuda", "cpu")
    assert analyser.execution == {"provider": "OpenVINOExecutionProvider", "threads": 1}
    assert analyser.refused_providers == ()


@pytest.mark.parametrize(
    ("machine", "words"),
    [
        (Machine(recogniser={"cuda": noisy(1.0)}), "0.999 is needed"),
        (Machine(recogniser={"cuda": not_numbers}), "nan like the processor's"),
        (Machine(detector={"cuda": scores_off}), "640 × 384 a face score is off by 0.030"),
        (Machine(detector={"cuda": wrong_at_small_shapes}), "256 × 256 a face score is off by 0.030"),
        (Machine(detector={"cuda": boxes_off}), "a face is off by 0.50 cells"),
        (Machine(detector={"cuda": lambda outputs: [each[:9] for each in outputs]}), "off by inf"),
        (Machine(detector={"cuda": lambda outputs: 1 // 0}), "it fails (integer division"),
        (Machine(missing=("cuda",)), "it does not start here"),
    ],
)
def test_what_answers_wrongly_is_refused_with_the_number_and_the_next_is_taken(pack, machine, words):
    """Embeddings, scores at each of two shapes, places of faces, no numbers at all, and plain failures."""
    analyser = started(pack, machine, "cuda", "openvino-gpu")
    assert analyser.execution["provider"] == "OpenVINOExecutionProvider"
    (refused,) = analyser.refused_providers
    assert refused.startswith("cuda is not used: ") and words in refused


def test_the_processor_stands_in_when_everything_is_refused(pack):
    """A box that watches slowly is better than one that does not."""
    analyser = started(pack, Machine(), "cuda", available=("CPUExecutionProvider",))
    assert analyser.execution["provider"] == "CPUExecutionProvider"
    assert "onnxruntime-gpu" in analyser.refused_providers[0], "what to install is named"


def test_chosen_by_itself_a_provider_must_also_be_worth_it(pack):
    """What costs the processor three times as much is refused with both figures; asked for, it is used."""
    analyser = started(pack, Machine(times=3), available=("CUDAExecutionProvider", "CPUExecutionProvider"))
    assert analyser.execution["provider"] == "CPUExecutionProvider"
    assert "ms of processor time" in analyser.refused_providers[0]
    assert started(pack, Machine(times=3), "cuda").execution["provider"] == "CUDAExecutionProvider"


def test_a_runtime_that_prepares_every_shape_sees_few_of_them_and_the_same_faces(pack):
    """Regions of every size are padded to a few; faces stay where the processor finds them, to two pixels."""
    machine = Machine()
    other, own = started(pack, machine, "openvino-cpu"), InsightFaceAnalyser(pack)
    for width in range(200, 641, 24):
        scene = self_test.drawn_scene(640, 300)[:, :width]
        theirs, ours = (whole_faces(one, scene) for one in (other, own))
        assert len(theirs) == len(ours) > 0
        np.testing.assert_allclose(theirs, ours, atol=2.0)
    sides = {side for shape in machine.sessions[0].shapes for side in shape[2:]}
    assert sides <= set(FEW_SIDES)


def test_a_processor_that_is_wrong_about_a_known_model_ends_it_in_one_sentence(pack):
    """Also where it is the only one and agrees with itself; and dlib does not stand in for it."""
    machine = Machine(recogniser={"cpu": noisy(0.5)})
    with pytest.raises(WrongAnswersError, match=r"mobilefacenet_arcface_y1\.onnx wrongly: .* off by 0\.\d"):
        started(pack, machine)


def test_swapped_colours_are_noticed(pack):
    """The drawn faces are coloured, so blue for red is no small difference."""
    analyser = InsightFaceAnalyser(pack)
    swapped = analyser.embed([np.ascontiguousarray(each[:, :, ::-1]) for each in self_test.drawn_crops(112)])
    digest = next(iter(self_test.GOLDEN))
    assert self_test.golden_gap(swapped, digest) > 2 * self_test.MOST_GOLDEN_GAP
    assert self_test.golden_gap(analyser.embed(self_test.drawn_crops(112)), digest) < 0.001


def test_the_agent_refuses_to_start_on_such_a_box(pack, tmp_path, monkeypatch):
    """One sentence, whether the pack was given or found: no wrong model names anybody, nor does another."""
    monkeypatch.delenv("HADIR_MODELS", raising=False)
    monkeypatch.setitem(self_test.GOLDEN, next(iter(self_test.GOLDEN)), (0.5,) * 16)
    (tmp_path / "buffalo_sc").symlink_to(pack)
    for given in (pack, None):
        with pytest.raises(NoEngineError, match=r"computes .* wrongly"):
            choose_engine(given, allow_dlib=True, allow_download=False, say=print, folder=tmp_path)


def test_what_runs_is_said_at_the_start(pack):
    """The provider and the threads, in one line, after whoever was refused."""
    said: list[str] = []
    asked = ExecutionConfig(("cuda",), threads=2)
    choose_engine(pack, allow_dlib=False, allow_download=False, say=said.append, execution=asked)
    assert said[0].startswith("Provider cuda is not used: ")
    assert said[-1].endswith("on CPUExecutionProvider, threads a run: 2.")


def test_settings_and_providers_know_the_same_names():
    """Every word that agent.yaml takes has a provider behind it."""
    assert set(NAMES) == set(PROVIDERS)


def test_the_drawn_pictures_never_change():
    """The numbers written down are of these very pictures."""
    checksum = sum(int(each.astype(np.int64).sum()) for each in self_test.drawn_crops(112))
    assert checksum == 17_102_922


def test_the_recogniser_on_the_processor_is_rewritten_only_when_that_is_cheaper(pack):
    """The same embeddings to a ten-thousandth, and never dearer than the file as it is."""
    analyser = InsightFaceAnalyser(pack)
    plain = load_model(pack / "mobilefacenet_arcface_y1.onnx", PROVIDERS["cpu"], 1)
    crops = self_test.drawn_crops(112)
    expected = plain.get_feat(crops)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(analyser.embed(crops), expected, atol=1e-4)
    ours = self_test.cost_of(lambda: analyser.embed(crops[:1]), time.process_time)
    assert ours < 1.3 * self_test.cost_of(lambda: plain.get_feat(crops[:1]), time.process_time)
