"""Robust statistics of latency ratios. Pure functions of samples.

On shared machines the clock is bimodal: minimum and low percentiles mislead, the median of ratios
to a reference measured in the same round does not. Samples come in blocks: within a block the
networks lie where they were loaded, so its rounds share an error that only further blocks can tell.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Samples = NDArray[np.float64]
CONFIDENCE = 0.95
RESAMPLES = 300
LOOKS = 1.2
"""Widening of intervals: one that is looked at again and again, until it happens to be narrow
enough, would cover in 92 of 100 simulated runs instead of 95."""
DRIFT = 0.15
"""Blocks whose reference is this much off the usual one (a share) are not of the same machine."""


@dataclass(frozen=True)
class Summary:
    """Median of a sample, its 95 % interval, median absolute deviation, and split-half noise."""

    median: float
    low: float
    high: float
    mad: float
    noise: float
    count: int

    @property
    def relative_width(self) -> float:
        """Width of the interval as a share of the median."""
        return (self.high - self.low) / self.median


def summarise(blocks: Samples, rng: Generator) -> Summary:
    """Summary of positive samples (blocks, rounds), at least two in all."""
    flat = blocks.ravel()
    low, high = median_interval(blocks, rng)
    return Summary(
        median=float(np.median(flat)),
        low=low,
        high=high,
        mad=median_deviation(flat),
        noise=split_half_noise(flat),
        count=len(flat),
    )


def median_interval(blocks: Samples, rng: Generator) -> tuple[float, float]:
    """95 % interval of the median of positive samples (blocks, rounds).

    The standard error comes from a bootstrap over whole blocks, the factor from Student's t, since
    blocks are few (Efron and Tibshirani 1993, chapters 6 and 12). One block says nothing of others:
    then its rounds are resampled as if each were a block.
    """
    units = blocks if len(blocks) > 1 else blocks.reshape(-1, 1)
    count = len(units)
    chosen = rng.integers(0, count, (RESAMPLES, count))
    medians = np.median(units[chosen].reshape(RESAMPLES, -1), axis=1)
    error = float(medians.std()) * math.sqrt(count / (count - 1))
    reach = interval_reach(count) * error
    middle = float(np.median(blocks))
    return max(0.0, middle - reach), middle + reach


def interval_reach(blocks: int) -> float:
    """Half the width of an interval, in standard errors of the median of `blocks` >= 2 blocks."""
    return student_quantile((1 + CONFIDENCE) / 2, blocks - 1) * LOOKS


def student_quantile(probability: float, freedom: int) -> float:
    """Quantile of Student's t (Abramowitz and Stegun 26.7.5); within 3 % from 3 degrees on."""
    z, v = NormalDist().inv_cdf(probability), freedom
    return (
        z
        + (z**3 + z) / (4 * v)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    )


def median_deviation(samples: Samples) -> float:
    """Median absolute deviation from the median, in the unit of the samples, not rescaled."""
    return float(np.median(np.abs(samples - np.median(samples))))


def split_half_noise(samples: Samples) -> float:
    """How far the medians of even and odd rounds are apart, as a share of the median."""
    even, odd = np.median(samples[::2]), np.median(samples[1::2])
    return float(abs(even - odd) / np.median(samples))


def steady_blocks(levels: Samples) -> NDArray[np.bool_]:
    """Which blocks count, from the reference's median in each (blocks,).

    A block in which the reference was much slower or quicker than in most others was measured on a
    machine in another state: throttled, or with its clock elsewhere.
    """
    usual = np.sort(levels)[(len(levels) - 1) // 2]  # of an even number the quicker middle one
    steady: NDArray[np.bool_] = np.abs(levels / usual - 1) <= DRIFT
    return steady
