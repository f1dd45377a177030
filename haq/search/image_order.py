"""Which images to look at first, and what the first ones say about all.

A few images carry most of a policy's divergence, and to a large part they are the same ones for
all policies of a network. So images are drawn without replacement with chances that follow the
divergence they had under a few pilots, and each counts by its chance (importance sampling). What
pilots and policy have in common then adds nothing to the error.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from quant.evaluate import image_means
from quant.graph import Floats

Values = NDArray[np.float64]
Rows = NDArray[np.int64]

UNCERTAINTY_SHARE = 0.3
"""How much the float network's own doubt counts beside the pilots, which may be unlike the rest."""
LEAST_SIZE = 0.02
"""Added to sizes, whose mean is 1: an image that no pilot minded must not count fifty times."""
TEMPER = 0.75
"""Power of the inverse chances. At 1 the mean is unbiased; images with low chances then decide."""


@dataclass(frozen=True)
class Sample:
    """The first rows of an order, their chances to be among them, and what each weighs."""

    rows: Rows
    chances: Values
    weights: Values

    def mean(self, values: Values) -> float:
        """Estimate of the mean over all images from the values of these rows."""
        return float(self.weights @ values)

    def error(self, values: Values) -> float:
        """Standard error of `mean`; zero where all images are known."""
        left = 1.0 - self.chances
        if not left.any():
            return 0.0
        parts = self.weights * values
        centre = (left @ parts) / left.sum()
        count = len(self.rows)
        return float(np.sqrt(count / (count - 1) * (left @ np.square(parts - centre))))


class ImageOrder:
    """A fixed order of all images, drawn by their sizes: equal seeds give equal orders."""

    def __init__(self, sizes: Values, seed: int) -> None:
        """`sizes` (N,) are positive; an image of double size is drawn about twice as early."""
        self.sizes, self.seed = sizes, seed

    @cached_property
    def rows(self) -> Rows:
        """All rows (N,) in their order."""
        waits = np.random.default_rng(self.seed).exponential(size=len(self.sizes)) / self.sizes
        return np.argsort(waits, kind="stable")

    def sample(self, count: int) -> Sample:
        """The first `count` rows, two at least."""
        rows = self.rows[:count]
        drawn = chances(self.sizes, count)[rows]
        tempered = drawn**-TEMPER
        share = (tempered @ self.sizes[rows]) / self.sizes.sum()
        return Sample(rows, drawn, tempered / (share * len(self.sizes)))


def image_sizes(pilots: Sequence[Values], uncertainty: Values) -> Values:
    """Positive sizes (N,) from every pilot's divergences and the float network's uncertainty."""
    profile = np.mean([relative(kl) for kl in pilots], axis=0) if pilots else relative(uncertainty)
    mixed = (1 - UNCERTAINTY_SHARE) * profile + UNCERTAINTY_SHARE * relative(uncertainty)
    return mixed + LEAST_SIZE


def relative(values: Values) -> Values:
    """Values (N,) divided by their mean; zeros stay."""
    mean = values.mean()
    return values / mean if mean > 0 else np.zeros_like(values)


def uncertainty_of(float_logits: Floats) -> Values:
    """Probability (N,) that two draws from the float network's softmax differ, pixels averaged."""
    powers = np.exp(float_logits.astype(np.float64) - float_logits.max(1, keepdims=True))
    shares = powers / powers.sum(1, keepdims=True)
    return image_means(1.0 - np.square(shares).sum(1))


def chances(sizes: Values, count: int) -> Values:
    """Chances (N,) to be among `count` rows: in proportion to sizes, but 1 at most."""
    sure = np.full(len(sizes), count >= len(sizes))
    while sure.sum() < count:
        factor = (count - sure.sum()) / sizes[~sure].sum()
        beyond = ~sure & (sizes * factor >= 1.0)
        if not beyond.any():
            return np.where(sure, 1.0, sizes * factor)
        sure |= beyond
    return sure.astype(np.float64)
