"""What each class was taken for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from haq.metrics._base import counted
from quant.evaluate import Labels, Logits, check_labels

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Confusion:
    """Images, or pixels, by class (classes,): rightly found, found at all, and labelled."""

    right: Counts
    found: Counts
    labelled: Counts

    @property
    def given(self) -> NDArray[np.bool_]:
        """The classes that the labels hold, all others say nothing about a network."""
        return self.labelled > 0


def confuse(logits: Logits, labels: Labels) -> Confusion:
    """Count the highest logits against the labels. Raises DataError where they do not fit."""
    check_labels(logits, labels)
    classes = logits.shape[1]
    found, known = counted(logits.argmax(1), labels)
    right = known[found == known]
    return Confusion(*(np.bincount(part, minlength=classes) for part in (right, found, known)))
