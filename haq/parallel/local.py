"""In process: one task after another, each on all cores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from haq.parallel._base import Make, Task
from quant.evaluate import Seen
from quant.graph import Floats
from quant.pool import one_thread


class LocalWorkers:
    """An evaluator of this process, which spreads the images of a task over the cores."""

    def __init__(self, make: Make) -> None:
        self._evaluator = make()

    @property
    def float_logits(self) -> Floats:
        """Logits (N, classes) of the float network."""
        return self._evaluator.float_logits

    def see(self, tasks: Sequence[Task]) -> Iterator[Seen]:
        """What each policy does to its images, in order. Raises PolicyError."""
        for policy, rows in tasks:
            # Weights are quantized by sums, whose order would follow from the number of threads.
            with one_thread():
                seen = self._evaluator.see(policy, rows)
            yield seen

    def close(self) -> None:
        """Nothing is held."""
