from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haq.metrics.f1 import F1, by_class
from haq.metrics.mean_iou import MeanIou
from tests.haq.metrics.test_contract import right

SKIN, LEFT, RIGHT = 0, 1, 2


def face() -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    """A large face with two small eyes."""
    labels = np.full((1, 20, 20), SKIN)
    labels[0, 5:8, 3:6], labels[0, 5:8, 14:17] = LEFT, RIGHT
    return labels


def test_by_hand() -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    found = np.array([0, 0, 1, 1, 1, 2])
    # Class 0: 2 * 2 / (2 + 3), class 1: 2 * 2 / (3 + 2), class 2: 1; no label has class 3.
    by_hand = [4 / 5, 4 / 5, 1]
    assert by_class(right(found, 4), labels)[:3] == pytest.approx(by_hand)
    assert np.isnan(by_class(right(found, 4), labels)[3])
    assert F1()(right(found, 4), labels) == pytest.approx((4 / 5 * 4 / 5) ** (1 / 3))


def test_who_takes_left_for_right_has_nothing() -> None:
    labels = face()
    swapped = np.array([SKIN, RIGHT, LEFT])[labels]
    logits = right(swapped, 3)
    assert (logits.argmax(1) == labels).mean() > 0.95
    assert F1()(logits, labels) == 0
    assert F1()(right(labels, 3), labels) == 1


def test_half_of_an_eye_taken_for_the_other_costs_more_than_its_pixels() -> None:
    labels = face()
    found = labels.copy()
    found[0, 5:7, 3:6] = RIGHT
    logits = right(found, 3)
    assert (logits.argmax(1) == labels).mean() > 0.98
    assert F1()(logits, labels) < 0.8


@given(st.integers(0, 2**32 - 1))
def test_it_is_the_dice_of_the_iou(seed: int) -> None:
    """For one class F1 = 2 IoU / (1 + IoU)."""
    rng = np.random.default_rng(seed)
    labels = np.zeros(30, np.int64)
    logits = right(rng.integers(2, size=30), 2)
    iou = MeanIou()(logits, labels)
    assert F1()(logits, labels) == pytest.approx(2 * iou / (1 + iou))
