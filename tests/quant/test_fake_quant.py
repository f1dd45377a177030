from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from quant.calibrate import Ranges
from quant.errors import PolicyError
from quant.fake_quant import (
    Arithmetic,
    FakeQuantNet,
    best_scale,
    never_negative,
    quantize_rows,
    round_half_away_,
)
from quant.float_net import FloatNet
from quant.graph import Graph, Layer, Network, Node, Weights
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.weights import quantize, weight_scales
from quant.observers import Histogram
from quant.policy import Bits, Policy, uniform
from tests.quant.networks import KINDS, case

NO16 = Capabilities()
X86 = Capabilities("x86", "bf16", frozenset({"Convolution", "InnerProduct", "BinaryOp"}))
ARM = Capabilities("arm", "fp16", X86.types16 | {"ConvolutionDepthWise"})


def fake(kind: str, board: Capabilities = NO16, arithmetic: Arithmetic = "ncnn") -> FakeQuantNet:
    known = case(kind)
    return FakeQuantNet(known.network, known.ranges, board, arithmetic)


def one_layer(signed: bool = True, arithmetic: Arithmetic = "ncnn") -> FakeQuantNet:
    """A linear layer of one output whose inputs reach up to 2."""
    layer = Layer("only", "linear", 2, 1)
    nodes = Node("x", "input", (), (2, 1, 1)), Node("only", "linear", ("x",), (1,), layer)
    weights = Weights(np.array([[0.5, -1.0]], np.float32), np.array([0.25], np.float32))
    ranges = Ranges({"only": Histogram(np.ones(8), 2.0, signed)}, "absmax")
    return FakeQuantNet(Network(Graph(nodes), {"only": weights}), ranges, NO16, arithmetic)


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


def test_ncnn_levels_are_signed_even_where_nothing_is_negative() -> None:
    net = one_layer(signed=False)
    assert logit(net, (1.0, 0.3), 8, 8) == logit(one_layer(signed=True), (1.0, 0.3), 8, 8)
    levels = net.input_levels(net.graph.layers[0], 8)
    assert levels is not None
    assert (levels.low, levels.high, levels.scale) == (-127, 127, 63.5)


def test_levels_behind_a_relu() -> None:
    net = fake("mobile", arithmetic="simulated")
    layers = {layer.name: layer for layer in net.graph.layers}
    behind_relu, behind_add = (
        net.input_levels(layers["widen.0.0"], 4),
        net.input_levels(layers["last.0.0"], 4),
    )
    assert behind_relu is not None and behind_add is not None
    assert (behind_relu.low, behind_relu.high) == (0, 15)
    assert (behind_add.low, behind_add.high) == (-7, 7)


def test_simulated_first_layer_takes_the_image_as_it_is() -> None:
    first = fake("mobile").graph.layers[0]
    x = case("mobile").images
    simulated = fake("mobile", arithmetic="simulated")
    assert simulated.input_levels(first, 8) is None
    exact, rounded = (net.run_layer(first, x, Bits(32, 8)) for net in (simulated, fake("mobile")))
    assert torch.equal(exact, simulated.run_layer(first, x, Bits(32, 32)))
    assert not torch.equal(exact, rounded)
    assert simulated.input_levels(first, 7) is not None


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


def test_weights_are_quantized_once_per_layer_and_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def count(weight: Tensor, rows: int, bits: int) -> tuple[Tensor, Tensor]:
        calls.append(bits)
        return quantize_rows(weight, rows, bits)

    monkeypatch.setattr("quant.fake_quant.quantize_rows", count)
    net, known = fake("mobile"), case("mobile")
    names = known.network.graph.layer_names
    for bits in (8, 4, 8, 4, 32):
        net.logits(known.images, uniform(names, bits, 8))
    assert sorted(calls) == [4] * len(names) + [8] * len(names)


@pytest.mark.parametrize("kind", KINDS)
def test_8_bit_weights_are_those_of_the_file(kind: str) -> None:
    known = case(kind)
    net = fake(kind)
    for layer in known.network.graph.layers:
        values, scales = net.weight_values(layer, 8)
        weight = known.network.weights[layer.name].weight
        expected = weight_scales(weight, layer.scale_count)
        assert scales is not None
        assert np.array_equal(values.ravel(), quantize(weight.ravel(), expected))
        repeats = layer.c_out // layer.scale_count
        assert np.array_equal(scales, np.repeat(expected, repeats))


@given(st.integers(0, 1000))
def test_more_bits_never_enlarge_the_weight_error_of_a_row(seed: int) -> None:
    weight = torch.randn(8, 64, generator=torch.Generator().manual_seed(seed))
    errors = []
    for bits in range(2, 9):
        integers, scales = quantize_rows(weight, 8, bits)
        assert integers.abs().max() <= 2 ** (bits - 1) - 1
        errors.append((integers / scales[:, None] - weight).square().sum(1))
    for fewer, more in pairwise(errors):
        assert bool((more <= fewer).all())


def test_clipping_is_no_worse_than_the_peak() -> None:
    weight = torch.randn(16, 100, generator=torch.Generator().manual_seed(0)) ** 3
    peak = 7 / weight.abs().amax(1)

    def error(scale: Tensor) -> Tensor:
        values = round_half_away_(weight * scale[:, None]).clamp_(-7, 7)
        return (values / scale[:, None] - weight).square().sum(1)

    chosen = best_scale(weight, peak, 7)
    assert bool((error(chosen) <= error(peak)).all())
    assert bool((error(chosen) < error(peak)).any())


@pytest.mark.parametrize("value", [0.0, 1e-40])
def test_rows_of_zeros_stay_zero(value: float) -> None:
    for bits in (2, 4, 8):
        integers, scales = quantize_rows(torch.full((2, 3, 1, 1), value), 2, bits)
        assert not integers.any()
        assert bool(torch.isfinite(scales).all())


def test_halves_are_rounded_away_from_zero() -> None:
    x = torch.tensor([-2.5, -1.5, -0.5, -0.4, 0.0, 0.4, 0.5, 1.5, 2.5])
    assert round_half_away_(x).tolist() == [-3, -2, -1, 0, 0, 0, 1, 2, 3]


def test_inputs_that_come_straight_from_a_relu_are_never_negative() -> None:
    graph = case("mobile").network.graph
    assert never_negative(graph) == {"widen.0.0", "depthwise.0.0", "project.0"}
    assert "second.0.0" in never_negative(case("residual").network.graph)


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
    layer = fake("mobile").graph.layers[1]
    weight = case("mobile").network.weights[layer.name].weight
    values, scales = fake("mobile").weight_values(layer, 16)
    assert scales is None
    assert np.array_equal(values, weight.astype(np.float16).astype(np.float32))
    half = torch.from_numpy(weight).half()
    values, _ = fake("mobile", X86).weight_values(layer, 16)
    assert np.array_equal(values, half.bfloat16().float().numpy())


def test_node_widths_follow_the_plan() -> None:
    net = fake("mobile", X86)
    names = net.graph.layer_names
    assert set(net.node_widths(uniform(names, 32, 32)).values()) == {32}
    assert net.node_widths(uniform(names, 4, 8)) == {}
    widths = net.node_widths(uniform(names, 8, 8).replace("stem.0", Bits(16, 16)))
    assert widths["stem.0"] == 16
    assert widths["widen.0.0"] == 8
    assert widths["classifier.1"] == 32
