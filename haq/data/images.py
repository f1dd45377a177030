"""A set of labelled images in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quant.errors import DataError

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Images:
    """`pixels` uint8 (N, C, H, W) and `labels` int64 (N,), or masks (N, H, W).

    A label is a class number from 0; -1 stands for one that is not known and does not count.
    `pairs` are classes of masks that a mirror makes of each other, such as left and right eye.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    pairs: Pairs = ()

    def __post_init__(self) -> None:
        if self.pixels.ndim != 4 or len(self.pixels) != len(self.labels):
            raise DataError("images need the shape (N, C, H, W) and one label each")

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, first: int, last: int) -> Images:
        """Rows `first` to `last`, both included. Raises DataError outside of the set."""
        if not 0 <= first <= last < len(self):
            raise DataError(f"rows {first}-{last} asked for, but there are rows 0-{len(self) - 1}")
        return self.at(slice(first, last + 1))

    def at(self, rows: NDArray[np.int64] | NDArray[np.bool_] | slice) -> Images:
        """These rows."""
        return replace(self, pixels=self.pixels[rows], labels=self.labels[rows])

    def padded(self, side: int) -> Images:
        """Zeros around the images until they are `side` pixels high and wide."""
        height, width = self.pixels.shape[2:]
        if height > side or width > side:
            raise DataError(f"images of {width}x{height} do not fit an input of {side}x{side}")
        top, left = (side - height) // 2, (side - width) // 2
        margins = ((0, 0), (0, 0), (top, side - height - top), (left, side - width - left))
        return replace(self, pixels=np.pad(self.pixels, margins))

    def with_channels(self, channels: int | None) -> Images:
        """Grey images repeated for so many channels; None and other images stay as they are."""
        if channels is None or self.pixels.shape[1] != 1:
            return self
        return replace(self, pixels=np.repeat(self.pixels, channels, axis=1))

    def digest(self) -> str:
        """SHA-256 of pixels and labels: the name under which scores are remembered."""
        sha = hashlib.sha256(np.ascontiguousarray(self.pixels).tobytes())
        sha.update(np.ascontiguousarray(self.labels).tobytes())
        return sha.hexdigest()


def normalise(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """uint8 0..255 to float32 -1..1, the input scale of every network of the zoo."""
    values = pixels.astype(np.float32)
    values /= np.float32(127.5)
    values -= np.float32(1)
    return values
