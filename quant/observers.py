"""Activation ranges: histograms of every layer's input, and thresholds from them.

A threshold t is the absolute value that maps to the largest level; larger values are clipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from quant.errors import PolicyError

Method = Literal["auto", "absmax", "percentile", "mse", "kl"]
METHODS: tuple[str, ...] = get_args(Method)
BINS = 2048
PERCENTILE = 99.99
CANDIDATES = 100
KL_FLOOR_LEVELS = 128
Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Histogram:
    """Counts of |x| over equal bins from 0 to `peak`, zeros left out; `signed` if any x < 0."""

    counts: Counts
    peak: float
    signed: bool

    @property
    def centres(self) -> Counts:
        """Middle of every bin."""
        return (np.arange(len(self.counts), dtype=np.float64) + 0.5) * (
            self.peak / len(self.counts)
        )


def threshold(histogram: Histogram, bits: int, method: Method, signed: bool) -> float:
    """Clipping threshold for `bits` (2 to 8) with signed or unsigned levels.

    `auto` clips nothing at 8 bits behind a ReLU, where ranges are short and levels plenty, else by
    least squares.
    """
    if histogram.peak == 0:
        return 1.0
    levels = positive_levels(bits, signed)
    if method == "auto":
        method = "absmax" if bits == 8 and not histogram.signed else "mse"
    if method == "absmax":
        return histogram.peak
    if method == "percentile":
        return percentile(histogram)
    return mse(histogram, levels) if method == "mse" else kl(histogram, levels)


def positive_levels(bits: int, signed: bool) -> int:
    """Levels above zero: 127 for 8 bits signed, 255 unsigned. Raises PolicyError where none is."""
    if signed and bits < 2:
        raise PolicyError(
            f"{bits} bit holds no integers of either sign: give 2 or more, or share weights with "
            "--quantizer kmeans"
        )
    return (1 << bits - 1) - 1 if signed else (1 << bits) - 1


def percentile(histogram: Histogram, share: float = PERCENTILE) -> float:
    """Upper edge of the bin below which `share` percent of the values lie."""
    cumulated = np.cumsum(histogram.counts)
    index = int(np.searchsorted(cumulated, cumulated[-1] * share / 100))
    return (min(index, len(histogram.counts) - 1) + 1) * histogram.peak / len(histogram.counts)


def mse(histogram: Histogram, levels: int) -> float:
    """Threshold of least squared error of rounding and clipping, among 100 candidates."""
    candidates = histogram.peak * np.arange(1, CANDIDATES + 1) / CANDIDATES
    x, counts = histogram.centres, histogram.counts
    errors = [
        float(counts @ np.square(np.minimum(np.round(x * (levels / t)), levels) * (t / levels) - x))
        for t in candidates
    ]
    return float(candidates[int(np.argmin(errors))])


def kl(histogram: Histogram, levels: int) -> float:
    """Threshold of least KL divergence between clipped and quantized distribution.

    The search that TensorRT made usual (Migacz, GTC 2017): for every number of kept bins, outliers
    join the last one, and the kept bins are merged into `levels` and spread again.
    """
    counts = histogram.counts
    start = min(max(levels + 1, KL_FLOOR_LEVELS), len(counts))
    step = max(1, (len(counts) - start) // CANDIDATES)
    kept = range(start, len(counts) + 1, step)
    divergences = [kl_of_clipping(counts, n, levels + 1) for n in kept]
    best = kept[int(np.argmin(divergences))]
    return best * histogram.peak / len(counts)


def kl_of_clipping(counts: Counts, kept: int, levels: int) -> float:
    """KL(p || q) where p is the clipped histogram and q its version on `levels` levels."""
    clipped = counts[:kept].copy()
    clipped[-1] += counts[kept:].sum()
    bins = np.minimum(np.arange(kept) * levels // kept, levels - 1)
    filled = counts[:kept] > 0
    mass = np.bincount(bins, counts[:kept], levels)
    members = np.bincount(bins, filled, levels)
    spread = np.where(filled, mass[bins] / np.maximum(members[bins], 1), 0.0)
    p = clipped / max(clipped.sum(), 1)
    q = spread / max(spread.sum(), 1)
    seen = p > 0
    return float(np.sum(p[seen] * np.log(p[seen] / np.maximum(q[seen], 1e-12))))
