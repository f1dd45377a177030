from __future__ import annotations

import numpy as np
import pytest

from bench.quantizer.row import describe

LOGITS = 5 * np.eye(3, dtype=np.float32)


def test_the_loss_is_paired() -> None:
    labels = np.array([0, 1, 2, 0])
    wanted, found = LOGITS[[0, 1, 2, 1]], LOGITS[[0, 1, 1, 0]]
    row = describe("method", "w8a8", found, wanted, labels)
    assert (row["loss"], row["agreement"]) == (0.0, 0.5)
    assert row["loss_error"] == pytest.approx(100 * np.std([0, 0, 1, -1], ddof=1) / 2, abs=0.01)
