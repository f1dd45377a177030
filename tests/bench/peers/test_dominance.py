from __future__ import annotations

import pytest

from bench.peers.dominance import dominates, dominations, kl_gain, surely_dominates
from tests.bench.peers.points import point

OURS = point("haq", kl=0.01, cost=0.9)


@pytest.mark.parametrize(
    ("kl", "cost", "expected"),
    [
        (0.009, 0.89, True),
        (0.01, 0.89, True),
        (0.009, 0.9, True),
        (0.01, 0.9, False),
        (0.011, 0.8, False),
        (0.001, 0.91, False),
    ],
)
def test_better_in_one_and_as_good_in_the_other(kl: float, cost: float, expected: bool) -> None:
    assert dominates(point("MCT", kl, cost), OURS) == expected


def test_overlapping_latencies_decide_nothing() -> None:
    near, far = point("MCT", 0.005, 0.885), point("MCT", 0.005, 0.87)
    assert dominates(near, OURS)
    assert not surely_dominates(near, OURS)
    assert surely_dominates(far, OURS)


def test_sizes_are_exact() -> None:
    ours = point("haq", 0.01, 1000, error=0.0)
    assert surely_dominates(point("MCT", 0.005, 999, error=0.0), ours)
    assert not surely_dominates(point("MCT", 0.02, 999, error=0.0), ours)


def test_the_gain_is_paired_by_image() -> None:
    low, high = kl_gain(point("MCT", 0.005, 1), OURS)
    assert 0 < low < 0.005 < high
    assert kl_gain(OURS, OURS) == (0.0, 0.0)


def test_only_ours_are_held_against_others() -> None:
    points = [OURS, point("haq", 0.5, 2.0), point("MCT", 0.1, 1.0), point("AIMET", 0.2, 1.5)]
    found = list(dominations(points))
    assert [one["tool"] for one in found] == ["MCT", "AIMET"]
    assert all(one["surely"] for one in found)
