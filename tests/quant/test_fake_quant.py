from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from quant.calibrate import Ranges
from quant.errors import PolicyError
from quant.fake_quant import FakeQuantNet, never_negative
from quant.float_net import FloatNet
from quant.graph import Graph, Layer, Network, Node, Weights
from quant.naive import Arithmetic, NaiveQuantizer
from quant.ncnn.capabilities import Capabilities
from quant.observers import Histogram
from quant.policy import Bits, Policy, uniform
from quant.quantized import InputLevels, QuantizedLayer, QuantizedLayers
from tests.quant.blocks import BLOCKS, block
from tests.quant.networks import KINDS, case

NO16 = Capabilities()
X86 = Capabilities("x86", "bf16", frozenset({"Convolution", "InnerProduct", "BinaryOp"}))
ARM = Capabilities("arm", "fp16", X86.types16 | {"ConvolutionDepthWise"})


def fake(kind: str, board: Capabilities = NO16, arithmetic: Arithmetic = "ncnn") -> FakeQuantNet:
    known = case(kind)
    quantizer = NaiveQuantizer(known.network, known.ranges, arithmetic)
    return FakeQuantNet(known.network.graph, quantizer, board)


def one_layer(signed: bool = True, arithmetic: Arithmetic = "ncnn") -> FakeQuantNet:
    """A linear layer of one output whose inputs reach up to 2."""
    layer = Layer("only", "linear", 2, 1)
    nodes = Node("x", "input", (), (2, 1, 1)), Node("only", "linear", ("x",), (1,), layer)
    weights = Weights(np.array([[0.5, -1.0]], np.float32), np.array([0.25], np.float32))
    ranges = Ranges({"only": Histogram(np.ones(8), 2.0, signed)}, "absmax")
    network = Network(Graph(nodes), {"only": weights})
    return FakeQuantNet(network.graph, NaiveQuantizer(network, ranges, arithmetic), NO16)


def logit(net: FakeQuantNet, x: tuple[float, float], weight: int, activation: int) -> float:
    policy = Policy({"only": Bits(weight, activation)})
    return net.logits(torch.tensor(x).reshape(1, 2, 1, 1), policy).item()


def test_8_bits_by_hand() -> None:
    """Scales are 127 / 1 and 127 / 2: weights 64, -127 (63.5 goes up) and inputs 64, -19."""
    expected = (64 * 64 + 127 * 19) / (127 * 63.5) + 0.25
    assert logit(one_layer(), (1.0, -0.3), 8, 8) == pytest.approx(expected, rel=1e-6)


def test_inputs_beyond_the_range_are_clipped_by_hand() -> None:
    expected = (64 * 127 + 127 * 127) / (127 * 63.5) + 0.25
    assert logit(one_layer(), (9.0, -9.0), 8, 8) == pytest.approx(expected, rel=1e-6)


def test_simulated_levels_are_unsigned_where_nothing_is_negative() -> None:
    """Four bits give 15 steps of 2 / 15 to an unsigned and 7 of 2 / 7 to a signed input."""
    unsigned = logit(one_layer(signed=False, arithmetic="simulated"), (1.0, 0.3), 32, 4)
    assert unsigned == pytest.approx(0.5 * 8 * 2 / 15 - 2 * 2 / 15 + 0.25, rel=1e-6)
    signed = logit(one_layer(signed=True, arithmetic="simulated"), (1.0, 0.3), 32, 4)
    assert signed == pytest.approx(0.5 * 4 * 2 / 7 - 1 * 2 / 7 + 0.25, rel=1e-6)


def test_simulated_first_layer_takes_the_image_as_it_is() -> None:
    first = fake("mobile").graph.layers[0]
    x = case("mobile").images
    simulated = fake("mobile", arithmetic="simulated")
    names = simulated.graph.layer_names
    at_8, at_32 = uniform(names, 32, 8), uniform(names, 32, 32)
    exact, rounded = (net.run_layer(first, x, at_8) for net in (simulated, fake("mobile")))
    assert torch.equal(exact, simulated.run_layer(first, x, at_32))
    assert not torch.equal(exact, rounded)
    assert simulated.layers(uniform(names, 32, 7))[first.name].input is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("arithmetic", ["ncnn", "simulated"])
def test_32_bits_are_the_float_network(kind: str, arithmetic: Arithmetic) -> None:
    known = case(kind)
    policy = uniform(known.network.graph.layer_names, 32, 32)
    ours = fake(kind, X86, arithmetic).logits(known.images, policy)
    assert torch.equal(ours, FloatNet(known.network).logits(known.images))


@pytest.mark.parametrize("kind", KINDS)
def test_8_bits_are_near_the_float_network(kind: str) -> None:
    known = case(kind)
    policy = uniform(known.network.graph.layer_names, 8, 8)
    exact = FloatNet(known.network).logits(known.images)
    error = (fake(kind).logits(known.images, policy) - exact).abs().max()
    assert 0 < error < 0.1 * exact.abs().max()


def test_the_images_are_left_alone() -> None:
    known = case("mobile")
    before = known.images.clone()
    fake("mobile").logits(known.images, uniform(known.network.graph.layer_names, 8, 8))
    assert torch.equal(known.images, before)


def test_a_policy_for_other_layers() -> None:
    with pytest.raises(PolicyError, match="does not fit the network"):
        fake("mobile").logits(case("mobile").images, uniform(("stem.0", "other"), 8, 8))


def test_what_comes_from_a_relu_is_never_negative() -> None:
    graph = case("mobile").network.graph
    assert never_negative(graph) == {"widen.0.0", "depthwise.0.0", "project.0", "classifier.1"}
    assert "second.0.0" in never_negative(case("residual").network.graph)


@pytest.mark.parametrize("kind", BLOCKS)
def test_nothing_is_negative_that_never_should_be(kind: str) -> None:
    network = block(kind).network
    positive = never_negative(network.graph)
    sources = {node.inputs[0] for node in network.graph.nodes if node.name in positive}

    def check(node: Node, value: torch.Tensor) -> torch.Tensor:
        assert node.name not in sources or value.min() >= 0
        return value

    assert sources
    FloatNet(network).logits(block(kind).images, check)


def test_gates_and_what_passes_signs_on_are_looked_through() -> None:
    """Channels of ReLUs that are joined, dealt out and pooled; a SiLU and a sum with it are not."""
    assert never_negative(block("shuffle").network.graph) >= {"plain.0.0", "last.0.0", "classifier"}
    assert "gated.expand" in never_negative(block("efficient").network.graph)
    assert "gated.reduce" not in never_negative(block("efficient").network.graph)
    assert never_negative(block("mobile v3").network.graph) == {"block.4.expand"}


@pytest.mark.parametrize("kind", KINDS)
def test_signs_do_not_change_the_rounding(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = case(kind)
    policy = uniform(known.network.graph.layer_names, 8, 8)
    quick = fake(kind).logits(known.images, policy)
    monkeypatch.setattr("quant.fake_quant.never_negative", lambda graph: frozenset())
    assert torch.equal(quick, fake(kind).logits(known.images, policy))


def test_16_bits_round_to_the_type_of_the_board() -> None:
    third = torch.tensor([1 / 3])
    assert fake("mobile", X86).round16(third).item() == 0.333984375
    assert fake("mobile", ARM).round16(third).item() == 0.333251953125


def test_16_bits_reach_the_layers_that_the_board_can_compute() -> None:
    layers = {layer.name: layer for layer in fake("mobile").graph.layers}
    depthwise, dense = layers["depthwise.0.0"], layers["widen.0.0"]
    boards = {"none": NO16, "x86": X86, "arm": ARM}
    nets = {name: fake("mobile", board) for name, board in boards.items()}
    assert {n: net.computes16(depthwise) for n, net in nets.items()} == {
        "none": False,
        "x86": False,
        "arm": True,
    }
    assert {n: net.computes16(dense) for n, net in nets.items()} == {
        "none": False,
        "x86": True,
        "arm": True,
    }


def test_16_bit_weights_are_stored_as_fp16() -> None:
    """A board without 16-bit arithmetic still reads the rounded weights of the file."""
    name = fake("mobile").graph.layer_names[1]
    policy = uniform(fake("mobile").graph.layer_names, 16, 16)
    weight = case("mobile").network.weights[name].weight
    stored = fake("mobile").layers(policy)[name]
    assert stored.weight_scale is None
    assert np.array_equal(stored.weight, weight.astype(np.float16).astype(np.float32))
    half = torch.from_numpy(weight).half()
    computed = fake("mobile", X86).layers(policy)[name]
    assert np.array_equal(computed.weight, half.bfloat16().float().numpy())


def test_node_widths_follow_the_plan() -> None:
    net = fake("mobile", X86)
    names = net.graph.layer_names
    assert set(net.node_widths(uniform(names, 32, 32)).values()) == {32}
    assert net.node_widths(uniform(names, 4, 8)) == {}
    widths = net.node_widths(uniform(names, 8, 8).replace("stem.0", Bits(16, 16)))
    assert widths["stem.0"] == 16
    assert widths["widen.0.0"] == 8
    assert widths["classifier.1"] == 32


def test_spread_and_offset_by_hand() -> None:
    """Channels of 0.5 and 2 around 1: q = 4 and -6 at a scale of 2, weights 3 and -1 at 4."""
    levels = InputLevels(
        2.0, -7, 7, np.array([0.5, 2.0], np.float32), np.array([1.0, 1.0], np.float32)
    )
    made = QuantizedLayer(
        np.array([[3.0, -1.0]], np.float32),
        np.full(1, 4, np.float32),
        np.ones(1, np.float32),
        levels,
    )
    net = one_layer()
    net.quantizer = Fixed({"only": made})
    expected = (3 * 4 + 1 * 6) / (2 * 4) + 1
    assert logit(net, (2.0, -5.0), 4, 4) == pytest.approx(expected, rel=1e-6)


@dataclass(frozen=True)
class Fixed:
    """A quantizer of one answer."""

    made: QuantizedLayers

    def layers(self, policy: Policy) -> QuantizedLayers:
        return self.made
