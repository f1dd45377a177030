import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng

from device_agent.measuring.blocks import (
    BLOCK,
    MOST_VOIDED,
    Load,
    Stopping,
    Timed,
    collect,
    is_worth_a_look,
    load_in_random_order,
)
from device_agent.measuring.rounds import REFERENCES
from tests.device_agent.simulated import Machine

RUNS = 200


def timed(machine: Machine, loads: list[Load], stopping: Stopping, seed: int = 0) -> Timed:
    return collect(loads, machine.clock, stopping, default_rng(seed), 1.0, machine.seconds)


@pytest.mark.parametrize("seed", range(3))
def test_known_ratios_are_recovered_from_a_bimodal_clock(seed: int) -> None:
    machine = Machine(seed, flip=0.002)
    costs = [2.0] * REFERENCES + [1.5, 2.0, 3.1]
    loads = [machine.loader(cost) for cost in costs]
    found = timed(machine, loads, Stopping(0.01, 20, 200, 1e9), seed)
    medians = [summary.median for summary in found.summaries(default_rng(0))]
    assert medians == pytest.approx([0.75, 1.0, 1.55], rel=0.02)


@pytest.mark.parametrize("alike", [True, False])
def test_networks_that_are_alike_run_equally_often(alike: bool) -> None:
    """Shorter and longer than a sample has to be: else one would run twice, and be warmer."""
    machine, counts = Machine(0, flip=0), [0] * (REFERENCES + 2)

    def counted(index: int, load: Load) -> Load:
        def load_and_count() -> Callable[[], object]:
            run = load()

            def count_and_run() -> object:
                counts[index] += 1
                return run()

            return count_and_run

        return load_and_count

    costs = [1.1] * (REFERENCES + 1) + [0.9]
    loads = [counted(index, machine.loader(cost)) for index, cost in enumerate(costs)]
    stopping, rng = Stopping(1e-9, 20, 20, math.inf), default_rng(0)
    collect(loads, machine.clock, stopping, rng, 1.0, machine.seconds, alike=alike)
    assert (counts[-1] == counts[-2]) is alike


def test_throttled_blocks_are_kept_out() -> None:
    # Throttled, the reference takes 3 times as long and the other only 1.5 times: every throttled
    # sample would halve the ratio.
    machine = Machine(1, flip=0, throttled=lambda seconds: seconds % 1.0 > 0.65)
    loads = [machine.loader(2.0, 6.0)] * REFERENCES + [machine.loader(3.0, 4.5)]
    found = timed(machine, loads, Stopping(1e-9, 100, 100, math.inf))
    assert found.voided >= 2 * BLOCK
    assert found.rounds == 100
    (summary,) = found.summaries(default_rng(0))
    assert summary.median == pytest.approx(1.5, rel=0.02)


def test_a_network_against_itself_is_one_in_95_percent_of_200_runs() -> None:
    stopping = Stopping(0.01, 40, 1000, math.inf)
    covered, close = 0, 0
    for seed in range(RUNS):
        machine = Machine(seed, flip=0, placement=0.005)
        found = timed(machine, [machine.loader(2.0)] * (REFERENCES + 1), stopping, seed)
        (summary,) = found.summaries(default_rng(seed))
        covered += summary.low <= 1.0 <= summary.high
        close += abs(summary.median - 1) <= 0.01
    assert covered >= 0.95 * RUNS
    assert close >= 0.95 * RUNS


def test_one_place_in_memory_would_not_do() -> None:
    """The same deviation without loading anew: the error that blocks are there for."""
    errors = []
    for seed in range(40):
        machine = Machine(seed, flip=0, placement=0.01)
        loaded = [machine.network(2.0) for _ in range(REFERENCES + 1)]
        loads: list[Load] = [lambda run=run: run for run in loaded]  # type: ignore[misc]
        found = timed(machine, loads, Stopping(1e-9, 60, 60, math.inf), seed)
        errors.append(abs(found.summaries(default_rng(0))[0].median - 1))
    assert np.mean(np.array(errors) <= 0.01) < 0.9


def test_a_steady_machine_stops_early_and_a_noisy_one_at_the_cap() -> None:
    steady, noisy = Machine(0, flip=0), Machine(0, flip=0.3)
    stopping = Stopping(0.1, 20, 60, math.inf)
    rounds = [timed(m, [m.loader(2.0)] * 5, stopping).rounds for m in (steady, noisy)]
    assert rounds[0] == 20
    assert rounds[1] > 40


def test_the_time_limit_leaves_one_block() -> None:
    machine = Machine(0)
    found = timed(machine, [machine.loader(50.0)] * 5, Stopping(1e-6, 20, 60, 0.001))
    assert found.samples.shape == (1, BLOCK, 5)


def test_a_machine_that_never_settles_is_given_up_on() -> None:
    machine = Machine(3, flip=0.5)
    stopping = Stopping(1e-9, 20, 20, math.inf)
    found = timed(machine, [machine.loader(2.0)] * 4, stopping)
    assert found.rounds >= BLOCK
    assert found.samples.shape[0] * BLOCK <= MOST_VOIDED * 20


def test_short_measurements_are_one_block() -> None:
    machine = Machine(0)
    found = timed(machine, [machine.loader(2.0)] * 4, Stopping(0.5, 4, 4, math.inf))
    assert found.samples.shape == (1, 4, 4)


def test_the_board_may_settle_before_each_block_and_that_time_does_not_count() -> None:
    machine = Machine(0, flip=0)
    waits: list[float] = []

    def settle() -> None:
        waits.append(machine.seconds())
        machine.now_ns += 10**12

    loads: list[Load] = [machine.loader(2.0)] * 4
    stopping = Stopping(1e-9, 20, 20, 500.0)
    found = collect(
        loads, machine.clock, stopping, default_rng(0), 1.0, machine.seconds, settle=settle
    )
    assert len(waits) == len(found.samples) == 20 / BLOCK
    assert found.seconds < 2.0


def test_every_output_shown_belongs_to_its_network() -> None:
    seen: list[tuple[int, object]] = []
    now = [0]

    def loader(name: str) -> Load:
        def run() -> str:
            now[0] += 2_000_000
            return name

        return lambda: run

    loads = [loader(name) for name in "aaab"]
    collect(
        loads,
        lambda: now[0],
        Stopping(0.5, 10, 10, math.inf),
        default_rng(0),
        1.0,
        lambda: now[0] / 1e9,
        inspect=lambda index, output: seen.append((index, output)),
    )
    assert len(seen) == 40
    assert set(seen) == {(0, "a"), (1, "a"), (2, "a"), (3, "b")}


def test_networks_are_loaded_in_changing_order() -> None:
    orders = set()
    rng = default_rng(0)
    for _ in range(10):
        order: list[int] = []

        def load(index: int, order: list[int] = order) -> Callable[[], int]:
            order.append(index)
            return lambda: index

        runs = load_in_random_order([partial(load, index) for index in range(4)], rng)
        assert [run() for run in runs] == [0, 1, 2, 3]
        assert sorted(order) == [0, 1, 2, 3]
        orders.add(tuple(order))
    assert len(orders) > 3


@given(st.integers(1, 2000))
def test_looks_are_never_more_than_an_eighth_apart(blocks: int) -> None:
    following = next(n for n in range(blocks + 1, 2 * blocks + 2) if is_worth_a_look(n))
    assert following - blocks <= max(1, blocks // 7)
