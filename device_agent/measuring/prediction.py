"""Latency of a policy from a table of isolated layers and neighbour pairs, and how good that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from device_agent.measuring.statistics import Samples

FLOAT = 32
LayerTimes = Mapping[str, Mapping[int, float]]
PairTimes = Mapping[tuple[str, str], Mapping[tuple[int, int], float]]
LayerTerm = tuple[str, int]
PairTerm = tuple[str, str, int, int]
Term = LayerTerm | PairTerm


def effects(layers: LayerTimes, pairs: PairTimes, reference_ms: float) -> dict[Term, float]:
    """What every choice adds to the ratio to the float network, which itself is at zero.

    `layers` are milliseconds by layer and bits, `pairs` those of producer-consumer networks. A
    pair's effect is what its two-layer network deviates from the sum of its layers, relative to the
    same deviation in float: constant overheads cancel. Both need 32 bits.
    """
    found: dict[Term, float] = {}
    for name, times in layers.items():
        found.update({(name, b): t - times[FLOAT] for b, t in times.items() if b != FLOAT})
    for (producer, consumer), table in pairs.items():
        first, second = layers[producer], layers[consumer]
        base = table[FLOAT, FLOAT] - first[FLOAT] - second[FLOAT]
        for (a, b), together in table.items():
            if (a, b) != (FLOAT, FLOAT):
                found[producer, consumer, a, b] = together - first[a] - second[b] - base
    return {term: value / reference_ms for term, value in found.items()}


def read_table(
    table: Mapping[str, Any],
) -> tuple[dict[str, dict[int, float]], dict[tuple[str, str], dict[tuple[int, int], float]]]:
    """Times by layer and by pair of the answer of `/v1/profile`, with bits as numbers.

    Raises KeyError, TypeError or ValueError for anything else.
    """
    layers = {
        name: {int(bits): ms for bits, ms in times.items()}
        for name, times in table["layers"].items()
    }
    pairs = {
        (pair["producer"], pair["consumer"]): {read_pair(k): ms for k, ms in pair["ms"].items()}
        for pair in table["pairs"]
    }
    return layers, pairs


def read_pair(text: str) -> tuple[int, int]:
    """`8,16` as numbers."""
    first, second = text.split(",")
    return int(first), int(second)


def predict(terms: Mapping[Term, float], bits: Mapping[str, int]) -> float:
    """Predicted ratio of a policy, layer name -> bits, to the float network."""
    return 1.0 + sum(value for term, value in terms.items() if is_active(term, bits))


def is_active(term: Term, bits: Mapping[str, int]) -> bool:
    """Whether a policy makes the choice that a term is about."""
    if len(term) == 2:
        name, chosen = term
        return bits[name] == chosen
    producer, consumer, first, second = term
    return bits[producer] == first and bits[consumer] == second


def random_bits(names: Iterable[str], widths: Sequence[int], rng: Generator) -> dict[str, int]:
    """A random policy, with a random share for each width: all shades of mixed networks."""
    shares = rng.dirichlet(np.ones(len(widths)))
    return {name: int(rng.choice(widths, p=shares)) for name in names}


def mean_percentage_error(predicted: Samples, measured: Samples) -> float:
    """Mean absolute error as a share of what was measured."""
    return float(np.mean(np.abs(predicted / measured - 1)))


def rank_correlation(first: Samples, second: Samples) -> float:
    """Spearman's coefficient; 0 where one side is constant. Measured numbers hardly ever tie."""
    ranks = [np.argsort(np.argsort(values)).astype(np.float64) for values in (first, second)]
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])
