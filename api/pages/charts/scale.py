"""From values to places on a drawing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor, isclose, log10
from typing import TypeVar

T = TypeVar("T")
LEAST = 1e-7
"""Divergences below it, float's among them, lie on the lower edge."""
TICKS = 5
STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` lie between `start` and `end`, evenly or by their logarithms."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a value; beyond the ends it is the end's."""
        inside = min(max(value, self.low), self.high)
        if self.is_log:
            part = log10(inside / self.low) / log10(self.high / self.low)
        else:
            part = (inside - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)

    @property
    def ticks(self) -> list[float]:
        """Round values in between: powers of ten, or multiples of 1, 2, 2.5 or 5 times one."""
        return powers(self.low, self.high) if self.is_log else multiples(self.low, self.high)


def linear(values: Sequence[float], start: float, end: float, room: float = 0.05) -> Scale:
    """Holds all values, with some room."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    wide = (high - low) or abs(high) or 1.0
    return Scale(low - room * wide, high + room * wide, start, end)


def counted(most: int, start: float, end: float) -> Scale:
    """Holds the whole numbers from 1 to `most`."""
    return Scale(0.0, float(max(most, 1)) + 0.5, start, end)


def logarithmic(values: Sequence[float], start: float, end: float) -> Scale:
    """Holds all values above `LEAST`, with some room."""
    seen = [value for value in values if value > LEAST] or [LEAST, 1.0]
    return Scale(min(seen) / 2, max(seen) * 2, start, end, is_log=True)


def thinned(values: Sequence[T], most: int = 600) -> Sequence[T]:
    """So many at most, evenly chosen: more dots than that cover each other."""
    return values[:: ceil(len(values) / most) or 1]


def powers(low: float, high: float) -> list[float]:
    """Powers of ten; with 2 and 5 times these where there would be too few."""
    exponents = range(floor(log10(low)), ceil(log10(high)) + 1)
    tens = [10.0**e for e in exponents if low <= 10.0**e <= high]
    if len(tens) >= 3:
        return tens[:: ceil(len(tens) / (TICKS + 1))]
    return [f * 10.0**e for e in exponents for f in (1, 2, 5) if low <= f * 10.0**e <= high]


def multiples(low: float, high: float) -> list[float]:
    """Multiples of a round step."""
    rough = (high - low) / TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(power * s for s in STEPS if power * s >= rough or isclose(power * s, rough))
    return [step * n for n in range(ceil(low / step), floor(high / step) + 1)]
