"""Interleaved timing: in every round each network once, in random order, warm."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.random import Generator

from device_agent.measuring.statistics import Samples

Run = Callable[[], object]
Clock = Callable[[], int]
"""Nanoseconds since an arbitrary start."""
Inspect = Callable[[int, object], None]
NS_PER_MS = 1e6
WARM_BATCH, WARM_BATCHES, WARM_TOLERANCE = 5, 40, 0.03
MAX_REPEATS = 1000
REFERENCES = 3
"""Copies of the reference in a round: its noise is in every ratio, so it is worth more samples.

Copies, not repeated runs of one: a network that runs more often than the others stays warmer.
"""


def ignore(index: int, output: object) -> None:
    """Look at no output."""


def sample_rounds(
    runs: Sequence[Run],
    repeats: Sequence[int],
    clock: Clock,
    rng: Generator,
    inspect: Inspect = ignore,
) -> Iterator[Samples]:
    """Rounds without end: milliseconds a run of every network, float64 (networks,).

    `inspect` is shown one output of every sample, after the time was taken.
    """
    while True:
        row = np.empty(len(runs))
        for index in map(int, rng.permutation(len(runs))):
            row[index], output = sample(runs[index], repeats[index], clock)
            inspect(index, output)
        yield row


def ratios(samples: Samples) -> Samples:
    """Ratios (..., others) to the reference of the same round.

    `samples` are milliseconds (..., REFERENCES + others), the references first. Drift of the
    machine between rounds cancels.
    """
    reference = np.median(samples[..., :REFERENCES], axis=-1, keepdims=True)
    return np.asarray(samples[..., REFERENCES:] / reference)


def sample(run: Run, repeats: int, clock: Clock) -> tuple[float, object]:
    """Mean milliseconds of `repeats` runs behind an untimed one, and the last of their outputs.

    The untimed run brings the network's own weights into the caches: cold after another network,
    int8 looks faster than it is.
    """
    output = run()
    start = clock()
    for _ in range(repeats):
        output = run()
    return (clock() - start) / repeats / NS_PER_MS, output


def warm_up(run: Run, clock: Clock) -> None:
    """Run until the medians of two batches in a row agree, or a cap is reached."""
    previous = math.inf
    for _ in range(WARM_BATCHES):
        current = float(np.median([sample(run, 1, clock)[0] for _ in range(WARM_BATCH)]))
        if abs(current - previous) <= WARM_TOLERANCE * current:
            return
        previous = current


def repeats_for(run: Run, clock: Clock, min_sample_ms: float) -> int:
    """Runs in a sample so that it lasts at least `min_sample_ms`."""
    quickest = min(sample(run, 1, clock)[0] for _ in range(3))
    if quickest <= min_sample_ms / MAX_REPEATS:
        return MAX_REPEATS
    return math.ceil(min_sample_ms / quickest)
