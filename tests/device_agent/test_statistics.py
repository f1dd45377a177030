import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng

from device_agent.statistics import (
    median_deviation,
    median_interval,
    split_half_noise,
    summarise,
)

samples = st.lists(st.floats(0.01, 100), min_size=4, max_size=60).map(np.array)


@given(samples, st.floats(0.1, 10))
def test_summary_is_ordered_and_scales_with_its_samples(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], factor: float
) -> None:
    found = summarise(values, default_rng(0))
    scaled = summarise(values * factor, default_rng(0))
    assert values.min() <= found.low <= found.median <= found.high <= values.max()
    assert found.count == len(values)
    assert scaled.median == pytest.approx(found.median * factor)
    assert scaled.mad == pytest.approx(found.mad * factor, abs=1e-9)
    assert scaled.noise == pytest.approx(found.noise, abs=1e-9)
    assert scaled.relative_width == pytest.approx(found.relative_width, abs=1e-9)


def test_known_values() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    assert median_deviation(values) == 1.0
    assert split_half_noise(np.array([1.0, 2.0, 1.0, 2.0])) == pytest.approx(1 / 1.5)
    assert median_interval(np.full(9, 7.0), default_rng(0)) == (7.0, 7.0)


def test_interval_covers_the_true_median_about_as_often_as_it_says() -> None:
    rng = default_rng(5)
    covered = 0
    for _ in range(200):
        low, high = median_interval(np.exp(rng.normal(0, 0.05, 40)), rng)
        covered += low <= 1.0 <= high
    assert 180 <= covered <= 199
