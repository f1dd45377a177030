"""What a metric is: one number for the logits of all images beside their labels."""

from __future__ import annotations

from typing import Any, Protocol

from numpy.typing import NDArray

from quant import evaluate
from quant.errors import DataError
from quant.evaluate import Labels


class Metric(evaluate.Metric, Protocol):
    """Judges a network, from logits (N, classes) and labels (N,), or of every pixel.

    Then these are (N, classes, H, W) and (N, H, W). Labels of -1 do not count. It raises InputError
    where there is no finite value.
    """

    @property
    def identity(self) -> str:
        """Equal for metrics that give equal values: the name, and what else decides them."""


def counted(found: NDArray[Any], labels: Labels) -> tuple[NDArray[Any], Labels]:
    """What was found (N, ...) and the labels, both (M,), where labels count.

    Raises DataError where none does.
    """
    known = labels >= 0
    if not known.any():
        raise DataError("no image has a label: a metric cannot be computed")
    return found[known], labels[known]
