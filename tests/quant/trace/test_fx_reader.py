from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from haq.zoo import NetConfig
from haq.zoo import build as build_model
from quant.errors import ModelError
from quant.float_net import FloatNet
from quant.graph import Node
from quant.trace import trace
from tests.quant.blocks import BLOCKS, block
from tests.quant.networks import KINDS, case

SHAPE = (3, 8, 8)
Then = Callable[[Any, Tensor], Tensor]


class Function(nn.Module):
    """A convolution, then whatever `then` does with this module and the value."""

    def __init__(self, then: Then) -> None:
        super().__init__()
        self.then = then
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.other = nn.Conv2d(4, 4, 1)
        self.norm = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        return self.then(self, self.conv(x))


@pytest.mark.parametrize("kind", KINDS)
def test_traced_network_equals_the_module(kind: str) -> None:
    known = case(kind)
    with torch.no_grad():
        expected = known.module(known.images)
    ours = FloatNet(known.network).logits(known.images)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_are_those_of_the_values(kind: str) -> None:
    known = case(kind)

    def check(node: Node, value: Tensor) -> Tensor:
        assert value[0].numel() == torch.Size(node.shape).numel()
        if node.op != "global_avg_pool":
            assert tuple(value.shape[1:]) == node.shape
        if node.layer is not None and node.layer.op == "conv":
            assert node.layer.out_size == value.shape[2:]
        return value

    FloatNet(known.network).logits(known.images[:1], check)


def test_padding_of_a_subclass_is_kept() -> None:
    layer = case("mobile").network.graph.layers[0]
    assert layer.pads == (0, 1, 0, 1)
    assert (layer.in_size, layer.out_size) == ((20, 20), (10, 10))


def test_height_comes_before_width() -> None:
    layer = case("odd").network.graph.layers[0]
    assert (layer.kernel, layer.stride, layer.pads) == ((1, 3), (1, 2), (1, 1, 0, 0))
    assert (layer.in_size, layer.out_size) == ((14, 22), (14, 11))


def test_activations_are_fused_into_the_layer_before() -> None:
    known = {layer.name: layer.activation for layer in case("mobile").network.graph.layers}
    assert known == {
        "stem.0": "relu6",
        "widen.0.0": "relu6",
        "depthwise.0.0": "relu6",
        "project.0": "none",
        "last.0.0": "relu6",
        "classifier.1": "none",
    }


def test_relu_behind_an_add_is_a_node_of_its_own() -> None:
    ops = [node.op for node in case("residual").network.graph.nodes]
    assert ops.count("add") == ops.count("relu") == 2
    assert ops.count("max_pool") == 1


def test_an_activation_is_not_fused_where_the_value_has_another_reader() -> None:
    network = trace(Function(lambda net, y: F.relu(y) + y), SHAPE)
    assert [node.op for node in network.graph.nodes] == ["input", "conv", "relu", "add"]
    assert network.graph.layers[0].activation == "none"


def test_a_second_activation_is_a_node_of_its_own() -> None:
    network = trace(Function(lambda net, y: F.relu6(F.relu(y))), SHAPE)
    assert network.graph.layers[0].activation == "relu"
    assert network.graph.nodes[-1].op == "relu6"


def test_a_pool_may_be_used_twice() -> None:
    module = Function(lambda net, y: net.pool(net.pool(y))).eval()
    network = trace(module, SHAPE)
    assert network.graph.nodes[-1].shape == (4, 2, 2)
    x = torch.randn(2, *SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(FloatNet(network).logits(x), module(x), rtol=1e-5, atol=1e-5)


def test_a_layer_that_is_used_twice_is_two() -> None:
    module = Function(lambda net, y: net.norm(net.other(net.norm(net.other(y))))).eval()
    network = trace(module, SHAPE)
    assert network.graph.layer_names == ("conv", "other", "other_2")
    x = torch.randn(2, *SHAPE)
    with torch.no_grad():
        torch.testing.assert_close(FloatNet(network).logits(x), module(x), rtol=1e-5, atol=1e-5)


def test_mobilenet_v2_has_the_published_counts() -> None:
    """53 layers and 300,774,272 MACs: torchvision's mobilenet_v2 at 224x224, 1000 classes."""
    module = build_model(NetConfig("mbv2", input_size=224, channels=3, classes=1000))
    network = trace(module, (3, 224, 224))
    assert len(network.graph.layers) == 53
    assert sum(layer.macs for layer in network.graph.layers) == 300_774_272
    assert sum(layer.weight_count for layer in network.graph.layers) == 3_469_760


@pytest.mark.parametrize(
    ("then", "message"),
    [
        (lambda net, y: torch.sinh(y), "operation 'sinh' is not supported"),
        (lambda net, y: y + net.other(y).std((2, 3), keepdim=True), "'std' is not supported"),
        (lambda net, y: y if y.sum() > 0 else -y, "cannot be traced"),
        (lambda net, y: [y for _ in range(y.size(0))], "cannot be traced"),
        (lambda net, y: (y, net.other(y)), "several outputs: one image in and one output"),
        (lambda net, y: {"out": y}, "several outputs: one image in and one output"),
        (lambda net, y: y * net.other.weight[0, 0, 0, 0], "get_attr of 'other.weight'"),
    ],
)
def test_unsupported_operations(then: Then, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        trace(Function(then), SHAPE)
    assert "\n" not in str(caught.value)


class TwoInputs(nn.Module):
    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return left + right


def test_two_inputs_are_refused_by_name() -> None:
    with pytest.raises(ModelError, match="inputs left, right: one image in and one output"):
        trace(TwoInputs(), SHAPE)


def test_a_norm_behind_an_activation_becomes_a_scale() -> None:
    network = trace(Function(lambda net, y: net.norm(F.relu(y))), SHAPE)
    assert [node.op for node in network.graph.nodes] == ["input", "conv", "scale"]
    assert network.graph.stays_float == {"norm": "scale"}


def test_a_norm_is_not_folded_where_the_convolution_has_another_reader() -> None:
    network = trace(Function(lambda net, y: net.norm(y) + y), SHAPE)
    assert [node.op for node in network.graph.nodes] == ["input", "conv", "scale", "add"]


def test_what_is_computed_for_nothing_is_left_out() -> None:
    def then(net: Any, y: Tensor) -> Tensor:
        net.other(y)
        return torch.relu(y.chunk(2, 1)[0])

    ops = [node.op for node in trace(Function(then), SHAPE).graph.nodes]
    assert ops == ["input", "conv", "slice", "relu"]


@pytest.mark.parametrize("kind", BLOCKS)
def test_traced_blocks_equal_the_module(kind: str) -> None:
    known = block(kind)
    with torch.no_grad():
        expected = known.module(known.images)
    ours = FloatNet(known.network).logits(known.images)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)


def test_what_stays_float_is_listed() -> None:
    assert block("decoder").network.graph.stays_float == {
        "before": "scale",
        "inner.0": "scale",
        "up": "deconv",
        "depthwise": "deconv",
    }
    assert block("mobile v3").network.graph.stays_float == {}


def test_transitions_go_through_gates_and_shuffles() -> None:
    pairs = set(block("mobile v3").network.graph.transitions)
    assert {("block.2.0", "block.5.0"), ("block.4.expand", "block.5.0")} <= pairs
    assert ("left.1.0", "plain.0.0") in block("shuffle").network.graph.transitions


def test_wrong_input_size() -> None:
    with pytest.raises(ModelError, match="does not run on inputs of 5x8x8"):
        trace(nn.Sequential(nn.Conv2d(3, 4, 3)), (5, 8, 8))
    with pytest.raises(ModelError, match="does not run on inputs of 3x2x2"):
        trace(nn.Sequential(nn.Conv2d(3, 4, 3)), (3, 2, 2))


class OfSixteen(nn.Module):
    """Asserts what its images are, as networks of timm do."""

    def forward(self, x: Tensor) -> Tensor:
        torch._assert(x.shape[2] == 16, "16 pixels")  # type: ignore[no-untyped-call]
        return x


def test_an_assertion_of_the_network() -> None:
    with pytest.raises(ModelError, match="does not run on inputs of 3x8x8"):
        trace(nn.Sequential(OfSixteen(), nn.Conv2d(3, 4, 3)), (3, 8, 8))
