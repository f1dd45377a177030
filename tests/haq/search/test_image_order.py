from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haq.search.image_order import (
    ImageOrder,
    Values,
    chances,
    image_sizes,
    relative,
    uncertainty_of,
)

IMAGES = 200
SIZES = st.lists(st.floats(0.01, 100.0), min_size=3, max_size=60).map(np.array)


def heavy(seed: int, count: int = IMAGES) -> Values:
    """Values of which a few are most of the sum, as divergences are."""
    return np.asarray(np.random.default_rng(seed).lognormal(0, 1.5, count))


@given(SIZES, st.data())
def test_chances(sizes: Values, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, len(sizes)))
    found = chances(sizes, count)
    assert found.sum() == pytest.approx(count)
    assert np.all((found > 0) & (found <= 1 + 1e-12))
    free = found < 1
    np.testing.assert_allclose(found[free] * sizes[free].sum(), sizes[free] * found[free].sum())


@given(SIZES, st.integers(0, 99), st.data())
def test_an_order_holds_every_row_once(sizes: Values, seed: int, data: st.DataObject) -> None:
    order = ImageOrder(sizes, seed)
    assert sorted(order.rows) == list(range(len(sizes)))
    assert np.array_equal(order.rows, ImageOrder(sizes, seed).rows)
    count = data.draw(st.integers(2, len(sizes)))
    assert np.array_equal(order.sample(count).rows, order.rows[:count])


@given(SIZES, st.integers(0, 99))
def test_all_rows_leave_no_error(sizes: Values, seed: int) -> None:
    sample = ImageOrder(sizes, seed).sample(len(sizes))
    values = heavy(seed, len(sizes))
    assert sample.mean(values[sample.rows]) == pytest.approx(values.mean())
    assert sample.error(values[sample.rows]) == 0.0


@given(SIZES, st.integers(0, 99), st.floats(0.1, 10.0), st.data())
def test_values_like_the_sizes_are_known_from_any_rows(
    sizes: Values, seed: int, factor: float, data: st.DataObject
) -> None:
    sample = ImageOrder(sizes, seed).sample(data.draw(st.integers(2, len(sizes))))
    assert sample.mean(factor * sizes[sample.rows]) == pytest.approx(factor * sizes.mean())


def test_other_values_are_known_to_about_the_error_that_is_said() -> None:
    sizes = heavy(0)
    values = sizes * np.random.default_rng(1).lognormal(0, 0.5, IMAGES)
    samples = [ImageOrder(sizes, seed).sample(60) for seed in range(400)]
    found = np.array([sample.mean(values[sample.rows]) for sample in samples])
    said = np.array([sample.error(values[sample.rows]) for sample in samples])
    assert found.mean() == pytest.approx(values.mean(), rel=0.05)
    assert said.mean() == pytest.approx(found.std(), rel=0.35)


def test_sizes_beat_equal_chances() -> None:
    sizes = heavy(0)
    values = sizes * np.random.default_rng(1).lognormal(0, 0.5, IMAGES)

    def spread(sizes: Values) -> float:
        samples = [ImageOrder(sizes, seed).sample(40) for seed in range(200)]
        return float(np.std([sample.mean(values[sample.rows]) for sample in samples]))

    assert spread(sizes) < 0.5 * spread(np.ones(IMAGES))


def test_large_images_come_early() -> None:
    sizes = np.array([1.0] * 50 + [10.0] * 50)
    places = np.mean([np.argsort(ImageOrder(sizes, seed).rows) for seed in range(20)], axis=0)
    assert places[50:].mean() < 0.5 * places[:50].mean()


@given(st.integers(0, 99), st.floats(1e-6, 1e6))
def test_sizes_ask_for_the_shape_of_pilots_alone(seed: int, factor: float) -> None:
    doubt = heavy(seed)
    pilots = [heavy(seed + 1), heavy(seed + 2)]
    scaled = [pilots[0], factor * pilots[1]]
    np.testing.assert_allclose(image_sizes(pilots, doubt), image_sizes(scaled, doubt))


def test_sizes_without_anything_to_go_by() -> None:
    nothing = np.zeros(5)
    for pilots in ([], [nothing]):
        sizes = image_sizes(pilots, nothing)
        assert np.all(sizes > 0)
        assert np.ptp(sizes) == 0
    assert np.array_equal(relative(nothing), nothing)


def test_uncertainty_by_hand() -> None:
    logits = np.log(np.array([[0.5, 0.5, 1e-12], [0.8, 0.1, 0.1]], np.float32)) + np.float32(50)
    np.testing.assert_allclose(uncertainty_of(logits), [0.5, 0.34], rtol=1e-5)
