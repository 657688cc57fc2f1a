"""What runs the models: ONNX Runtime's providers, how they are set up, and which one is chosen and why.

A provider is used only after it has answered like the processor (self_test). Chosen by itself, it must also
cost the processor less: OpenVINO on an ordinary processor is right, but no cheaper (decision 9).
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import onnxruntime
from insightface import model_zoo

from edge_agent.adapters.lean_prelu import leaner
from edge_agent.adapters.scrfd import LeanSCRFD
from edge_agent.adapters.self_test import (
    SCENES,
    Answers,
    answers_of,
    cost_of,
    disagreement,
    drawn_crops,
    drawn_scene,
)
from edge_agent.config import AUTO_PROVIDERS, ExecutionConfig

log = logging.getLogger(__name__)

WORTH_IT = 0.8  # of the processor's own time; more is not worth another way of running
# Sides of the pictures that a provider sees which prepares itself anew for every shape: with all multiples
# of 32, OpenVINO takes 28 ms a search and 700 MB; with these it prepares 25 shapes and no more.
FEW_SIDES = (128, 256, 384, 512, 640)


@dataclass(frozen=True, slots=True)
class Provider:
    """A runtime by its name in agent.yaml."""

    name: str
    onnx_name: str
    options: Mapping[str, str] = field(default_factory=dict)
    sides: tuple[int, ...] = ()  # of the pictures it is shown; empty: every multiple of 32
    package: str = "onnxruntime"  # what brings it

    def with_threads(self, threads: int) -> dict[str, str]:
        """Return the options for so many threads a run."""
        own = {"num_of_threads": str(threads)} if "device_type" in self.options else {}
        return {**self.options, **own}


_OPENVINO = "OpenVINOExecutionProvider"
_STATIC = {"disable_dynamic_shapes": "true"}  # changing shapes gave garbage on some graphics chips
PROVIDERS = {
    each.name: each
    for each in (
        Provider(
            "cuda",
            "CUDAExecutionProvider",
            {
                "cudnn_conv_algo_search": "HEURISTIC",  # an exhaustive one begins again at every shape
                "arena_extend_strategy": "kSameAsRequested",
                "gpu_mem_limit": str(2 * 1024**3),
                "use_tf32": "0",  # templates come from other boxes too: full precision
            },
            FEW_SIDES,
            "onnxruntime-gpu",
        ),
        Provider(
            "openvino-gpu", _OPENVINO, {"device_type": "GPU", **_STATIC}, FEW_SIDES, "onnxruntime-openvino"
        ),
        Provider(
            "openvino-cpu",
            _OPENVINO,
            {"device_type": "CPU", "precision": "FP32", **_STATIC},
            FEW_SIDES,
            "onnxruntime-openvino",
        ),
        Provider("coreml", "CoreMLExecutionProvider", sides=FEW_SIDES),
        Provider("cpu", "CPUExecutionProvider"),
    )
}
CPU = PROVIDERS["cpu"]


class ProviderError(Exception):
    """A provider cannot be used; the message says why in one clause."""


class Models(NamedTuple):
    """A detector and a recogniser of insightface, on one provider."""

    detector: LeanSCRFD
    recogniser: Any  # ArcFaceONNX

    def search(self, image: Any) -> list[Any]:
        """Return the detector's raw outputs."""
        return self.detector.raw(image)[1]


class Choice(NamedTuple):
    """The provider that was chosen, its models, and who was refused and why, a sentence each."""

    provider: Provider
    models: Models
    refused: tuple[str, ...]


Load = Callable[[Path, Provider, int], Any]  # an *.onnx file, a provider, threads -> insightface's model
Embed = Callable[[Any, list[Any]], Any]  # a recogniser, crops -> unit rows


def session_options(threads: int) -> onnxruntime.SessionOptions:
    """Return options for runs that do not fight: few threads, none that spin while they wait."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_mem_pattern = False  # a plan for every shape seen: memory for nothing
    options.log_severity_level = 3  # SCRFD's shapes change, and each would be warned about
    return options


def load_model(file: Path, provider: Provider, threads: int) -> Any:
    """Return insightface's model of file on provider, or None for a kind it does not know.

    Raises ProviderError when ONNX Runtime quietly took the processor instead, and onnxruntime's own errors.
    """
    wanted: list[Any] = [(provider.onnx_name, provider.with_threads(threads))]
    model = model_zoo.get_model(
        str(file),
        providers=wanted if provider is CPU else [*wanted, CPU.onnx_name],
        sess_options=session_options(threads),
        static_shape_sessions=False,  # else every photo's shape would keep a session of its own
    )
    if model is not None and model.session.get_providers()[0] != provider.onnx_name:
        raise ProviderError("it does not start here: its driver, or the device, is missing")
    return model


def choose(
    files: tuple[Path, Path],
    processor: Models,
    right: Answers,
    embed: Embed,
    execution: ExecutionConfig,
    *,
    load: Load = load_model,
    available: Sequence[str] | None = None,
    clock: Callable[[], float] = time.process_time,
) -> Choice:
    """Return the first provider that is there and answers as the processor does; the processor is the last.

    files are the detector and the recogniser; processor runs them already, and right is what it answered.
    clock counts the time of all processors: what a provider leaves free, cameras can use.
    """
    there = onnxruntime.get_available_providers() if available is None else available
    refused = []
    for provider in _candidates(execution, there):
        if provider is CPU:
            break
        try:
            models = _tried(provider, files, right, embed, execution.threads, load, there)
            if not execution.providers:
                _check_cost(models, processor, clock)
        except ProviderError as error:
            refused.append(f"{provider.name} is not used: {error}")
            continue
        return Choice(provider, models, tuple(refused))
    return Choice(CPU, _leaner(processor, files[1], right, embed, execution.threads, clock), tuple(refused))


def _candidates(execution: ExecutionConfig, there: Sequence[str]) -> Iterator[Provider]:
    if execution.providers:
        return (PROVIDERS[name] for name in execution.providers)
    return (PROVIDERS[name] for name in AUTO_PROVIDERS if PROVIDERS[name].onnx_name in there)


def _tried(
    provider: Provider,
    files: tuple[Path, Path],
    right: Answers,
    embed: Embed,
    threads: int,
    load: Load,
    there: Sequence[str],
) -> Models:
    """Return the models on provider once they have passed the self-test. Raises ProviderError."""
    if provider.onnx_name not in there:
        raise ProviderError(f"this onnxruntime is without it (install {provider.package} in its place)")
    try:
        detection, recogniser = (load(file, provider, threads) for file in files)
        models = Models(LeanSCRFD(detection, provider.sides), recogniser)
        side = int(recogniser.input_size[0])
        answers = answers_of(models.search, lambda crops: embed(recogniser, crops), side)
    except ProviderError:
        raise
    except Exception as error:  # every runtime has errors of its own
        raise ProviderError(f"it fails ({_first_line(error)})") from error
    if words := disagreement(answers, right):
        raise ProviderError(words)
    return models


def _check_cost(models: Models, processor: Models, clock: Callable[[], float]) -> None:
    scene = drawn_scene(*SCENES[0])
    its, ours = (cost_of(partial(each.search, scene), clock) for each in (models, processor))
    if its > WORTH_IT * ours:
        raise ProviderError(
            f"a search costs {1000 * its:.1f} ms of processor time with it and {1000 * ours:.1f} ms without"
        )


def _first_line(error: Exception) -> str:
    """Return what an error says, or what it is called when it says nothing."""
    return (str(error).strip() or type(error).__name__).splitlines()[0][:200]


def _leaner(
    processor: Models,
    file: Path,
    right: Answers,
    embed: Embed,
    threads: int,
    clock: Callable[[], float],
) -> Models:
    """Return the processor's models with a recogniser that answers the same for less, where there is one."""
    try:
        other = leaner(processor.recogniser, file, session_options(threads))
        if other is None:
            return processor
        crops = drawn_crops(int(other.input_size[0]))
        words = disagreement(Answers(embed(other, crops), right.outputs), right)
    except Exception as error:  # whatever onnx and onnxruntime raise: the file itself runs, so it is used
        words = _first_line(error)
    if words:
        log.warning("the recogniser runs as it is: rewritten, %s", words)
        return processor
    its, ours = (cost_of(partial(embed, each, crops[:1]), clock) for each in (other, processor.recogniser))
    return processor._replace(recogniser=other) if its <= WORTH_IT * ours else processor
