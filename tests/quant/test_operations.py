"""Every operation in torch, traced, in ncnn and in onnxruntime, on random shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.random import default_rng
from torch import Tensor, nn

from quant.details import Cells, Channels, Detail, Groups, Limits, Pool, Resize, Slope, Squares
from quant.errors import ModelError
from quant.fake_quant import FakeQuantNet
from quant.float_net import FloatNet
from quant.graph import Network, Node, Op, Weights
from quant.ncnn.build import dump, float_layers
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.runtime import Engine
from quant.onnx_export import export_onnx, run_onnx
from quant.operations import avg_pool, max_pool, run_operation
from quant.policy import Policy, uniform
from quant.quantized import QuantizedLayer, QuantizedLayers
from quant.trace import trace
from quant.trace.aten_reader import export
from tests.quant.random_operations import OPERATIONS, Operation, whole

CLOSE = 1e-5
"""Largest error by the largest value; 1e-6 is seen."""


class Alone(nn.Module):
    """An operation behind a convolution, or on the image itself."""

    def __init__(self, operation: Operation, channels: int, on_image: bool) -> None:
        super().__init__()
        self.stem = nn.Identity() if on_image else nn.Conv2d(channels, channels, 1)
        self.operation = operation

    def forward(self, x: Tensor) -> Tensor:
        return self.operation(self.stem(x))


@pytest.mark.parametrize("kind", OPERATIONS)
@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 100_000))
def test_all_engines_compute_the_same(kind: str, seed: int) -> None:
    rng = default_rng(seed)
    channels = int(rng.choice((2, 3, 4, 6, 8, 12, 16)))
    shape = (channels, whole(rng, 1, 9), whole(rng, 1, 9))
    torch.manual_seed(seed)
    operation = OPERATIONS[kind](rng, channels)
    module = Alone(operation, channels, rng.random() < 0.3).eval()
    images = torch.randn(2, *shape)
    try:
        with torch.no_grad():
            expected = module(images).numpy()
    except (RuntimeError, ValueError):
        assume(False)  # the kernel is larger than the image, or a norm of one pixel
    network = read(module, shape)
    engine = Engine.from_memory(*dump(float_layers(network)))
    net = FakeQuantNet(network.graph, AsItIs(network.weights), Capabilities())
    model = export_onnx(net, uniform(network.graph.layer_names, 32, 32))
    found = {
        "ours": FloatNet(network).logits(images).numpy(),
        "ncnn": np.stack([engine.run(image) for image in images.numpy()]),
        "onnx": run_onnx(model.SerializeToString(), images.numpy()),
    }
    for name, value in found.items():
        assert value.shape == expected.shape == (2, *network.graph.nodes[-1].shape), name
        assert np.abs(value - expected).max() <= CLOSE * max(1.0, np.abs(expected).max()), name


def read(module: nn.Module, shape: tuple[int, int, int]) -> Network:
    """By torch.fx, or where that does not read it by torch.export, as networks of users are."""
    try:
        return trace(module, shape)
    except ModelError:
        return export(module, shape)


class AsItIs:
    """A quantizer that leaves layers in float."""

    def __init__(self, weights: Mapping[str, Weights]) -> None:
        self._weights = weights

    def layers(self, policy: Policy) -> QuantizedLayers:
        return {n: QuantizedLayer(w.weight, None, w.bias, None) for n, w in self._weights.items()}


def test_max_pool_ignores_the_border() -> None:
    x = -torch.rand(1, 2, 7, 9) - 1.0
    expected = nn.MaxPool2d((3, 2), (2, 1), (1, 0))(x)
    assert torch.equal(max_pool(x, Pool((3, 2), (2, 1), (0, 0, 1, 1))), expected)


@pytest.mark.parametrize(("counts", "expected"), [(True, [0.5, 1.0]), (False, [1.0, 2.0])])
def test_averages_with_and_without_their_pads_by_hand(counts: bool, expected: list[float]) -> None:
    x = torch.tensor([[[[1.0, 2.0]]]])
    found = avg_pool(x, Pool((1, 2), (1, 2), (1, 1, 0, 0), counts))
    assert found.flatten().tolist() == expected


def plain(op: Op, x: Tensor, detail: Detail, shape: tuple[int, ...] = ()) -> list[float]:
    node = Node("x", op, (), shape, detail=detail)
    found: list[float] = run_operation(node, [x]).flatten().tolist()
    return found


def test_operations_by_hand() -> None:
    channels = torch.arange(6.0).reshape(1, 6, 1, 1)
    assert plain("slice", channels, Channels(2, 4)) == [2, 3]
    assert plain("shuffle", channels, Groups(2)) == [0, 3, 1, 4, 2, 5]
    assert plain("leaky_relu", channels - 2, Slope(0.5)) == [-1, -0.5, 0, 1, 2, 3]
    assert plain("elu", channels - 6, Slope(2.0))[5] == pytest.approx(2 * (math.exp(-1) - 1))
    assert plain("clip", channels, Limits(1.5, 4.0)) == [1.5, 1.5, 2, 3, 4, 4]
    assert plain("pixel_shuffle", channels[:, :4], Squares(2)) == [0, 1, 2, 3]
    row = torch.tensor([[[[0.0, 4.0]]]])
    assert plain("resize", row, Resize("nearest"), (1, 1, 4)) == [0, 0, 4, 4]
    assert plain("resize", row, Resize("bilinear"), (1, 1, 4)) == [0, 1, 3, 4]
    pixels = torch.tensor([[[[1.0, 2.0, 6.0]]]])
    assert plain("adaptive_avg_pool", pixels, Cells((1, 3)), (1, 1, 2)) == [1.5, 4.0]
    thirds = [0, 4 / 3, 8 / 3, 4]
    assert plain("resize", row, Resize("aligned"), (1, 1, 4)) == pytest.approx(thirds)


@pytest.mark.parametrize("op", ["relu", "relu6", "sigmoid", "hardsigmoid", "hardswish", "silu"])
def test_inputs_are_left_alone(op: Op) -> None:
    x = torch.randn(1, 3, 2, 2)
    before = x.clone()
    run_operation(Node("x", op, (), (3, 2, 2)), [x])
    assert torch.equal(x, before)
