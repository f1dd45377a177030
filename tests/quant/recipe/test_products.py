from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from quant.calibrate import calibrate
from quant.evaluate import divergences
from quant.fake_quant import FakeQuantNet, rounded
from quant.float_net import FloatNet
from quant.ncnn.capabilities import Capabilities
from quant.policy import Bits, Policy, uniform
from quant.recipe.levels import Sample
from quant.recipe.products import (
    ProductTable,
    entry_of,
    look_at_product,
    make_product_table,
    quantize_product,
)
from quant.recipe.sequence import quantize_in_sequence
from quant.recipe.table import TableQuantizer, make_tables
from quant.saved import SavedQuantizer, load_layers, save_layers
from tests.quant.blocks import block


def sample(values: torch.Tensor) -> Sample:
    return Sample(values, values.amin(0), values.amax(0))


SIGNED = sample(torch.randn(500, 4, generator=torch.Generator().manual_seed(0)))
CHANCES = sample(SIGNED.values.softmax(1))


def test_levels_follow_the_sign_and_lose_less_with_more_bits() -> None:
    assert (entry_of(SIGNED, 4).levels.low, entry_of(CHANCES, 4).levels.low) == (-7, 0)
    for some in (SIGNED, CHANCES):
        errors = [entry_of(some, bits).error for bits in range(2, 9)]
        assert errors == sorted(errors, reverse=True) and errors[-1] < 1e-3 < errors[0] < 1


def test_the_error_is_that_of_the_values_on_their_levels() -> None:
    entry = entry_of(SIGNED, 3)
    assert entry.levels.spread is entry.levels.offset is None
    lost = rounded(SIGNED.values, entry.levels) - SIGNED.values
    expected = float(lost.square().mean() / SIGNED.values.square().mean())
    assert entry.error == pytest.approx(expected, rel=1e-3)


def test_the_second_value_has_the_bits_of_weights() -> None:
    pair = (SIGNED, CHANCES)
    table = make_product_table(pair, (3, 8))
    made = table.layer(Bits(3, 8))
    assert made.input == table.inputs[8].levels and made.second == table.weights[3].levels
    alone = quantize_product(pair, Bits(3, 8))
    assert (alone.input, alone.second) == (made.input, made.second)
    assert made.weight.size == made.bias.size == 0
    floats = quantize_product(pair, Bits(16, 32))
    assert floats.input is floats.second is None


def test_all_values_of_all_batches_count() -> None:
    batches = [torch.full((2, 3, 1, 4), 1.0), torch.full((2, 3, 1, 4), -5.0)]
    first, second = look_at_product([batches, batches[::-1]], 100)
    assert first.low.tolist() == second.low.tolist() == [-5.0] * 3
    assert first.high.tolist() == [1.0] * 3 and len(first.values) == 16


@pytest.mark.parametrize("bits", [4, 8])
def test_tables_and_sequences_quantize_a_transformer(bits: int) -> None:
    known = block("transformer")
    network, images = known.network, known.images
    policy = uniform(network.graph.layer_names, bits, bits)
    tables = make_tables(network, images, (4, 8))
    products = {name for name, table in tables.items() if isinstance(table, ProductTable)}
    assert products == network.graph.products and len(products) == 4
    sequenced = quantize_in_sequence(network, images, policy)
    assert set(sequenced.targets) == set(network.weights)
    expected = FloatNet(network).logits(images).numpy()
    for quantizer in (
        TableQuantizer(network, tables),
        SavedQuantizer(policy, sequenced.layers),
    ):
        assert all(quantizer.layers(policy)[name].second for name in products)
        net = FakeQuantNet(network.graph, quantizer, Capabilities())
        kl = divergences(net.logits(images, policy).numpy(), expected).mean()
        assert 0 < kl < (0.5 if bits == 4 else 0.02)


def test_products_are_saved_with_both_of_their_levels(tmp_path: Path) -> None:
    known = block("transformer")
    network = known.network
    policy = Policy(dict.fromkeys(network.graph.layer_names, Bits(3, 5)))
    made = quantize_in_sequence(network, known.images, policy).layers
    save_layers(tmp_path, made, policy, network)
    found = load_layers(tmp_path, network).layers(policy)
    for name in network.graph.products:
        assert found[name].input == made[name].input and found[name].second == made[name].second
        assert np.array_equal(found[name].weight, made[name].weight)


def test_ranges_know_both_values() -> None:
    known = block("transformer")
    ranges = calibrate(known.network, known.images, "absmax")
    (name, *_) = sorted(known.network.graph.products)
    assert name in ranges.histograms and f"{name}/second" in ranges.histograms
    assert set(ranges.engine_thresholds()) == set(known.network.weights)
