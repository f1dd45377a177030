"""Small ONNX models made by hand, their files and what onnxruntime gives for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime
from hypothesis import settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from quant.float_net import FloatNet
from quant.graph import Floats, Network
from quant.trace.onnx_file import plain_options
from quant.trace.onnx_reader import read_onnx
from tests.quant.networks import Shape, random_images

OPSET = 18
FEW = settings(max_examples=25, deadline=None)
PADS = st.lists(st.integers(0, 2), min_size=4, max_size=4)
PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3)).map(list)
Constants = Mapping[str, Any]


def node(op: str, inputs: Sequence[str], output: str = "y", **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, list(inputs), [output], f"the_{output}", **attributes)


def model(
    nodes: Sequence[onnx.NodeProto],
    shape: Sequence[int | str] = (1, 3, 8, 8),
    constants: Constants | None = None,
    outputs: Sequence[str] = ("y",),
    more_inputs: Sequence[str] = (),
    opset: int = OPSET,
) -> onnx.ModelProto:
    """A model with input `x`; constants are numpy arrays, or lists of integers."""
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))
        for name in ("x", *more_inputs)
    ]
    given = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
    known = {name: np.asarray(value) for name, value in (constants or {}).items()}
    weights = [numpy_helper.from_array(value, name) for name, value in known.items()]
    graph = helper.make_graph(list(nodes), "small", inputs, given, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def read(made: onnx.ModelProto, folder: Path) -> Network:
    onnx.save(made, folder / "net.onnx")
    return read_onnx(folder / "net.onnx")


def both(made: onnx.ModelProto, folder: Path, shape: Shape = (3, 8, 8)) -> tuple[Floats, Floats]:
    """Results of the network that was read, and of onnxruntime, for two images."""
    images = random_images(shape, 2)
    session = onnxruntime.InferenceSession(
        made.SerializeToString(), plain_options(), ["CPUExecutionProvider"]
    )
    expected = [session.run(None, {"x": image[None].numpy()})[0] for image in images]
    ours = FloatNet(read(made, folder)).logits(images).numpy()
    return ours, np.concatenate(expected).reshape(ours.shape)


def random(*shape: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def check(made: onnx.ModelProto, shape: Shape = (3, 8, 8)) -> None:
    """Asserts that the network which was read computes what onnxruntime does."""
    with TemporaryDirectory() as folder:
        ours, expected = both(made, Path(folder), shape)
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def ops_of(made: onnx.ModelProto, folder: Path) -> list[str]:
    """The operations of the network which was read, after its input."""
    return [found.op for found in read(made, folder).graph.nodes[1:]]
