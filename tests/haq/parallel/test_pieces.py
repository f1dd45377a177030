from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from haq.parallel.pieces import PIECE, join, piece_size, split
from quant.evaluate import Measured, Seen
from tests.haq.search.doubles import tied


@given(st.lists(st.integers(1, 200), max_size=5), st.integers(1, 70))
def test_pieces_joined_are_the_tasks(counts: list[int], size: int) -> None:
    rng = np.random.default_rng(0)
    tasks = [(tied(bits), rng.permutation(count)) for bits, count in enumerate(counts, 2)]
    pieces = split(tasks, size)
    assert all(1 <= len(rows) <= size for _, rows in pieces)
    answers = (Seen(rows / 3, rows / 5, rows / policy["l0"].weight) for policy, rows in pieces)
    for (policy, rows), seen in zip(tasks, join(answers, tasks, size), strict=True):
        assert np.array_equal(seen.kl, rows / 3)
        assert np.array_equal(seen.right, rows / 5)
        assert np.array_equal(seen.same, rows / policy["l0"].weight)


@given(st.integers(1, 200))
def test_a_piece_holds_whole_batches(batch: int) -> None:
    size = piece_size(batch)
    assert size % batch == 0
    assert size <= max(PIECE, batch)


def test_a_metric_is_that_of_a_task_in_one_piece() -> None:
    metric, rows = Measured("f1", 0.5), np.arange(4)
    whole = Seen(rows / 1, rows / 1, rows / 1, metric)
    tasks = [(tied(8), rows), (tied(8), np.tile(rows, 2))]
    one, two = join(iter([whole] * 3), tasks, 4)
    assert one.metric == metric
    assert two.metric is None
