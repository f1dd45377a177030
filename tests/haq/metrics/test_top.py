from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from haq.metrics.top import Top, ranks


def test_by_hand() -> None:
    logits = np.array([[3, 2, 1, 0, -1, -2], [0, 1, 2, 3, 4, 5]], np.float32)
    assert ranks(logits, np.array([0, 0])).tolist() == [0, 5]
    assert Top(1)(logits, np.array([0, 0])) == 0.5
    assert Top(5)(logits, np.array([4, 1])) == 1
    assert Top(5)(logits, np.array([5, 0])) == 0


@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.integers(1, 6))
def test_top_k_is_among_the_first_k_of_a_stable_sort(seed: int, classes: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    # Few values, so that many are equal.
    logits = rng.integers(0, 4, (20, classes)).astype(np.float32)
    labels = rng.integers(classes, size=20)
    first = np.argsort(-logits, axis=1, kind="stable")[:, :k]
    assert Top(k)(logits, labels) == float((first == labels[:, None]).any(1).mean())
    assert Top(1)(logits, labels) == float((logits.argmax(1) == labels).mean())


def test_fewer_than_five_classes_are_always_among_five() -> None:
    assert Top(5)(np.zeros((3, 4), np.float32), np.array([0, 3, 2])) == 1
