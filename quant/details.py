"""What an operation without a layer needs to be known besides its kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Interpolation = Literal["nearest", "bilinear", "aligned"]
"""Bilinear between pixels that are areas, or `aligned`: points, whose corners keep their place."""
Border = Literal["zeros", "reflect", "replicate"]
"""What is padded: zeros, the pixels mirrored in the outermost ones, or these again."""


@dataclass(frozen=True)
class Pool:
    """Geometry of a max or average pool: `pads` is (left, right, top, bottom) in pixels.

    An average counts what is padded only where `counts_pads` says so.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]
    counts_pads: bool = False


@dataclass(frozen=True)
class Cells:
    """An adaptive average pool of an `image` of (height, width); the node's pixels are its cells.

    Cell i of n reaches from floor(i * size / n) up to, but without, ceil((i + 1) * size / n), as in
    torch and ncnn.
    """

    image: tuple[int, int]


@dataclass(frozen=True)
class Transposed:
    """Geometry of a transposed convolution.

    `pads` (left, right, top, bottom) are cut from its output; negative ones add to it.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilation: tuple[int, int]
    groups: int


@dataclass(frozen=True)
class Channels:
    """Channels from `start` up to, but without, `stop`."""

    start: int
    stop: int


@dataclass(frozen=True)
class Groups:
    """Groups of channels that a shuffle deals out: (groups, C / groups) is transposed."""

    count: int


@dataclass(frozen=True)
class Resize:
    """How pixels are made for an image of another size, which is that of the node."""

    mode: Interpolation


@dataclass(frozen=True)
class Slope:
    """What a leaky ReLU multiplies negative values with, and an ELU their exponentials less 1."""

    value: float


@dataclass(frozen=True)
class Limits:
    """The least and the greatest value that a clip lets through; infinite where it has none."""

    low: float
    high: float


@dataclass(frozen=True)
class Squares:
    """Pixels in squares of `side` times `side`, made of so many channels or into them."""

    side: int


@dataclass(frozen=True)
class Rows:
    """Rows of pixels from `start` up to, but without, `stop`."""

    start: int
    stop: int


@dataclass(frozen=True)
class Tokens:
    """Columns of pixels, which tokens are, from `start` up to, but without, `stop`."""

    start: int
    stop: int


@dataclass(frozen=True)
class Side:
    """What is joined where it is not channels: rows (1) behind one another, or columns (2)."""

    axis: Literal[1, 2]


@dataclass(frozen=True)
class Pads:
    """Pixels that an image gets around it: `pads` is (left, right, top, bottom)."""

    pads: tuple[int, int, int, int]
    border: Border


@dataclass(frozen=True)
class Exponent:
    """The power, larger than 0, to which values are raised that are not negative."""

    value: float


@dataclass(frozen=True)
class Neighbours:
    """A local response norm (Krizhevsky et al. 2012): x / (k + alpha / size * sum)^beta.

    The sum is that of the squares of `size` channels, an odd number, with x in the middle.
    """

    size: int
    alpha: float
    beta: float
    k: float


@dataclass(frozen=True)
class Factor:
    """What a softmax multiplies its input with: it is taken over the last axis."""

    value: float


@dataclass(frozen=True)
class Epsilon:
    """What a layer norm adds to the variance over the channels of a pixel."""

    value: float


@dataclass(frozen=True)
class Grouping:
    """Groups of channels that a group norm is over, and what it adds to the variance."""

    count: int
    epsilon: float


Detail = (
    Pool
    | Cells
    | Transposed
    | Channels
    | Groups
    | Resize
    | Slope
    | Limits
    | Squares
    | Rows
    | Tokens
    | Side
    | Pads
    | Exponent
    | Neighbours
    | Factor
    | Epsilon
    | Grouping
)
