from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache, partial

import numpy as np
import pytest
import torch

from quant.evaluate import compare
from quant.fake_quant import FakeQuantNet
from quant.float_net import FloatNet
from quant.graph import Layer, Node, Weights
from quant.naive import NaiveQuantizer
from quant.ncnn.capabilities import Capabilities
from quant.policy import SIMULATED_BITS, Bits, Policy, from_short_name, uniform
from quant.pool import run_alone
from quant.recipe.levels import join, take_sample
from quant.recipe.moments import moments_of
from quant.recipe.rows import as_groups, sample_places, take_rows
from quant.recipe.table import BATCH, Seen, TableQuantizer, make_table, make_tables, take
from tests.quant.networks import KINDS, case, random_images


@cache
def table(kind: str) -> TableQuantizer:
    known = case(kind)
    return TableQuantizer(known.network, make_tables(known.network, known.images))


def net(kind: str) -> FakeQuantNet:
    return FakeQuantNet(case(kind).network.graph, table(kind), Capabilities())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["w4a8", "w4a4"])
def test_nearer_to_float_than_naive_rounding(kind: str, name: str) -> None:
    known = case(kind)
    policy = from_short_name(name, known.network.graph.layer_names)
    assert policy is not None
    images = random_images(known.images.shape[1:], 40, seed=7)  # type: ignore[arg-type]
    wanted = FloatNet(known.network).logits(images).numpy()
    naive = NaiveQuantizer(known.network, known.ranges, "simulated")
    plain = FakeQuantNet(known.network.graph, naive, Capabilities())
    labels = np.zeros(len(images), np.int64)
    ours, theirs = (
        compare(n.logits(images, policy).numpy(), wanted, labels).kl for n in (net(kind), plain)
    )
    assert ours < theirs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [Bits(4, 4), Bits(3, 8), Bits(8, 8), Bits(4, 32), Bits(32, 4)])
def test_a_layers_mean_output_stays(kind: str, bits: Bits) -> None:
    """The bias makes good what weights and levels change in the mean: also behind padding."""
    known = case(kind)
    exact = uniform(known.network.graph.layer_names, 32, 32)
    seen: dict[str, torch.Tensor] = {}
    FloatNet(known.network).logits(
        known.images, lambda node, value: seen.setdefault(node.name, value.clone())
    )
    for node in known.network.graph.nodes:
        if node.layer is None:
            continue
        x = seen[node.inputs[0]]
        policy = exact.replace(node.name, bits)
        axes = (0, 2, 3) if node.layer.op == "conv" else (0,)
        found = net(kind).run_layer(node.layer, x, policy)
        wanted = net(kind).run_layer(node.layer, x, exact)
        error = (found - wanted).mean(axes).abs().max()
        assert error <= 0.15 * wanted.std() + 1e-3, (node.name, error, wanted.std())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bits", [Bits(8, 8), Bits(8, 32), Bits(6, 32), Bits(32, 8), Bits(6, 8)])
def test_many_bits_are_near_the_float_network(kind: str, bits: Bits) -> None:
    """Also where a spread of the input that stays float was multiplied into the weights."""
    known = case(kind)
    policy = Policy(dict.fromkeys(known.network.graph.layer_names, bits))
    wanted = FloatNet(known.network).logits(known.images)
    error = (net(kind).logits(known.images, policy) - wanted).square().mean()
    assert error <= 0.02 * wanted.var(0).mean()


def test_entries_lose_less_with_more_bits() -> None:
    for found in table("mobile").tables.values():
        for entries in (found.weights, found.inputs):
            errors = [entries[b].error for b in (2, 4, 6)]
            assert errors == sorted(errors, reverse=True)


def test_layers_do_not_depend_on_each_other() -> None:
    names = case("mobile").network.graph.layer_names
    low = uniform(names, 4, 4)
    mixed = low.replace(names[2], Bits(6, 3))
    one, other = (table("mobile").layers(p) for p in (low, mixed))
    same = [np.array_equal(one[n].weight, other[n].weight) for n in names]
    assert same == [n != names[2] for n in names]


def test_8_bits_on_both_sides_are_plain() -> None:
    names = case("mobile").network.graph.layer_names
    made = table("mobile").layers(uniform(names, 8, 8))
    naive = NaiveQuantizer(case("mobile").network, case("mobile").ranges, "simulated")
    for layer in case("mobile").network.graph.layers:
        plain = naive.layer(layer, Bits(8, 8))
        assert np.abs(made[layer.name].weight - plain.weight).max() <= 1


def test_wide_layers_stay_float() -> None:
    known = case("residual")
    policy = Policy(dict.fromkeys(known.network.graph.layer_names, Bits(32, 32)))
    wanted = FloatNet(known.network).logits(known.images)
    assert torch.equal(net("residual").logits(known.images, policy), wanted)


@pytest.mark.parametrize("kind", KINDS)
def test_walked_layer_by_layer_as_from_all_values_at_once(kind: str) -> None:
    network = case(kind).network
    values: dict[str, list[torch.Tensor]] = {node.name: [] for node in network.graph.nodes}

    def note(node: Node, value: torch.Tensor) -> torch.Tensor:
        values[node.name].append(value.clone())
        return value

    for batch in torch.split(case(kind).images, BATCH):
        FloatNet(network).logits(batch, note)
    image = network.graph.nodes[0].name
    for node in network.graph.nodes:
        if node.layer is not None:
            weights, source = network.weights[node.name], node.inputs[0]
            seen = run_alone(partial(seen_at_once, node.layer, weights, values[source]))
            of_layer = (node.layer, weights, seen, SIMULATED_BITS, source == image)
            made = run_alone(partial(make_table, *of_layer))
            assert_equal(made, table(kind).tables[node.name])


def seen_at_once(layer: Layer, weights: Weights, values: list[torch.Tensor]) -> Seen:
    """Rows of 64 places an image, drawn by the number of the batch, and about 2000 samples."""
    columns = as_groups(layer, torch.from_numpy(weights.weight))
    samples = [take_sample(x, 2000 // len(values)) for x in values]
    seeds = [torch.Generator().manual_seed(index) for index in range(len(values))]
    places = [sample_places(layer, len(x), 64, g) for x, g in zip(values, seeds, strict=True)]
    rows = [take_rows(layer, x, p) for x, p in zip(values, places, strict=True)]
    return Seen(join(samples), moments_of([(x, x @ columns.mT) for x in rows]))


def test_what_is_taken_of_a_value_does_not_hold_it() -> None:
    layer = case("mobile").network.graph.layers[1]
    value = torch.rand(4, layer.c_in, *layer.in_size).contiguous(memory_format=torch.channels_last)
    sample, rows = take(layer, value, 0, 20)
    for held in (sample.values, sample.low, sample.high, rows):
        assert held.untyped_storage().data_ptr() != value.untyped_storage().data_ptr()


def assert_equal(one: object, other: object) -> None:
    """Tables equal to the bit."""
    if isinstance(one, np.ndarray):
        assert isinstance(other, np.ndarray)
        assert np.array_equal(one, other)
    elif isinstance(one, Mapping) and isinstance(other, Mapping):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_equal(value, other[key])
    elif is_dataclass(one):
        for part in fields(one):
            assert_equal(getattr(one, part.name), getattr(other, part.name))
    else:
        assert one == other
