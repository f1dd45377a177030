from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from env.actions import Choices, free_choices, tied_choices
from haq.cost import AdditiveCost, bops_cost, size_cost
from haq.cost.additive import layer_bops, layer_bytes
from haq.cost.codebook import codebook_bytes
from quant.graph import Graph, Layer
from quant.ncnn.build import dump, float_layers, mixed_layers
from quant.ncnn.runtime import capabilities
from quant.policy import Bits, uniform
from tests.env.toys import toy_graph
from tests.haq.cost.contract import check_cost_model, policies
from tests.haq.subjects import small_subject
from tests.quant.networks import case

GRAPH = toy_graph(7)
CHOICES = {"tied": tied_choices(GRAPH.layer_names), "free": free_choices(GRAPH.layer_names)}
POINTWISE = Layer("1x1", "conv", 8, 16, in_size=(4, 6), out_size=(4, 6))
DEPTHWISE = Layer("dw", "conv", 6, 6, (3, 3), groups=6, in_size=(4, 6), out_size=(2, 3))
LINEAR = Layer("fc", "linear", 5, 3)
SCORES = Layer("s", "scores", 6, 2, groups=2, in_size=(1, 4), out_size=(4, 5))
CONTEXT = Layer("c", "context", 2, 6, groups=2, in_size=(4, 5), out_size=(1, 4))


@pytest.mark.parametrize("make", [size_cost, bops_cost])
@pytest.mark.parametrize("kind", CHOICES)
@given(data=st.data())
def test_contract(
    make: Callable[[Graph, Choices], AdditiveCost], kind: str, data: st.DataObject
) -> None:
    choices = CHOICES[kind]
    some = data.draw(st.lists(policies(choices), min_size=1, max_size=3))
    check_cost_model(make(GRAPH, choices), choices, some)


@pytest.mark.parametrize(
    ("layer", "bits", "expected"),
    [
        # tag + 128 weights + 16 biases + 16 scales and those of input and output
        (POINTWISE, 8, 4 + 128 + 4 * (16 + 18)),
        (POINTWISE, 16, 4 + 256 + 4 * 16),
        (POINTWISE, 32, 4 + 512 + 4 * 16),
        (POINTWISE, 3, 4 + 48 + 4 * (16 + 18)),
        # 54 bytes are padded to 56
        (DEPTHWISE, 8, 4 + 56 + 4 * (6 + 8)),
        (DEPTHWISE, 16, 4 + 108 + 4 * 6),
        # 15 bytes to 16, 15 * 5 bits = 10 bytes to 12
        (LINEAR, 8, 4 + 16 + 4 * (3 + 5)),
        (LINEAR, 5, 4 + 12 + 4 * (3 + 5)),
    ],
)
def test_bytes_of_a_layer(layer: Layer, bits: int, expected: int) -> None:
    assert layer_bytes(layer, Bits(bits, 8)) == expected


def test_activation_bits_take_no_bytes() -> None:
    assert layer_bytes(POINTWISE, Bits(8, 2)) == layer_bytes(POINTWISE, Bits(8, 32))


def test_bit_operations_of_a_layer() -> None:
    assert layer_bops(POINTWISE, Bits(4, 6)) == 8 * 16 * 24 * 4 * 6
    assert layer_bops(DEPTHWISE, Bits(8, 8)) == 6 * 9 * 6 * 64
    assert layer_bops(LINEAR, Bits(32, 32)) == 15 * 1024


@pytest.mark.parametrize("kind", ["mobile", "residual", "odd"])
@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_the_written_file_keeps_the_size(kind: str, data: st.DataObject) -> None:
    network, ranges = case(kind).network, case(kind).ranges
    choices = tied_choices(network.graph.layer_names)
    policy = data.draw(policies(choices))
    layers = mixed_layers(
        float_layers(network), policy.engine_bits(), ranges.engine_thresholds(), capabilities()
    )
    integers = sum(bits.weight == 8 for bits in policy.layers.values())
    spare = size_cost(network.graph, choices).cost(policy) - len(dump(layers)[1])
    assert 0 <= spare <= 4 * integers


def test_the_size_of_a_whole_network() -> None:
    graph = small_subject().network.graph
    model = size_cost(graph, tied_choices(graph.layer_names))
    costs = [model.cost(uniform(graph.layer_names, bits, bits)) for bits in (8, 16, 32)]
    weights = sum(layer.weight_count for layer in graph.layers)
    assert costs[2] - costs[1] == 2 * weights
    assert 0.25 < costs[0] / costs[2] < 0.4


def test_the_least_of_free_choices_keeps_the_ends() -> None:
    least = size_cost(GRAPH, CHOICES["free"]).least()
    first, *middle, last = (least[name].weight for name in GRAPH.layer_names)
    assert (first, set(middle), last) == (8, {2}, 8)
    assert bops_cost(GRAPH, CHOICES["free"]).least()["layer3"] == Bits(2, 2)


@pytest.mark.parametrize("layer", [SCORES, CONTEXT])
def test_products_cost_the_bits_of_both_values_and_no_bytes(layer: Layer) -> None:
    """Each of 4 x 5 pairs of tokens takes 6 multiplications, 3 for each of 2 heads."""
    assert layer_bops(layer, Bits(3, 5)) == 4 * 5 * 6 * 3 * 5
    assert layer_bytes(layer, Bits(3, 5)) == layer_bytes(layer, Bits(32, 32)) == 0
    assert codebook_bytes(layer, Bits(3, 32)) == 0
