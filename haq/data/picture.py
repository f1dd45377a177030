"""One image as Pillow has it, grey ("L") or colour ("RGB"), from a file or from what code gives."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from quant.errors import DataError

MODES = {1: "L", 3: "RGB"}
DEEP = ("I", "F")
"""First letters of Pillow's modes with more than 8 bits a channel."""


def read_picture(file: Path | BytesIO, name: str) -> Image.Image:
    """Decode an image file. Raises DataError, which calls it by its name."""
    try:
        with Image.open(file) as image:
            return plain(image, name)
    except FileNotFoundError:
        raise DataError(f"no such image: {name}") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # Pillow raises SyntaxError for a PNG with a broken chunk.
        raise DataError(f"{name} is not a readable image: {error}") from None


def plain(image: Image.Image, name: str) -> Image.Image:
    """Grey stays grey, all else becomes RGB. Raises DataError for more than 8 bits a channel."""
    if image.mode.startswith(DEEP):
        raise DataError(f"{name} has more than 8 bits a channel: convert it to 8 bits")
    image.load()
    return image if image.mode == "L" else image.convert("RGB")


def to_picture(found: Any, name: str) -> Image.Image:
    """A picture from a Pillow image, a numpy array or a torch tensor.

    Arrays are uint8, or floats in 0..1, of shape (H, W), (H, W, C) or (C, H, W), with one or three
    channels C. Raises DataError for anything else.
    """
    if isinstance(found, Image.Image):
        return plain(found, name)
    if not hasattr(found, "__array__"):
        raise DataError(f"{name} is a {type(found).__name__}: a Pillow image or array is needed")
    pixels = to_bytes(np.asarray(found), name)
    return Image.fromarray(channels_last(pixels, name))


def to_bytes(values: NDArray[Any], name: str) -> NDArray[np.uint8]:
    """uint8 as it is, floats in 0..1 times 255 and rounded. Raises DataError."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind != "f":
        raise DataError(f"{name} has pixels of {values.dtype}: uint8 or floats in 0..1 are needed")
    if not (values.size and values.min() >= 0 and values.max() <= 1):
        raise DataError(
            f"{name} has floats outside of 0..1: give uint8 pixels or floats in 0..1, without "
            "mean and deviation, since networks are given x / 127.5 - 1 of uint8 pixels x"
        )
    return np.asarray(np.rint(values.astype(np.float64) * 255).astype(np.uint8))


def channels_last(pixels: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    """(H, W) or (H, W, 3); the first axis holds the channels if it has one or three entries."""
    if pixels.ndim == 3 and pixels.shape[0] in MODES:
        pixels = pixels.transpose(1, 2, 0)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    if pixels.size == 0 or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        raise DataError(
            f"{name} has the shape {pixels.shape}: (H, W), (H, W, C) or (C, H, W) with one or "
            "three channels is needed"
        )
    return np.ascontiguousarray(pixels)
