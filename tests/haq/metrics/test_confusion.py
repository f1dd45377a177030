from __future__ import annotations

import numpy as np

from haq.metrics.confusion import confuse
from tests.haq.metrics.test_contract import right


def test_by_hand() -> None:
    labels, found = np.array([[0, 1], [2, -1]]), np.array([[0, 2], [2, 1]])
    counts = confuse(right(found, 4), labels)
    assert counts.right.tolist() == [1, 0, 1, 0]
    assert counts.found.tolist() == [1, 0, 2, 0]
    assert counts.labelled.tolist() == [1, 1, 1, 0]
    assert counts.given.tolist() == [True, True, True, False]
