"""What torch's operations below its functions (ATen) make of constants alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import torch

from quant.errors import ModelError, one_line
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


def computed(word: str) -> Callable[..., Constant]:
    """An operation of torch's that computes with numbers alone, done now."""
    operation = getattr(torch.ops.aten, word)

    def compute(*args: Any, **named: Any) -> Constant:
        lists = [arg if isinstance(arg, list) else [arg] for arg in args]
        first = next(arg for arg in chain(*lists) if isinstance(arg, Constant))
        more = {key: as_tensor(value) for key, value in named.items()}
        try:
            value = operation(*map(as_tensor, args), **more)
        except (RuntimeError, TypeError) as error:
            raise ModelError(f"'{word}' of {first.name}: {one_line(error)}") from None
        return replace(first, value=value.numpy())

    return compute


def as_tensor(argument: Any) -> Any:
    """A constant as torch takes it, or a list with such; other arguments as they are."""
    if isinstance(argument, list):
        return [as_tensor(part) for part in argument]
    if not isinstance(argument, Constant):
        return argument
    return torch.from_numpy(np.array(argument.value))


def only_number(constant: Constant) -> float:
    """The one number that a constant is. Raises ModelError."""
    if constant.value.size != 1:
        raise ModelError(
            f"what reads constants alone, as {constant.name}, is only supported for one number"
        )
    return float(constant.value.item())


def kept(constant: Constant, *_: object, **__: object) -> Constant:
    """The constant as it is."""
    return constant


COMPUTED = (
    *("add", "sub", "mul", "div", "neg", "reciprocal", "pow", "sqrt", "rsqrt", "exp", "abs"),
    *("mean", "sum", "var", "std", "batch_norm", "linalg_vector_norm", "maximum", "clamp"),
    *("reshape_as", "view_as", "index", "cat", "stack", "slice", "select"),
)
"""Weights that are standardized or scaled (Brock et al. 2021, NFNets), and the like."""
FOLDED: Mapping[str, Callable[..., Constant]] = {
    **{"permute": transposed, "t": transposed, "transpose": swapped},
    **dict.fromkeys(("view", "reshape", "_unsafe_view"), reshaped),
    **{"expand": expanded, "unsqueeze": with_axis},
    **{word: computed(word) for word in COMPUTED},
    **dict.fromkeys(("clone", "alias", "detach", "lift_fresh_copy", "contiguous"), kept),
}
"""What is done to weights before they are used."""
