from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from env.actions import weight_choices
from haq.cost import codebook_cost
from haq.search.equal_size import at_equal_size, between, size_details, uniforms_near
from haq.search.rated import Rated
from quant.evaluate import Score
from quant.policy import Policy, uniform
from tests.haq.search.doubles import tied
from tests.haq.subjects import small_subject

GRAPH = small_subject().network.graph
NAMES = GRAPH.layer_names
SIZE = codebook_cost(GRAPH, weight_choices(NAMES, tuple(range(1, 9))))
SIZES = {bits: SIZE.cost(uniform(NAMES, bits, 32)) for bits in range(1, 9)}


def rated(size_bytes: int, kl: float) -> Rated:
    simulated, tuned = (Score(0.9, value, 0.98, 400) for value in (kl, kl / 10))
    return Rated(tied(8), {"simulated": simulated, "finetuned": tuned}, None, size_bytes)


@given(st.floats(0.5 * SIZES[1], 1.5 * SIZES[8]))
def test_the_nearest_on_either_side(size_bytes: float) -> None:
    found = [next(iter(p.layers.values())).weight for p in near(size_bytes).values()]
    below = [bits for bits, size in SIZES.items() if size <= size_bytes]
    above = [bits for bits, size in SIZES.items() if size >= size_bytes]
    assert found == sorted({*below[-1:], *above[:1]})


def near(size_bytes: float) -> dict[str, Policy]:
    return uniforms_near(size_bytes, SIZE, NAMES)


def test_names_are_those_that_can_be_typed() -> None:
    assert near((SIZES[3] + SIZES[4]) / 2) == {
        "w3a32": uniform(NAMES, 3, 32),
        "w4a32": uniform(NAMES, 4, 32),
    }


def test_a_uniform_policy_is_its_own_neighbour() -> None:
    assert list(near(SIZES[5])) == ["w5a32"]


@given(st.floats(1e-6, 1), st.floats(1e-6, 1), st.floats(0, 1))
def test_a_kl_between_two_is_between_them(low: float, high: float, share: float) -> None:
    least, most = sorted((low, high))
    assert least * (1 - 1e-9) <= between(low, high, share) <= most * (1 + 1e-9)
    assert between(low, high, 0) == low
    assert between(low, high, 1) == high


def test_halfway_lies_the_geometric_mean() -> None:
    found = at_equal_size(rated(150, 0.03), [rated(100, 0.16), rated(200, 0.01)])
    assert found == {
        "simulated": {"found_kl": 0.03, "uniform_kl": pytest.approx(0.04)},
        "finetuned": {"found_kl": 0.003, "uniform_kl": pytest.approx(0.004)},
    }


@pytest.mark.parametrize("count", [0, 1])
def test_one_side_alone_says_nothing_of_equal_size(count: int) -> None:
    assert at_equal_size(rated(150, 0.03), [rated(100, 0.16)][:count]) is None


def test_details_hold_the_numbers_by_name() -> None:
    found = size_details(rated(150, 0.03), {"w3a32": rated(100, 0.16)})
    assert found["uniform_kmeans"]["w3a32"]["size_bytes"] == 100
    assert found["equal_size"] is None
