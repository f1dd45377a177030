"""Timing in blocks: networks are loaded anew, in random order, for every few rounds.

Where a network happens to lie in memory moves its latency by a percent or more for as long as it is
loaded, and the networks loaded first come off worst. No number of rounds averages that out; loading
again does.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from device_agent.measuring.rounds import (
    REFERENCES,
    Clock,
    Inspect,
    Run,
    ignore,
    ratios,
    repeats_for,
    sample_rounds,
    warm_up,
)
from device_agent.measuring.statistics import Samples, Summary, steady_blocks, summarise

Load = Callable[[], Run]
BLOCK = 5
"""Rounds for which the networks stay loaded."""
MOST_VOIDED = 2
"""Rounds measured in all, as a multiple of those wanted, before the voided ones are given up on."""


@dataclass(frozen=True)
class Timed:
    """Samples: milliseconds (blocks, rounds, REFERENCES + others), the references first.

    `steady` tells which blocks count; `seconds` is how long it took, loading included.
    """

    samples: Samples
    steady: NDArray[np.bool_]
    seconds: float

    @property
    def rounds(self) -> int:
        """Rounds that count."""
        return int(self.steady.sum()) * int(self.samples.shape[1])

    @property
    def voided(self) -> int:
        """Rounds that do not count."""
        return int((~self.steady).sum()) * int(self.samples.shape[1])

    @property
    def reference_ms(self) -> float:
        """Median milliseconds of the reference."""
        return float(np.median(self.samples[self.steady][..., :REFERENCES]))

    def summaries(self, rng: Generator) -> list[Summary]:
        """Summaries of every network's ratios to the reference of the same round."""
        found = ratios(self.samples[self.steady])
        return [summarise(found[..., index], rng) for index in range(found.shape[-1])]


@dataclass(frozen=True)
class Stopping:
    """When to stop: all intervals narrower than `rel_ci` (share of the ratio), or a cap."""

    rel_ci: float
    min_rounds: int
    max_rounds: int
    max_seconds: float

    @property
    def block(self) -> int:
        """Rounds in a block: short measurements are a single one."""
        return min(BLOCK, self.min_rounds)

    def is_reached(self, timed: Timed, rng: Generator) -> bool:
        """Whether enough is known; intervals are looked at only where that can decide."""
        done = timed.rounds
        if timed.seconds >= self.max_seconds or done >= self.max_rounds:
            return True
        if done + timed.voided >= MOST_VOIDED * self.max_rounds:
            return True
        if done < self.min_rounds or not is_worth_a_look(len(timed.steady)):
            return False
        return all(s.relative_width < self.rel_ci for s in timed.summaries(rng))


def is_worth_a_look(blocks: int) -> bool:
    """Looks at the intervals get rarer as they get dearer: after an eighth more blocks."""
    return blocks % max(1, blocks // 8) == 0


def collect(
    loads: Sequence[Load],
    clock: Clock,
    stopping: Stopping,
    rng: Generator,
    min_sample_ms: float,
    wall: Callable[[], float] = time.monotonic,
    settle: Callable[[], None] = lambda: None,
    inspect: Inspect = ignore,
    alike: bool = True,
) -> Timed:
    """Time networks, the references first, until it is enough; one block at least.

    Runs shorter than `min_sample_ms` are repeated within a sample; of networks that are `alike` all
    as often as the shortest, since who runs once more is warmer, by 10 % and more. `settle` is
    called before each block and may wait for the board to cool down; that time does not count.
    `inspect` is shown outputs of the timed runs.
    """
    blocks: list[Samples] = []
    repeats: list[int] = []
    seconds = 0.0
    while True:
        settle()
        start = wall()
        runs = load_in_random_order(loads, rng)
        if not blocks:
            warm_up(runs[0], clock)
            repeats = [repeats_for(run, clock, min_sample_ms) for run in runs]
            repeats = [max(repeats)] * len(runs) if alike else repeats
        blocks.append(sample_block(runs, repeats, stopping.block, clock, rng, inspect))
        del runs  # before the next are loaded: one set is in memory at a time
        seconds += wall() - start
        timed = judge(blocks, seconds)
        if stopping.is_reached(timed, rng):
            return timed


def load_in_random_order(loads: Sequence[Load], rng: Generator) -> list[Run]:
    """Loaded networks in the order of their loaders."""
    loaded = {index: loads[index]() for index in map(int, rng.permutation(len(loads)))}
    return [loaded[index] for index in range(len(loads))]


def sample_block(
    runs: Sequence[Run],
    repeats: Sequence[int],
    rounds: int,
    clock: Clock,
    rng: Generator,
    inspect: Inspect,
) -> Samples:
    """Milliseconds (rounds, networks)."""
    gc.disable()
    try:
        return np.array(list(islice(sample_rounds(runs, repeats, clock, rng, inspect), rounds)))
    finally:
        gc.enable()


def judge(blocks: Sequence[Samples], seconds: float) -> Timed:
    """Blocks with the mark of those that count."""
    samples = np.array(blocks)
    levels = np.median(samples[..., :REFERENCES], axis=(1, 2))
    return Timed(samples, steady_blocks(levels), seconds)
