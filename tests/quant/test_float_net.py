from __future__ import annotations

import pytest
import torch
from torch import Tensor

from quant.float_net import FloatNet, activate, apply_layer, count_readers
from quant.graph import Layer, Node
from tests.quant.ncnn.small_network import residual_graph
from tests.quant.networks import KINDS, case


def test_readers_are_counted_once_an_input() -> None:
    assert count_readers(residual_graph().nodes) == {
        "image": 1,
        "first": 2,
        "depthwise": 1,
        "second": 1,
        "sum": 1,
    }


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("none", [-1.0, 3.0, 8.0]), ("relu", [0.0, 3.0, 8.0]), ("relu6", [0.0, 3.0, 6.0])],
)
def test_activations(kind: str, expected: list[float]) -> None:
    assert activate(torch.tensor([-1.0, 3.0, 8.0]), kind).tolist() == expected


def test_asymmetric_padding_by_hand() -> None:
    """A 2x2 sum over one pixel, padded at the right and the bottom only."""
    layer = Layer("c", "conv", 1, 1, (2, 2), pads=(0, 1, 0, 1))
    x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    sums = apply_layer(layer, x, torch.ones(1, 1, 2, 2), None)
    assert sums.tolist() == [[[[10.0, 6.0], [7.0, 4.0]]]]


def test_linear_layers_flatten() -> None:
    layer = Layer("l", "linear", 8, 1)
    x = torch.arange(8.0).reshape(1, 2, 2, 2)
    assert apply_layer(layer, x, torch.ones(1, 8), torch.ones(1)).item() == 29.0


@pytest.mark.parametrize("kind", KINDS)
def test_every_node_is_shown_and_may_be_changed(kind: str) -> None:
    known = case(kind)
    seen: list[str] = []

    def zero(node: Node, value: Tensor) -> Tensor:
        seen.append(node.name)
        return torch.zeros_like(value) if node.op == "global_avg_pool" else value

    logits = FloatNet(known.network).logits(known.images, zero)
    assert seen == [node.name for node in known.network.graph.nodes]
    bias = known.network.weights[known.network.graph.layer_names[-1]].bias
    assert torch.equal(logits, torch.from_numpy(bias).expand(len(known.images), -1))


def test_the_images_are_left_alone() -> None:
    known = case("residual")
    before = known.images.clone()
    FloatNet(known.network).logits(known.images)
    assert torch.equal(known.images, before)
