from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from env.actions import weight_choices
from haq.cost import codebook_cost
from haq.cost.codebook import codebook_bytes
from quant.graph import Layer
from quant.policy import Bits, Policy, uniform
from tests.env.toys import toy_graph
from tests.haq.cost.contract import check_cost_model, policies

GRAPH = toy_graph(7)
CHOICES = weight_choices(GRAPH.layer_names, (*range(1, 9), 32))


@settings(max_examples=20)
@given(st.lists(policies(CHOICES), min_size=1, max_size=3))
def test_contract(some: list[Policy]) -> None:
    check_cost_model(codebook_cost(GRAPH, CHOICES), CHOICES, some)


def test_bytes_by_hand() -> None:
    layer = Layer("l", "conv", 3, 5, (3, 3))
    assert codebook_bytes(layer, Bits(32, 32)) == 4 * (135 + 5)
    assert codebook_bytes(layer, Bits(1, 32)) == 17 + 4 * 2 + 4 * 5
    assert codebook_bytes(layer, Bits(3, 32)) == 51 + 4 * 8 + 4 * 5
    assert codebook_bytes(layer, Bits(8, 32)) == 135 + 4 * 256 + 4 * 5


def test_a_codebook_can_outweigh_what_it_saves() -> None:
    layer = Layer("l", "conv", 8, 8, (3, 3), groups=8)
    assert codebook_bytes(layer, Bits(8, 32)) > codebook_bytes(layer, Bits(32, 32))


def test_the_ratio_to_float_of_large_layers_is_that_of_the_bits() -> None:
    layer = Layer("l", "linear", 1280, 1000)
    for bits in (1, 2, 4):
        ratio = codebook_bytes(layer, Bits(bits, 32)) / codebook_bytes(layer, Bits(32, 32))
        assert ratio == pytest.approx(bits / 32, rel=0.03)


def test_the_unit_is_bytes() -> None:
    model = codebook_cost(GRAPH, CHOICES)
    floats = model.cost(uniform(GRAPH.layer_names, 32, 32))
    assert model.unit == "bytes"
    assert floats == sum(4 * (layer.weight_count + layer.c_out) for layer in GRAPH.layers)
