import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng

from device_agent.measuring.prediction import (
    effects,
    mean_percentage_error,
    predict,
    random_bits,
    rank_correlation,
)

LAYERS = {"a": {8: 0.6, 32: 1.0}, "b": {8: 1.5, 32: 1.0}}
PAIRS = {("a", "b"): {(8, 8): 1.9, (8, 32): 1.7, (32, 8): 2.6, (32, 32): 1.9}}


def test_the_table_predicts_its_own_pairs() -> None:
    terms = effects(LAYERS, PAIRS, reference_ms=1.9)
    for bits, ms in PAIRS["a", "b"].items():
        assert predict(terms, dict(zip("ab", bits, strict=True))) == pytest.approx(ms / 1.9)


def test_without_pairs_savings_add_up() -> None:
    terms = effects(LAYERS, {}, reference_ms=2.0)
    assert predict(terms, {"a": 8, "b": 8}) == pytest.approx(1 + (-0.4 + 0.5) / 2)
    assert predict(terms, {"a": 32, "b": 32}) == 1.0


def test_random_policies_cover_all_widths() -> None:
    rng = default_rng(0)
    policies = [random_bits("abc", [8, 16, 32], rng) for _ in range(50)]
    assert all(list(policy) == ["a", "b", "c"] for policy in policies)
    assert {bits for policy in policies for bits in policy.values()} == {8, 16, 32}


def test_known_errors() -> None:
    measured = np.array([1.0, 2.0, 4.0])
    assert mean_percentage_error(np.array([1.1, 1.8, 4.0]), measured) == pytest.approx(0.2 / 3)
    assert rank_correlation(np.array([0.1, 0.5, 0.9]), measured) == pytest.approx(1.0)
    assert rank_correlation(np.array([0.9, 0.5, 0.1]), measured) == pytest.approx(-1.0)
    assert rank_correlation(np.array([1.0, 1.0, 1.0]), measured) == 0.0


@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=20, unique=True), st.randoms())
def test_ranks_do_not_care_about_scale(values: list[float], random: st.DataObject) -> None:
    first = np.array(values)
    assert rank_correlation(first, first**3) == pytest.approx(1.0)
    assert -1.0 - 1e-9 <= rank_correlation(first, np.roll(first, 1)) <= 1.0 + 1e-9
