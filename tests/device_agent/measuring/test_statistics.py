import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng

from device_agent.measuring.statistics import (
    DRIFT,
    Samples,
    median_deviation,
    median_interval,
    split_half_noise,
    steady_blocks,
    student_quantile,
    summarise,
)

samples = st.lists(st.floats(0.01, 100), min_size=8, max_size=60).map(
    lambda values: np.array(values[: len(values) // 4 * 4]).reshape(-1, 4)
)


@given(samples, st.floats(0.1, 10))
def test_summary_is_ordered_and_scales_with_its_samples(values: Samples, factor: float) -> None:
    found = summarise(values, default_rng(0))
    scaled = summarise(values * factor, default_rng(0))
    assert 0 <= found.low <= found.median <= found.high
    assert values.min() <= found.median <= values.max()
    assert found.count == values.size
    assert scaled.median == pytest.approx(found.median * factor)
    assert scaled.mad == pytest.approx(found.mad * factor, abs=1e-9)
    assert scaled.noise == pytest.approx(found.noise, abs=1e-9)
    assert scaled.relative_width == pytest.approx(found.relative_width, abs=1e-9)


def test_known_values() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 100.0])
    assert median_deviation(values) == 1.0
    assert split_half_noise(np.array([1.0, 2.0, 1.0, 2.0])) == pytest.approx(1 / 1.5)
    assert median_interval(np.full((3, 3), 7.0), default_rng(0)) == (7.0, 7.0)


@pytest.mark.parametrize("blocks", [4, 8, 20])
def test_interval_covers_the_true_median_about_as_often_as_it_says(blocks: int) -> None:
    """With an error that whole blocks share, which resampled rounds would not see."""
    rng = default_rng(5)
    covered = 0
    for _ in range(200):
        shared = rng.normal(0, 0.02, (blocks, 1))
        low, high = median_interval(np.exp(shared + rng.normal(0, 0.03, (blocks, 5))), rng)
        covered += low <= 1.0 <= high
    assert 182 <= covered <= 199


def test_the_rounds_of_a_single_block_are_resampled() -> None:
    low, high = median_interval(np.array([[1.0, 1.1, 0.9, 1.05, 0.95]]), default_rng(0))
    assert 0.8 <= low < 1.0 < high <= 1.2


@pytest.mark.parametrize(
    ("freedom", "expected"),
    [(3, 3.182), (4, 2.776), (9, 2.262), (19, 2.093), (99, 1.984)],
)
def test_student_quantiles_of_the_tables(freedom: int, expected: float) -> None:
    assert student_quantile(0.975, freedom) == pytest.approx(expected, rel=0.03)


def test_blocks_of_another_speed_do_not_count() -> None:
    levels = np.array([1.0, 1.05, 0.95, 1.6, 1.02, 0.7])
    assert steady_blocks(levels).tolist() == [True, True, True, False, True, False]
    assert steady_blocks(np.array([1.0])).tolist() == [True]
    assert steady_blocks(np.array([2.0, 1.0])).tolist() == [False, True]


@given(st.lists(st.floats(0.1, 10), min_size=1, max_size=30))
def test_some_block_always_counts(levels: list[float]) -> None:
    steady = steady_blocks(np.array(levels))
    assert steady.any()
    kept = np.array(levels)[steady]
    assert kept.max() / kept.min() <= (1 + DRIFT) / (1 - DRIFT) * (1 + 1e-9)
