"""Top-k accuracy: how often the right class is among the k highest logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from haq.metrics._base import counted
from quant.evaluate import Labels, Logits, check_labels


@dataclass(frozen=True)
class Top:
    """The share of images, or of pixels, whose class is among the `k` highest; 1 for k classes."""

    k: int = 1

    @property
    def name(self) -> str:
        """`top1`, `top5`."""
        return f"top{self.k}"

    @property
    def identity(self) -> str:
        """The name."""
        return self.name

    def __call__(self, logits: Logits, labels: Labels) -> float:
        """A share in 0..1. Raises DataError as `check_labels` and `counted`."""
        check_labels(logits, labels)
        places, _ = counted(ranks(logits, labels), labels)
        return float((places < self.k).mean())


def ranks(logits: Logits, labels: Labels) -> NDArray[np.int64]:
    """How many classes come before the right one, of equal logits those of lower number."""
    right = np.maximum(labels, 0)[:, None]
    own = np.take_along_axis(logits, right, axis=1)
    numbers = np.arange(logits.shape[1]).reshape(-1, *[1] * (logits.ndim - 2))
    before = (logits > own) | ((logits == own) & (numbers < right))
    return np.asarray(before.sum(1))
