"""What runs policies on fixed images, wherever that is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from quant.evaluate import Seen
from quant.graph import Floats
from quant.policy import Policy

Rows = NDArray[np.int64]
Task = tuple[Policy, Rows]
"""A policy and the rows of the images that it is to run on."""


class Evaluates(Protocol):
    """Runs one policy at a time on fixed images.

    What it says of an image depends on nothing but the policy, the image and, where `batch` is more
    than one, the images of the same batch.
    """

    @property
    def float_logits(self) -> Floats:
        """Logits (N, classes) of the float network."""

    @property
    def batch(self) -> int:
        """Images that are computed together: rows are only to be split behind a multiple of it."""

    def see(self, policy: Policy, rows: Rows) -> Seen:
        """What the policy does to these images. Raises PolicyError."""


Make = Callable[[], Evaluates]
"""Makes an evaluator in any process; can be pickled, and carries all that it needs."""


class Workers(Protocol):
    """Runs many policies at a time on fixed images: equal tasks are answered equally to the bit."""

    @property
    def float_logits(self) -> Floats:
        """Logits (N, classes) of the float network."""

    def see(self, tasks: Sequence[Task]) -> Iterator[Seen]:
        """What each policy does to its images, in the order of the tasks, each as it is known.

        Raises PolicyError, and WorkerError where workers end again and again.
        """

    def close(self) -> None:
        """Let go of the workers; work that nobody waits for any more is dropped."""


StartWorkers = Callable[[Make], Workers]
Tell = Callable[[str], None]
"""Takes a line about workers that are lost."""


def silent(text: str) -> None:
    """Tell nobody."""
