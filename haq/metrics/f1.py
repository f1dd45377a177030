"""F1 of every class (the Dice coefficient), joined by the geometric mean.

One class that is never found makes the whole zero, however large the others are: a network that
takes left for right has nothing of either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from haq.metrics.confusion import confuse
from quant.evaluate import Labels, Logits


@dataclass(frozen=True)
class F1:
    """The geometric mean over the classes that the labels hold.

    A class that no label has does not count itself; what is taken for it is missing elsewhere.
    """

    name: str = "f1"

    @property
    def identity(self) -> str:
        """The name."""
        return self.name

    def __call__(self, logits: Logits, labels: Labels) -> float:
        """A share in 0..1."""
        found = by_class(logits, labels)
        given = found[~np.isnan(found)]
        # The logarithm of zero is -inf, whose exponential is the zero that is meant.
        with np.errstate(divide="ignore"):
            return float(np.exp(np.log(given).mean()))


def by_class(logits: Logits, labels: Labels) -> NDArray[np.float64]:
    """F1 of each class (classes,): 2 * right / (found + labelled), nan where no label has it."""
    counts = confuse(logits, labels)
    both = np.where(counts.given, counts.found + counts.labelled, 1)
    return np.where(counts.given, 2 * counts.right / both, np.nan)
