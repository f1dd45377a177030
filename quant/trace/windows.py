"""How windows move: those of convolutions, and of pools that go beyond the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from quant.details import Pool
from quant.errors import ModelError
from quant.trace.views import Shape

Pads = tuple[int, int, int, int]
"""(left, right, top, bottom) in pixels."""


@dataclass(frozen=True)
class Window:
    """How a convolution moves."""

    stride: tuple[int, int] = (1, 1)
    pads: Pads = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1


def pair(value: Any) -> tuple[int, int]:
    """(a, b) from a number or some."""
    if isinstance(value, int):
        return value, value
    return (value[0], value[-1])


def torch_pads(padding: Any, kernel: Sequence[int], dilation: tuple[int, int]) -> Pads:
    """Pads of torch's padding: (height, width), a number, `valid`, or `same`.

    `same` pads an odd pixel at the end.
    """
    if padding == "same":
        vertical, horizontal = (d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
        return (
            *(horizontal // 2, horizontal - horizontal // 2),
            *(vertical // 2, vertical - vertical // 2),
        )
    return (0, 0, 0, 0) if padding == "valid" else both_sides(padding)


def both_sides(padding: Any) -> Pads:
    """Pads of a number, or of (height, width)."""
    vertical, horizontal = pair(padding)
    return (horizontal, horizontal, vertical, vertical)


def fitted(pool: Pool, before: Shape, after: Shape) -> Pool:
    """The pool with more pads at the right and the bottom, where its windows go beyond these.

    So the rule of ceil becomes that of floor: shapes are (C, H, W) of its input and output.
    """
    left, right, top, bottom = pool.pads
    return replace(
        pool,
        pads=(
            left,
            right + beyond(pool, before, after, 1),
            top,
            bottom + beyond(pool, before, after, 0),
        ),
    )


def beyond(pool: Pool, before: Shape, after: Shape, axis: int) -> int:
    """Pixels that the last window needs behind the padded image, along height (0) or width (1)."""
    start, end = (pool.pads[2], pool.pads[3]) if axis == 0 else (pool.pads[0], pool.pads[1])
    needed = (after[1 + axis] - 1) * pool.stride[axis] + pool.kernel[axis]
    return max(0, needed - before[1 + axis] - start - end)


def average_window(name: str, pool: Pool, before: Shape, after: Shape) -> Pool:
    """`fitted` for averages. Raises ModelError where torch counts some of the pads only."""
    window = fitted(pool, before, after)
    if window.pads != pool.pads and pool.counts_pads and any(pool.pads):
        raise ModelError(
            f"'{name}': an average that counts padding, with ceil_mode, is not supported: set "
            "count_include_pad=False"
        )
    return replace(window, counts_pads=pool.counts_pads and any(pool.pads))


def is_even(before: Shape, after: Shape) -> bool:
    """Whether all windows of an adaptive pool are of one size and do not overlap."""
    return before[1] % after[1] == 0 and before[2] % after[2] == 0


def even_window(before: Shape, after: Shape) -> Pool:
    """The pool that an adaptive one is, where it `is_even`."""
    kernel = (before[1] // after[1], before[2] // after[2])
    return Pool(kernel, kernel, (0, 0, 0, 0))


def fits(before: Shape, after: Shape, factors: Any) -> bool:
    """Whether sides of one image times factors, two or one for both, are those of the other."""
    wanted = np.multiply(before[1:], factors)
    return bool(np.allclose(wanted, after[1:], rtol=1e-6, atol=0))
