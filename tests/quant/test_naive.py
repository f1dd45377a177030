from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from quant.naive import Arithmetic, NaiveQuantizer, best_scale, quantize_rows, round_half_away_
from quant.ncnn.weights import quantize, weight_scales
from quant.policy import Bits, uniform
from tests.quant.networks import KINDS, case


def naive(kind: str, arithmetic: Arithmetic = "ncnn") -> NaiveQuantizer:
    return NaiveQuantizer(case(kind).network, case(kind).ranges, arithmetic)


def test_ncnn_levels_are_signed_even_where_nothing_is_negative() -> None:
    known = case("mobile")
    project = next(x for x in known.network.graph.layers if x.name == "project.0")
    assert not known.ranges.histograms[project.name].signed
    levels = naive("mobile").input_levels(project, 8)
    assert levels is not None
    assert (levels.low, levels.high) == (-127, 127)


def test_levels_behind_a_relu() -> None:
    net = naive("mobile", "simulated")
    layers = {layer.name: layer for layer in net.network.graph.layers}
    behind_relu, behind_add = (
        net.input_levels(layers["widen.0.0"], 4),
        net.input_levels(layers["last.0.0"], 4),
    )
    assert behind_relu is not None and behind_add is not None
    assert (behind_relu.low, behind_relu.high) == (0, 15)
    assert (behind_add.low, behind_add.high) == (-7, 7)


def test_weights_are_quantized_once_per_layer_and_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []

    def count(weight: Tensor, rows: int, bits: int) -> tuple[Tensor, Tensor]:
        calls.append(bits)
        return quantize_rows(weight, rows, bits)

    monkeypatch.setattr("quant.naive.quantize_rows", count)
    net, names = naive("mobile"), case("mobile").network.graph.layer_names
    for bits in (8, 4, 8, 4, 32):
        net.layers(uniform(names, bits, 8))
    assert sorted(calls) == [4] * len(names) + [8] * len(names)


@pytest.mark.parametrize("kind", KINDS)
def test_8_bit_weights_are_those_of_the_file(kind: str) -> None:
    known = case(kind)
    for layer in known.network.graph.layers:
        made = naive(kind).layer(layer, Bits(8, 8))
        values, scales = made.weight, made.weight_scale
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
