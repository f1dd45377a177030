from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.graph import Floats
from quant.ncnn.format import TAG_CODEBOOK, TAG_FP16, TAG_INT8, Payload, dump_payload
from quant.ncnn.weights import (
    activation_scale,
    quantize,
    round_half_away,
    to_codebook,
    to_half,
    to_int8,
    weight_scales,
)
from quant.shared import Clusters


def row(*values: float) -> Floats:
    return np.array(values, np.float32)


def test_halves_are_rounded_away_from_zero() -> None:
    ties = row(-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 126.5)
    assert round_half_away(ties).tolist() == [-3, -2, -1, 1, 2, 3, 127]
    assert round_half_away(row(-0.4, 0.0, 0.4, 1.4, -1.6)).tolist() == [0, 0, 0, 1, -2]


@given(st.integers(-(2**21), 2**21), st.sampled_from([-0.5, -0.25, 0.0, 0.25, 0.5]))
def test_rounding_is_that_of_c(whole: int, part: float) -> None:
    x = whole + part
    expected = np.sign(x) * np.floor(abs(x) + 0.5)
    assert round_half_away(row(x)).item() == expected


def test_scales_by_hand() -> None:
    weight = row(0.5, -1.0, 0.0, 0.0, 254.0, 2.0)
    assert weight_scales(weight, 3).tolist() == [127.0, 1.0, 0.5]
    assert weight_scales(weight, 3).dtype == np.float32


def test_rows_too_small_for_a_scale_count_as_zero() -> None:
    weight = row(1e-40, -1e-38, 2.0, 1.0)
    scales = weight_scales(weight, 2)
    assert scales.tolist() == [1.0, 63.5]
    assert quantize(weight, scales).tolist() == [0, 0, 127, 64]


def test_rows_of_a_group_share_a_scale() -> None:
    weight = np.arange(1, 9, dtype=np.float32).reshape(4, 1, 1, 2)
    assert weight_scales(weight, 2).tolist() == [127 / 4, 127 / 8]


def test_int8_by_hand() -> None:
    weight, scales = row(0.5, -1.0, 0.25, 2.0), row(127.0, 0.5)
    assert quantize(weight, scales).tolist() == [64, -127, 0, 1]
    assert quantize(weight, scales).dtype == np.int8


def test_int8_is_clamped() -> None:
    assert quantize(row(10.0, -10.0), row(127.0)).tolist() == [127, -127]


@given(st.lists(st.floats(-1e3, 1e3, width=32), min_size=6, max_size=6))
def test_int8_is_within_half_a_step(values: list[float]) -> None:
    weight = row(*values)
    scales = weight_scales(weight, 2)
    steps = np.repeat(1 / scales.astype(np.float64), 3)
    integers = quantize(weight, scales)
    assert np.all(np.abs(integers * steps - weight.astype(np.float64)) <= 0.50001 * steps)
    assert np.abs(integers).max() <= 127


@pytest.mark.parametrize(("threshold", "scale"), [(127.0, 1.0), (2.0, 63.5), (0.0, 1.0)])
def test_activation_scales(threshold: float, scale: float) -> None:
    assert activation_scale(threshold) == scale


def test_activation_scales_are_float32() -> None:
    assert activation_scale(0.3) == float(np.float32(127) / np.float32(0.3))


@pytest.mark.parametrize("output_scale", [None, 3.0])
def test_payload_at_8_bits(output_scale: float | None) -> None:
    bias = row(0.1, 0.2)
    payload = to_int8(Payload(row(0.5, -1.0, 0.0, 4.0), bias), 2, 2.0, output_scale)
    assert (payload.weight, payload.tag) == (None, TAG_INT8)
    assert payload.bias is bias
    assert payload.int8 is not None
    assert payload.int8.values.tolist() == [64, -127, 0, 127]
    assert payload.int8.weight_scales.tolist() == [127.0, 31.75]
    assert (payload.int8.input_scale, payload.int8.output_scale) == (2.0, output_scale)


def test_payload_at_16_bits_takes_half_the_bytes() -> None:
    payload = Payload(row(0.5, 1 / 3), row(1 / 3))
    half = to_half(payload)
    assert half.tag == TAG_FP16
    assert len(dump_payload(half)) == len(dump_payload(payload)) - 4
    assert dump_payload(half)[4:8] == np.array([0.5, 1 / 3], "<f2").tobytes()
    assert dump_payload(half)[8:] == row(1 / 3).tobytes()


def test_a_codebook_is_filled_up_with_zeros() -> None:
    clusters = Clusters(np.array([[1, 0], [1, 1]], np.uint8), np.array([-2, 3], np.float32))
    payload = to_codebook(np.ones(2, np.float32), clusters)
    assert payload.codebook is not None and payload.tag == TAG_CODEBOOK
    assert payload.codebook.values.tolist() == [-2, 3, *[0] * 254]
    assert payload.codebook.indexes.tolist() == [1, 0, 1, 1]
