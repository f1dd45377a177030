"""Robust statistics of latency ratios. Pure functions of samples.

On shared machines the clock is bimodal: minimum and low percentiles mislead, the median of ratios
to a reference measured in the same round does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Samples = NDArray[np.float64]
CONFIDENCE = 0.95
RESAMPLES = 500


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


def summarise(samples: Samples, rng: Generator) -> Summary:
    """Summary of positive samples (n,), n >= 2."""
    low, high = median_interval(samples, rng)
    return Summary(
        median=float(np.median(samples)),
        low=low,
        high=high,
        mad=median_deviation(samples),
        noise=split_half_noise(samples),
        count=len(samples),
    )


def median_interval(samples: Samples, rng: Generator) -> tuple[float, float]:
    """Percentile bootstrap interval of the median (Efron 1979), at 95 %."""
    chosen = rng.integers(0, len(samples), (RESAMPLES, len(samples)))
    medians = np.median(samples[chosen], axis=1)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(medians, (tail, 1 - tail))
    return float(low), float(high)


def median_deviation(samples: Samples) -> float:
    """Median absolute deviation from the median, in the unit of the samples, not rescaled."""
    return float(np.median(np.abs(samples - np.median(samples))))


def split_half_noise(samples: Samples) -> float:
    """How far the medians of even and odd rounds are apart, as a share of the median."""
    even, odd = np.median(samples[::2]), np.median(samples[1::2])
    return float(abs(even - odd) / np.median(samples))
