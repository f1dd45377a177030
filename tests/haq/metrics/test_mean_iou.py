from __future__ import annotations

import numpy as np
import pytest

from haq.metrics.mean_iou import MeanIou
from tests.haq.metrics.test_contract import right


def test_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    found = np.array([0, 0, 1, 1, 1, 0])
    # Class 0: 2 of 4, class 1: 2 of 3, class 2: 0 of 1.
    assert MeanIou()(right(found, 4), labels) == pytest.approx((2 / 4 + 2 / 3 + 0) / 3)


def test_a_class_without_labels_is_left_out_and_missing_elsewhere() -> None:
    labels, found = np.array([0, 0, 1, 1]), np.array([0, 3, 1, 1])
    assert MeanIou()(right(found, 4), labels) == pytest.approx((1 / 2 + 1) / 2)
