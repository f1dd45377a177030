from __future__ import annotations

import pytest

from api.pages.charts.scale import LEAST, Scale, counted, linear, logarithmic, thinned


def test_ends_and_middle() -> None:
    scale = Scale(0.0, 10.0, 100.0, 200.0)
    assert [scale(value) for value in (0, 5, 10)] == [100, 150, 200]


def test_beyond_the_ends_is_the_end() -> None:
    scale = Scale(1.0, 100.0, 0.0, 2.0, is_log=True)
    assert [scale(value) for value in (0.0, 10.0, 1e9)] == [0.0, 1.0, 2.0]


def test_a_linear_scale_holds_all_values_with_room() -> None:
    scale = linear([2.0, 4.0], 0.0, 1.0)
    assert 0 < scale(2.0) < scale(4.0) < 1


@pytest.mark.parametrize("values", [[], [3.0], [0.0, 0.0]])
def test_few_values_still_make_a_scale(values: list[float]) -> None:
    for scale in (linear(values, 0.0, 1.0), logarithmic(values, 0.0, 1.0)):
        assert scale.low < scale.high
        assert scale.ticks


def test_float_lies_on_the_lower_edge() -> None:
    scale = logarithmic([0.0, 1e-5, 1e-2], 0.0, 1.0)
    assert scale(0.0) == 0.0 < scale(1e-5)
    assert scale.low > LEAST


@pytest.mark.parametrize(
    ("scale", "ticks"),
    [
        (Scale(0.0, 32.5, 0, 1), [0, 10, 20, 30]),
        (Scale(0.79, 1.24, 0, 1), [0.8, 0.9, 1.0, 1.1, 1.2]),
        (Scale(5e-7, 2e-4, 0, 1, is_log=True), [1e-6, 1e-5, 1e-4]),
        (Scale(4e-6, 4e-5, 0, 1, is_log=True), [5e-6, 1e-5, 2e-5]),
    ],
)
def test_ticks_are_round(scale: Scale, ticks: list[float]) -> None:
    assert scale.ticks == pytest.approx(ticks)


def test_episodes_begin_at_one() -> None:
    assert counted(0, 0.0, 1.0)(1.0) < 1.0


def test_many_values_are_thinned_evenly() -> None:
    assert thinned(range(7), 3) == range(0, 7, 3)
    assert thinned([1, 2], 3) == [1, 2]
    assert thinned([]) == []
