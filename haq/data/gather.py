"""From rows of any source to images in memory: one row at a time is decoded."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from haq.data.fit import fit, fit_mask, shorter_side
from haq.data.images import Images
from haq.data.label import UNKNOWN, Label
from quant.errors import DataError

Row = tuple[Image.Image, Label | None]
"""A picture and its label, None where it has none."""
LOG = logging.getLogger(__name__)


def gather(
    rows: Iterable[Row],
    name: str,
    side: int,
    channels: int | None = None,
    labelled: bool = True,
) -> Images:
    """All rows, each `side` x `side` with `channels`; None takes the channels of the images.

    What had to be resized is said in one note. Raises DataError where there is no row, where one
    has no label though images are to be `labelled`, or where rows do not fit each other.
    """
    # One growing buffer: a list of arrays would be there twice when it is stacked.
    buffer, shapes, changed = bytearray(), set(), 0
    labels: list[Label] = []
    for picture, label in rows:
        planes = fit(picture, side, channels)
        shapes.add(planes.shape)
        if len(shapes) > 1:
            raise DataError(f"{name} mixes grey and colour images: convert them to one kind")
        buffer += planes.tobytes()
        labels.append(label_of(label, picture, f"image {len(labels)} of {name}", side, labelled))
        changed += picture.size != (side, side)
    if not labels:
        raise DataError(f"{name} holds no images")
    if changed:
        LOG.warning(note(name, changed, len(labels), side))
    pixels = np.frombuffer(buffer, np.uint8).reshape(-1, *shapes.pop())
    return Images(pixels, stack(labels, name))


def label_of(
    label: Label | None, picture: Image.Image, name: str, side: int, labelled: bool
) -> Label:
    """The label of a row, a mask in the size of the network. Raises DataError."""
    if label is None and labelled:
        raise DataError(f"{name} has no label: only --calibration does without")
    if label is None or isinstance(label, int):
        return UNKNOWN if label is None else label
    if label.shape != picture.size[::-1]:
        width, height = picture.size
        raise DataError(
            f"{name} is {width}x{height} pixels, its mask {label.shape[1]}x{label.shape[0]}"
        )
    return fit_mask(label, side)


def stack(labels: list[Label], name: str) -> NDArray[np.int64]:
    """Labels (N,) or masks (N, H, W). Raises DataError for a mixture."""
    if len({np.ndim(label) for label in labels}) > 1:
        raise DataError(f"{name} mixes class numbers and masks")
    return np.array(labels, np.int64)


def note(name: str, changed: int, count: int, side: int) -> str:
    """What was done to images of another size."""
    return (
        f"{name}: {changed} of {count} images are not {side}x{side}, and were resized to "
        f"{shorter_side(side)} on the shorter side and cut to {side}x{side} around the centre"
    )
