from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from haq.data.label import to_label
from quant.errors import DataError


@pytest.mark.parametrize("found", [5, np.int32(5), np.array(5), torch.tensor(5), np.uint8(5)])
def test_a_class_number(found: Any) -> None:
    label = to_label(found, "a")
    assert label == 5
    assert type(label) is int


def test_masks_keep_what_does_not_count() -> None:
    mask = np.array([[0, -1, 3], [2, 2, 2]])
    for form in (mask, mask[None], mask.astype(np.int8), torch.from_numpy(mask)):
        label = to_label(form, "a")
        assert np.array_equal(label, mask)
        assert isinstance(label, np.ndarray) and label.dtype == np.int64
    picture = Image.fromarray(np.array([[0, 7]], np.uint8))
    assert np.array_equal(to_label(picture, "a"), [[0, 7]])


@pytest.mark.parametrize(
    "found",
    ["cat", 1.0, -1, True, np.array([0, 1]), np.zeros((2, 2)), np.full((2, 2), -2), None, []],
)
def test_what_is_no_class_number(found: Any) -> None:
    with pytest.raises(DataError, match=r"a has a label of .* no class number: give an integer"):
        to_label(found, "a")
