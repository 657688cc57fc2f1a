"""PRelu in other words: the same numbers, without the operator that became slow."""

import numpy as np
import onnx
import onnxruntime
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edge_agent.adapters.lean_prelu import without_prelu


def network(slopes: np.ndarray, *, version: int = 13, constant: bool = True) -> onnx.ModelProto:
    """Two PRelus that share their slopes, one after the other."""
    shape = [1, 3, 4, 4]
    given_ = numpy_helper.from_array(slopes, "slopes")
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    if not constant:
        inputs.append(helper.make_tensor_value_info("slopes", TensorProto.FLOAT, list(slopes.shape)))
    graph = helper.make_graph(
        [
            helper.make_node("PRelu", ["x", "slopes"], ["y"]),
            helper.make_node("PRelu", ["y", "slopes"], ["z"]),
        ],
        "two",
        inputs,
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, shape)],
        [given_] if constant else [],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)], ir_version=8)


def answer(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


@given(st.lists(st.floats(-2, 3, width=32), min_size=3, max_size=3), st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_numbers_stay_the_same_for_every_slope(slopes, seed):
    """Negative slopes and those above one too; ArcFace's recognisers have both."""
    each_channel = np.array(slopes, np.float32).reshape(3, 1, 1)
    x = np.random.default_rng(seed).normal(0, 3, (1, 3, 4, 4)).astype(np.float32)
    before = answer(network(each_channel), x)
    changed = without_prelu(network(each_channel))
    assert "PRelu" not in {node.op_type for node in changed.graph.node}
    np.testing.assert_allclose(answer(changed, x), before, rtol=1e-5, atol=1e-5)


def test_what_cannot_be_replaced_safely_is_left_alone():
    """No PRelu, slopes that are computed, and operator sets with another rule for the axis."""
    slopes = np.full((3, 1, 1), 0.25, np.float32)
    changed = without_prelu(network(slopes))
    assert without_prelu(changed) is None
    assert without_prelu(network(slopes, constant=False)) is None
    assert without_prelu(network(slopes, version=6)) is None
