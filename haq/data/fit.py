"""Images and masks in the size that a network takes, as torchvision evaluates classifiers.

Of another size, the shorter side is resized to 8/7 of the network's (256 for 224) by Pillow's
bilinear filter, which averages where it makes smaller, and the centre is cut out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from haq.data.picture import MODES
from quant.errors import DataError

MOST_PIXELS = 10**8


def fit(picture: Image.Image, side: int, channels: int | None) -> NDArray[np.uint8]:
    """uint8 (C, side, side), C-contiguous; of the right size the pixels stay as they are.

    Grey is repeated for three `channels` and colour turned to grey for one; None keeps what it is.
    Raises DataError for other numbers of channels.
    """
    if channels is not None and channels not in MODES:
        raise DataError(f"images have one or three channels, the network takes {channels}")
    mode = picture.mode if channels is None else MODES[channels]
    pixels = np.asarray(cut_out(picture.convert(mode), side, Image.Resampling.BILINEAR))
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return np.ascontiguousarray(planes)


def fit_mask(mask: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    """A mask (H, W) as (side, side), cut out like its image; no class is made up in between."""
    found = Image.fromarray(mask.astype(np.int32))
    return np.asarray(cut_out(found, side, Image.Resampling.NEAREST)).astype(np.int64)


def cut_out(image: Image.Image, side: int, filter_: Image.Resampling) -> Image.Image:
    """The centre of an image whose shorter side was resized; the same one if it fits as it is.

    Raises DataError for one that is so long that it would not fit into memory.
    """
    if image.size == (side, side):
        return image
    width, height = resized(image.size, shorter_side(side))
    if width * height > MOST_PIXELS:
        raise DataError(f"an image of {image.width}x{image.height} pixels is too long to be cut")
    left, top = round((width - side) / 2), round((height - side) / 2)
    return image.resize((width, height), filter_).crop((left, top, left + side, top + side))


def shorter_side(side: int) -> int:
    """Of an image before it is cut: `side` / 0.875, rounded down."""
    return side * 8 // 7


def resized(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Width and height with `shorter` for the lesser one, the other in proportion."""
    width, height = size
    if width <= height:
        return shorter, shorter * height // width
    return shorter * width // height, shorter
