"""PRelu written as what every onnxruntime does fast: the same recogniser for half the processor's time.

Since 1.27, onnxruntime's own PRelu with a slope for each channel takes eight times as long as before, and an
ArcFace network has one behind every convolution (decision 9). slope · x + (1 - slope) · relu(x) is the same
function for every slope. Whether it is so for a model, and cheaper, is tried at every start (execution).
"""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper

BROADCASTS_FROM = 7  # older operator sets have a rule of their own for which axis a slope belongs to


def leaner(recogniser: Any, file: Path, options: onnxruntime.SessionOptions) -> Any | None:
    """Return a copy of insightface's recogniser of file that runs without PRelu; None when it has none.

    Raises onnx's and onnxruntime's own errors.
    """
    model = without_prelu(onnx.load(str(file)))
    if model is None:
        return None
    other = copy.copy(recogniser)
    other.session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return other


def without_prelu(model: onnx.ModelProto) -> onnx.ModelProto | None:
    """Return model, changed in place, without its PRelus of constant slopes; None when it has none."""
    version = next((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), 0)
    slopes = {each.name: each for each in model.graph.initializer}
    nodes = list(model.graph.node)
    if version < BROADCASTS_FROM or not any(_is_replaceable(node, slopes) for node in nodes):
        return None
    del model.graph.node[:]
    rests: dict[str, str] = {}
    for node in nodes:
        if not _is_replaceable(node, slopes):
            model.graph.node.append(node)
            continue
        slope = node.input[1]
        if slope not in rests:
            rests[slope] = f"{slope}/rest"
            values = numpy_helper.to_array(slopes[slope])
            rest = numpy_helper.from_array((1 - values).astype(values.dtype), rests[slope])
            model.graph.initializer.append(rest)
        model.graph.node.extend(_same_as(node, slope, rests[slope]))
    return model


def _is_replaceable(node: onnx.NodeProto, slopes: dict[str, onnx.TensorProto]) -> bool:
    if node.op_type != "PRelu" or node.input[1] not in slopes:
        return False
    return bool(np.issubdtype(numpy_helper.to_array(slopes[node.input[1]]).dtype, np.floating))


def _same_as(prelu: onnx.NodeProto, slope: str, rest: str) -> Iterator[onnx.NodeProto]:
    value, result = prelu.input[0], prelu.output[0]
    yield helper.make_node("Relu", [value], [f"{result}/positive"])
    yield helper.make_node("Mul", [value, slope], [f"{result}/sloped"])
    yield helper.make_node("Mul", [f"{result}/positive", rest], [f"{result}/upper"])
    yield helper.make_node("Add", [f"{result}/sloped", f"{result}/upper"], [result])
