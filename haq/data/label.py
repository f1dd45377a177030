"""The label of one image: a class number, or a mask with one for every pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from quant.errors import DataError

UNKNOWN = -1
"""Of an image that has no label, and of pixels that do not count."""
Label = int | NDArray[np.int64]


def to_label(found: Any, name: str) -> Label:
    """A class number from 0, or a mask (H, W) of class numbers and -1. Raises DataError.

    Takes integers, arrays, torch tensors and Pillow images of indices.
    """
    values = np.asarray(found)
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    least = UNKNOWN if values.ndim == 2 else 0
    is_shaped = values.ndim in (0, 2) and values.size > 0
    if values.dtype.kind not in "iu" or not is_shaped or values.min() < least:
        raise DataError(
            f"{name} has a label of {values.dtype} and shape {values.shape} that is no class "
            "number: give an integer from 0, or a mask (H, W) of integers from 0 (-1: not counted)"
        )
    return int(values) if values.ndim == 0 else values.astype(np.int64)
