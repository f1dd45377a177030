"""What torch's operations below its functions (ATen) make of constants alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from quant.errors import ModelError
from quant.trace.program import Constant


def transposed(constant: Constant, order: tuple[int, ...] | None = None) -> Constant:
    """A constant with its axes in another order, by default the last first."""
    return replace(constant, value=constant.value.transpose(order))


def swapped(constant: Constant, one: int, other: int) -> Constant:
    """A constant with two axes swapped."""
    return replace(constant, value=constant.value.swapaxes(one, other))


def reshaped(constant: Constant, shape: list[int]) -> Constant:
    """A constant in another shape."""
    return replace(constant, value=constant.value.reshape(shape))


def expanded(constant: Constant, sizes: list[int | None], **_: object) -> Constant:
    """A constant repeated along axes; the batch's size, where that is not fixed, stays as it is."""
    shape = (1,) * (len(sizes) - constant.value.ndim) + constant.value.shape
    wanted = [old if new in (None, -1) else new for old, new in zip(shape, sizes, strict=True)]
    return replace(constant, value=np.broadcast_to(constant.value, [size or 1 for size in wanted]))


def with_axis(constant: Constant, axis: int) -> Constant:
    """A constant with an axis of one more."""
    return replace(constant, value=np.expand_dims(constant.value, axis))


def inverse(constant: Constant) -> Constant:
    """The reciprocal of one number. Raises ModelError for more."""
    return replace(constant, value=np.array(1 / only_number(constant)))


def multiple(constant: Constant, number: Any) -> Constant:
    """A number times another one. Raises ModelError for more."""
    factor = only_number(number) if isinstance(number, Constant) else number
    return replace(constant, value=np.array(only_number(constant) * factor))


def only_number(constant: Constant) -> float:
    """The one number that a constant is. Raises ModelError."""
    if constant.value.size != 1:
        raise ModelError(
            f"what reads constants alone, as {constant.name}, is only supported for one number"
        )
    return float(constant.value.item())


def kept(constant: Constant, *_: object) -> Constant:
    """The constant as it is."""
    return constant


FOLDED: Mapping[str, Callable[..., Constant]] = {
    **{"permute": transposed, "t": transposed, "transpose": swapped},
    **dict.fromkeys(("view", "reshape", "_unsafe_view"), reshaped),
    **{"expand": expanded, "unsqueeze": with_axis, "reciprocal": inverse, "mul": multiple},
    **dict.fromkeys(("clone", "alias", "detach", "lift_fresh_copy", "contiguous"), kept),
}
"""What is done to weights before they are used."""
