"""Latency of policies: every mixed network beside the float one, until the ratios are sure."""

from __future__ import annotations

import gc
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any

import numpy as np
from numpy.random import Generator, default_rng

from device_agent.conditions import conditions
from device_agent.networks import FloatNetwork, Shape
from device_agent.rounds import (
    REFERENCES,
    Clock,
    Run,
    ratios,
    reference_ms,
    repeats_for,
    sample_rounds,
    warm_up,
)
from device_agent.statistics import Samples, Summary, summarise
from quant.errors import BoardError
from quant.graph import Floats
from quant.ncnn.build import dump, mixed_layers
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.format import NcnnLayer
from quant.ncnn.runtime import Engine, capabilities

MIN_SAMPLE_MS = 1.0
"""Shorter runs are repeated within a sample, so that the clock's resolution does not matter."""
CHECK_EVERY = 10
"""Rounds between two looks at the intervals."""
LEAST_ROUNDS = 4
"""Rounds without which no noise can be told; measured even when the time is over."""


@dataclass(frozen=True)
class Stopping:
    """When to stop: all intervals narrower than `rel_ci` (share of the ratio), or a cap."""

    rel_ci: float
    min_rounds: int
    max_rounds: int
    max_seconds: float

    def is_reached(
        self, rounds: int, seconds: float, summaries: Callable[[], Sequence[Summary]]
    ) -> bool:
        """Whether enough is known; the summaries are made only when they are looked at."""
        if rounds >= self.max_rounds or (rounds >= LEAST_ROUNDS and seconds >= self.max_seconds):
            return True
        if rounds < self.min_rounds or (rounds - self.min_rounds) % CHECK_EVERY:
            return False
        return all(s.relative_width < self.rel_ci for s in summaries())


def measure(
    network: FloatNetwork,
    policies: Sequence[Mapping[str, int]],
    rel_ci: float,
    min_rounds: int,
    max_rounds: int,
    max_seconds: float,
    threads: int,
    seed: int,
) -> dict[str, Any]:
    """The answer of `/v1/measure`. Raises PolicyError, and BoardError for outputs not finite."""
    able = capabilities()
    image = input_image(network.input_shape, seed)
    rng = default_rng([seed, 1])
    loaders = [
        *(partial(float_engine, network.layers, threads) for _ in range(REFERENCES)),
        *(
            partial(mixed_engine, network.layers, p, network.ranges, able, threads)
            for p in policies
        ),
    ]
    engines = load_in_random_order(loaders, rng)
    checksums = [checksum(engine.run(image)) for engine in engines]
    clock_name, clock = choose_clock(threads)
    stopping = Stopping(rel_ci, min_rounds, max_rounds, max_seconds)
    runs = [partial(engine.run, image) for engine in engines]
    samples = collect(runs, clock, stopping, rng)
    base_ms = reference_ms(samples)
    latencies = [
        {**latency(summary, base_ms), "checksum": digest}
        for summary, digest in zip(
            summarise_ratios(samples, rng), checksums[REFERENCES:], strict=True
        )
    ]
    state = conditions(threads, clock_name)
    return {"reference_ms": base_ms, "latencies": latencies, "conditions": state}


def input_image(shape: Shape, seed: int) -> Floats:
    """The input that is timed: uniform in [-1, 1), float32 (channels, height, width)."""
    return default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


def float_engine(layers: Sequence[NcnnLayer], threads: int) -> Engine:
    """The network in float32."""
    return Engine(*dump(layers), threads=threads)


def mixed_engine(
    layers: Sequence[NcnnLayer],
    bits: Mapping[str, int],
    ranges: Mapping[str, float],
    able: Capabilities,
    threads: int,
) -> Engine:
    """The network at the bits of a policy; 16-bit types are on only where a layer has them."""
    files = dump(mixed_layers(layers, bits, ranges, able))
    return Engine(*files, bits16=able.bits16 if 16 in bits.values() else "none", threads=threads)


def load_in_random_order(loaders: Sequence[Callable[[], Engine]], rng: Generator) -> list[Engine]:
    """Engines in the order of their loaders.

    Networks loaded first tend to lie worst in memory; always loading the reference first would
    make every ratio too small.
    """
    loaded = {index: loaders[index]() for index in map(int, rng.permutation(len(loaders)))}
    return [loaded[index] for index in range(len(loaders))]


def checksum(output: Floats) -> str:
    """SHA-256 of an output. Raises BoardError where a number in it is not finite."""
    if not np.isfinite(output).all():
        raise BoardError("the network's output is not finite")
    return hashlib.sha256(np.ascontiguousarray(output).tobytes()).hexdigest()


def choose_clock(threads: int) -> tuple[str, Clock]:
    """CPU time of this thread where it does all the work, since other processes hardly shift it;
    wall time for several threads."""
    if threads == 1:
        return "thread_cpu", time.thread_time_ns
    return "wall", time.perf_counter_ns


def collect(
    runs: Sequence[Run],
    clock: Clock,
    stopping: Stopping,
    rng: Generator,
    wall: Callable[[], float] = time.monotonic,
) -> Samples:
    """Milliseconds (rounds, runs) of interleaved rounds; the references come first."""
    gc.disable()
    try:
        warm_up(runs[0], clock)
        repeats = [repeats_for(run, clock, MIN_SAMPLE_MS) for run in runs]
        rows: list[Samples] = []
        start = wall()
        for done, row in zip(count(1), sample_rounds(runs, repeats, clock, rng)):
            rows.append(row)
            look = partial(summarise_ratios, np.array(rows), rng)
            if stopping.is_reached(done, wall() - start, look):
                break
        return np.array(rows)
    finally:
        gc.enable()


def summarise_ratios(samples: Samples, rng: Generator) -> list[Summary]:
    """Summaries of every network's ratios to the reference."""
    return [summarise(column, rng) for column in ratios(samples).T]


def latency(summary: Summary, base_ms: float) -> dict[str, Any]:
    """A latency of the answer; milliseconds are ratios times the reference's, `base_ms`."""
    return {
        "ratio": summary.median,
        "ratio_low": summary.low,
        "ratio_high": summary.high,
        "latency_ms": summary.median * base_ms,
        "mad_ms": summary.mad * base_ms,
        "rounds": summary.count,
        "noise": summary.noise,
    }
