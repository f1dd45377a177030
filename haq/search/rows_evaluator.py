"""Scores on some of the images that workers hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from haq.parallel import Rows, Workers
from quant.evaluate import Labels, Score, score_of, shares_right
from quant.policy import Policy


class RowsEvaluator:
    """Scores policies on fixed rows, as many at a time as there are workers."""

    def __init__(self, workers: Workers, labels: Labels, rows: Rows) -> None:
        """`labels` are those of all images of the workers."""
        self._workers, self._labels, self._rows = workers, labels[rows], rows

    @property
    def float_top1(self) -> float:
        """Top-1 of the float network."""
        theirs = self._workers.float_logits[self._rows]
        return float(shares_right(theirs, self._labels).mean())

    def score(self, policies: Sequence[Policy]) -> Iterator[Score]:
        """Scores in the order of the policies, each as it is known. Raises PolicyError."""
        for seen in self._workers.see([(policy, self._rows) for policy in policies]):
            yield score_of(seen)
