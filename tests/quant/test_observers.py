from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant.errors import PolicyError
from quant.observers import (
    BINS,
    METHODS,
    Counts,
    Histogram,
    Method,
    kl_of_clipping,
    percentile,
    positive_levels,
    threshold,
)

CLIPPING: tuple[Method, ...] = ("percentile", "mse", "kl")
methods = st.sampled_from(get_args(Method))
bits = st.integers(2, 8)


@st.composite
def histograms(draw: st.DrawFn) -> Histogram:
    """As calibration makes them: the last bin holds the peak."""
    counts = np.zeros(BINS)
    filled = draw(st.dictionaries(st.integers(0, BINS - 1), st.integers(1, 10**6), max_size=30))
    counts[list(filled)] = list(filled.values())
    counts[-1] += 1
    peak = draw(st.floats(1e-6, 1e6))
    return Histogram(counts, peak, draw(st.booleans()))


def bell(outlier: float | None = None) -> Histogram:
    """|x| of 100,000 normal numbers, and a single value far away."""
    values = np.abs(np.random.default_rng(0).normal(size=100_000))
    values = values if outlier is None else np.append(values, outlier)
    counts, _ = np.histogram(values, BINS, (0.0, values.max()))
    return Histogram(counts.astype(np.float64), float(values.max()), True)


def squared_error(histogram: Histogram, limit: float, levels: int) -> float:
    step = limit / levels
    rounded = np.minimum(np.round(histogram.centres / step), levels) * step
    return float(histogram.counts @ (rounded - histogram.centres) ** 2)


@given(histograms(), bits, methods, st.booleans())
def test_thresholds_lie_above_zero_and_not_above_the_peak(
    histogram: Histogram, bits: int, method: Method, signed: bool
) -> None:
    found = threshold(histogram, bits, method, signed)
    assert 0 < found <= histogram.peak * (1 + 1e-12)


@given(histograms(), bits, st.booleans())
def test_absmax_is_the_peak(histogram: Histogram, bits: int, signed: bool) -> None:
    assert threshold(histogram, bits, "absmax", signed) == histogram.peak


@given(histograms(), st.booleans())
def test_auto_clips_all_but_8_bits_behind_a_relu(histogram: Histogram, signed: bool) -> None:
    positive, both = replace(histogram, signed=False), replace(histogram, signed=True)
    assert threshold(positive, 8, "auto", signed) == histogram.peak
    assert threshold(both, 8, "auto", signed) == threshold(both, 8, "mse", signed)
    for bits in range(2, 8):
        expected = threshold(histogram, bits, "mse", signed)
        assert threshold(histogram, bits, "auto", signed) == expected


@given(histograms(), bits, st.booleans())
def test_mse_is_no_worse_than_absmax(histogram: Histogram, bits: int, signed: bool) -> None:
    levels = positive_levels(bits, signed)
    chosen = squared_error(histogram, threshold(histogram, bits, "mse", signed), levels)
    assert chosen <= squared_error(histogram, histogram.peak, levels) * (1 + 1e-9)


@pytest.mark.parametrize("method", CLIPPING)
@pytest.mark.parametrize("bits", [4, 8])
def test_a_far_outlier_is_clipped(method: Method, bits: int) -> None:
    """mse gives up part of the range only: one squared error of the outlier counts as well."""
    limit = 45.0 if method == "mse" else 8.0
    assert threshold(bell(outlier=60.0), bits, method, True) < limit


@pytest.mark.parametrize("method", ["mse", "kl"])
def test_fewer_bits_clip_more(method: Method) -> None:
    assert threshold(bell(), 3, method, True) < threshold(bell(), 8, method, True)


@pytest.mark.parametrize("method", METHODS)
def test_an_input_that_is_always_zero_gets_a_threshold(method: Method) -> None:
    assert threshold(Histogram(np.zeros(BINS), 0.0, False), 8, method, True) == 1.0


@pytest.mark.parametrize(
    ("bits", "signed", "levels"),
    [(8, True, 127), (8, False, 255), (4, True, 7), (4, False, 15), (2, True, 1), (2, False, 3)],
)
def test_levels_above_zero(bits: int, signed: bool, levels: int) -> None:
    assert positive_levels(bits, signed) == levels


def test_centres_are_in_the_middle_of_the_bins() -> None:
    assert Histogram(np.ones(4), 8.0, True).centres.tolist() == [1.0, 3.0, 5.0, 7.0]


@pytest.mark.parametrize(("share", "expected"), [(10, 1.0), (50, 5.0), (55, 6.0), (100, 10.0)])
def test_percentile_by_hand(share: float, expected: float) -> None:
    assert percentile(Histogram(np.ones(10), 10.0, True), share) == expected


def test_mse_by_hand() -> None:
    """All values at 0.5 of the peak: with one level a threshold of 0.5 makes no error."""
    counts = np.zeros(BINS)
    counts[BINS // 2 - 1 : BINS // 2 + 1] = 10
    counts[-1] = 1e-9
    assert threshold(Histogram(counts, 1.0, True), 2, "mse", True) == pytest.approx(0.5)


def merged(counts: Counts, levels: int) -> Counts:
    """Every group of bins shares its sum among those of its bins that are not empty."""
    groups = counts.reshape(levels, -1)
    filled = groups > 0
    return np.where(
        filled, groups.sum(1, keepdims=True) / np.maximum(filled.sum(1, keepdims=True), 1), 0
    ).ravel()


def test_kl_of_clipping_by_hand() -> None:
    counts = np.array([4.0, 2.0, 0.0, 1.0, 1.0, 0.0, 3.0, 1.0])
    p = np.array([4.0, 2.0, 0.0, 1.0 + 5.0])
    q = merged(counts[:4], 2)
    assert q.tolist() == [3.0, 3.0, 0.0, 1.0]
    p, q = p / p.sum(), q / q.sum()
    seen = p > 0
    expected = float(np.sum(p[seen] * np.log(p[seen] / q[seen])))
    assert kl_of_clipping(counts, 4, 2) == pytest.approx(expected)


def test_kl_is_zero_where_nothing_is_lost() -> None:
    assert kl_of_clipping(np.array([5.0, 1.0, 2.0, 7.0]), 4, 4) == pytest.approx(0.0)
    assert kl_of_clipping(np.array([3.0, 3.0, 2.0, 2.0]), 4, 2) == pytest.approx(0.0)


def test_one_bit_holds_no_integers_of_either_sign() -> None:
    assert positive_levels(1, signed=False) == 1
    with pytest.raises(PolicyError, match=r"1 bit holds no integers .* --quantizer kmeans"):
        positive_levels(1, signed=True)
