"""What training does to images, so that it never sees the same one twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from haq.data.flip import flip
from haq.data.images import Images
from haq.data.label import UNKNOWN

SHIFT_PIXELS = 2


def augment(images: Images, rng: np.random.Generator) -> Images:
    """Random horizontal flip and a shift of up to two pixels, masks like their images.

    Zeros move into the image, and pixels that do not count into its mask.
    """
    offsets = rng.integers(0, 2 * SHIFT_PIXELS + 1, (len(images), 2))
    flips = rng.random(len(images)) < 0.5
    labels = images.labels.copy()
    if labels.ndim > 1:
        labels = shift(labels, offsets, UNKNOWN)
    moved = replace(images, pixels=shift(images.pixels, offsets, 0), labels=labels)
    mirrored = flip(moved.at(flips))
    moved.pixels[flips], moved.labels[flips] = mirrored.pixels, mirrored.labels
    return moved


def shift(values: NDArray[Any], offsets: NDArray[np.int64], beyond: int) -> NDArray[Any]:
    """Values (N, ..., side, side) cut at (y, x) from ones that are wider by a margin all around."""
    side, margin = values.shape[-1], SHIFT_PIXELS
    still = ((0, 0),) * (values.ndim - 2)
    wide = np.pad(values, (*still, *((margin, margin),) * 2), constant_values=beyond)
    cut = [w[..., y : y + side, x : x + side] for w, (y, x) in zip(wide, offsets, strict=True)]
    return np.stack(cut)
