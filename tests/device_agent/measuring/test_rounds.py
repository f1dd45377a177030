from itertools import islice

import numpy as np
import pytest
from numpy.random import default_rng

from device_agent.measuring.rounds import (
    REFERENCES,
    ratios,
    repeats_for,
    sample,
    sample_rounds,
    warm_up,
)
from tests.device_agent.simulated import Machine


def test_every_network_is_timed_warm_once_a_round_in_changing_order() -> None:
    ran: list[int] = []
    runs = [lambda index=index: ran.append(index) for index in range(5)]
    rows = list(islice(sample_rounds(runs, [2] * 5, lambda: len(ran), default_rng(0)), 6))
    rounds = [ran[start : start + 15] for start in range(0, len(ran), 15)]
    assert len(rows) == 6
    for order in rounds:
        assert sorted(order) == sorted([*range(5)] * 3)
        assert all(order[i] == order[i + 1] == order[i + 2] for i in range(0, 15, 3))
    assert len({tuple(order) for order in rounds}) > 1


def test_the_first_run_of_a_sample_is_not_timed() -> None:
    now = [0]
    costs = iter([1000, 10, 20])

    def run() -> None:
        now[0] += next(costs)

    found, _ = sample(run, 2, lambda: now[0])
    assert found == pytest.approx(15e-6)


def test_short_runs_are_repeated_until_the_sample_is_long_enough() -> None:
    machine = Machine(0, flip=0)
    assert 90 <= repeats_for(machine.network(0.01), machine.clock, 1.0) <= 115
    assert repeats_for(machine.network(5.0), machine.clock, 1.0) == 1
    assert repeats_for(machine.network(0.0), machine.clock, 1.0) == 1000


def test_warm_up_goes_on_until_the_speed_is_steady() -> None:
    costs = iter([8000, 4000, 2000] * 5 + [1000] * 1000)
    now, count = [0], [0]

    def run() -> None:
        count[0] += 1
        now[0] += next(costs)

    warm_up(run, lambda: now[0])
    assert 25 < count[0] < 60


def test_ratios_are_to_the_median_reference_of_the_round() -> None:
    row = np.array([[1.0, 2.0, 9.0, 4.0], [2.0, 4.0, 18.0, 8.0]])
    assert REFERENCES == 3
    assert ratios(row).tolist() == [[2.0], [2.0]]
    assert ratios(row[None]).tolist() == [[[2.0], [2.0]]]
