from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from quant.lloyd import Doubles, Sorted, fit, lloyd, middles

values = hnp.arrays(np.float64, st.integers(1, 60), elements=st.floats(-8, 8, width=16))
bits = st.integers(1, 4)


def squared_error(numbers: Doubles, centroids: Doubles, importance: Doubles | None = None) -> float:
    """Distance of each number to its nearest centroid, by trying all of them."""
    nearest = np.square(numbers[:, None] - centroids).min(1)
    return float(nearest @ (np.ones(len(numbers)) if importance is None else importance))


def least_error(numbers: Doubles, count: int) -> float:
    """The exact optimum, by dynamic programming over the sorted numbers."""
    x = np.sort(numbers)
    best = [0.0] + [np.inf] * len(x)
    for _ in range(count):
        best = [
            min(
                [best[j]]
                + [best[i] + float(np.square(x[i:j] - x[i:j].mean()).sum()) for i in range(j)]
            )
            for j in range(len(x) + 1)
        ]
    return best[-1]


@given(values, bits)
def test_never_worse_than_evenly_spread_levels(numbers: Doubles, width: int) -> None:
    even = np.linspace(numbers.min(), numbers.max(), 2**width)
    found = squared_error(numbers, fit(Sorted(numbers), width))
    assert found <= squared_error(numbers, even) + 1e-9


@given(values, bits)
def test_a_bit_more_is_never_worse(numbers: Doubles, width: int) -> None:
    fewer, more = (squared_error(numbers, fit(Sorted(numbers), w)) for w in (width - 1, width))
    assert more <= fewer + 1e-9


@given(values, bits, st.integers(0, 99))
def test_the_order_does_not_matter(numbers: Doubles, width: int, seed: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(numbers)
    np.testing.assert_array_equal(fit(Sorted(numbers), width), fit(Sorted(shuffled), width))


@given(values, bits)
def test_centroids_ascend_within_the_numbers(numbers: Doubles, width: int) -> None:
    centroids = fit(Sorted(numbers), width)
    assert len(centroids) == 2**width
    assert (np.diff(centroids) >= 0).all()
    assert numbers.min() - 1e-9 <= centroids[0] and centroids[-1] <= numbers.max() + 1e-9


@given(values)
def test_few_distinct_numbers_are_exact(numbers: Doubles) -> None:
    assert squared_error(numbers, fit(Sorted(numbers), 6)) == 0


@given(hnp.arrays(np.float64, st.integers(1, 12), elements=st.floats(-8, 8, width=16)))
def test_never_better_than_the_optimum(numbers: Doubles) -> None:
    assert squared_error(numbers, fit(Sorted(numbers), 1)) >= least_error(numbers, 2) - 1e-9


def test_near_the_optimum_of_bell_shaped_numbers() -> None:
    numbers = np.random.default_rng(0).normal(size=60)
    assert squared_error(numbers, fit(Sorted(numbers), 2)) <= 1.1 * least_error(numbers, 4)


@given(values, st.integers(2, 5))
def test_importance_counts_like_repetition(numbers: Doubles, times: int) -> None:
    importance = np.ones(len(numbers))
    importance[0] = times
    repeated = np.concatenate([numbers, np.repeat(numbers[:1], times - 1)])
    weighed = fit(Sorted(numbers, importance), 1)
    error = squared_error(numbers, weighed, importance)
    assert error == pytest.approx(squared_error(repeated, weighed), abs=1e-9)
    even = np.linspace(numbers.min(), numbers.max(), 2)
    assert error <= squared_error(numbers, even, importance) + 1e-9


def test_important_numbers_have_the_centroids() -> None:
    numbers = np.array([0.0, 0.1, 0.2, 5.0, 6.0])
    importance = np.array([1.0, 1.0, 1.0, 1e-6, 1e-6])
    assert fit(Sorted(numbers), 1)[0] == pytest.approx(0.1)
    assert (fit(Sorted(numbers, importance), 1) < 1).any()
    assert squared_error(numbers[:3], fit(Sorted(numbers, importance), 1)) < 0.02


def test_empty_clusters_halve_the_worst() -> None:
    numbers = np.array([0.0, 1.0, 2.0, 100.0])
    centroids = lloyd(Sorted(numbers), np.array([0.0, 40.0, 50.0, 100.0]))
    np.testing.assert_array_equal(centroids, numbers)


def test_lloyd_ends_at_means_of_the_nearest() -> None:
    numbers = np.random.default_rng(1).normal(size=2000)
    centroids = fit(Sorted(numbers), 4)
    owner = np.searchsorted(middles(centroids), numbers)
    means = [numbers[owner == index].mean() for index in range(16)]
    np.testing.assert_allclose(centroids, means, rtol=1e-12)
