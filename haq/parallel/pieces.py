"""Tasks in pieces: what is left to do is shared by all workers, and little is lost with one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from haq.parallel._base import Task
from quant.evaluate import Seen

PIECE = 50
"""Images of a piece, at most: about a second at 224 pixels, and the whole of a batch of torch's."""


def piece_size(batch: int) -> int:
    """Images of a piece: whole batches, since another split could change the sums within one."""
    return batch * max(1, PIECE // batch)


def split(tasks: Sequence[Task], size: int) -> list[Task]:
    """Pieces of at most `size` images, in the order of the tasks; no task has no images."""
    return [
        (policy, rows[start : start + size])
        for policy, rows in tasks
        for start in range(0, len(rows), size)
    ]


def join(answers: Iterator[Seen], tasks: Sequence[Task], size: int) -> Iterator[Seen]:
    """Answers to the pieces of `split`, as answers to the tasks."""
    for _, rows in tasks:
        parts = [next(answers) for _ in range(0, len(rows), size)]
        yield Seen(
            np.concatenate([part.kl for part in parts]),
            np.concatenate([part.right for part in parts]),
            np.concatenate([part.same for part in parts]),
            # What is to have a metric is not split.
            parts[0].metric if len(parts) == 1 else None,
        )
