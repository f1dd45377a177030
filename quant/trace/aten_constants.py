"""What torch's operations below its functions (ATen) make of constants alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import chain, zip_longest
from math import prod
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


def reshaped_as(constant: Constant, other: Constant) -> Constant:
    """A constant in the shape of another one."""
    return reshaped(constant, list(other.value.shape))


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

    def compute(*args: Any, **more: Any) -> Constant:
        parts = [arg if isinstance(arg, list) else [arg] for arg in (*args, *more.values())]
        constants = [part for part in chain(*parts) if isinstance(part, Constant)]
        name = constants[0].name
        try:
            refuse_large(name, [constant.value.shape for constant in constants])
            named = {key: as_tensor(arg) for key, arg in more.items()}
            value = operation(*map(as_tensor, args), **named)
        except (RuntimeError, TypeError, IndexError, ValueError) as error:
            raise ModelError(f"'{word}' of {name}: {one_line(error)}") from None
        return replace(constants[0], value=value.numpy())

    return compute


def refuse_large(name: str, shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise ValueError where constants of a small file would grow beyond all measure together.

    Joined or stretched over each other they have no more numbers than along their longest axes.
    """
    axes = zip_longest(*(reversed(shape) for shape in shapes), fillvalue=1)
    if len(shapes) * prod(max(sizes) for sizes in axes) > MOST:
        raise ValueError(f"with what it is computed with, {name} has too many numbers")


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


MOST = 2**28
"""Numbers of a constant: 1 GB."""
COMPUTED = (
    *("add", "sub", "mul", "div", "neg", "reciprocal", "pow", "sqrt", "rsqrt", "exp", "abs"),
    *("mean", "sum", "var", "std", "batch_norm", "linalg_vector_norm", "maximum", "clamp"),
    *("index", "cat", "stack", "slice", "select"),
)
"""Weights that are standardized or scaled (Brock et al. 2021, NFNets), and the like."""
FOLDED: Mapping[str, Callable[..., Constant]] = {
    **{"permute": transposed, "t": transposed, "transpose": swapped},
    **dict.fromkeys(("view", "reshape", "_unsafe_view"), reshaped),
    **dict.fromkeys(("view_as", "reshape_as"), reshaped_as),
    **{"expand": expanded, "unsqueeze": with_axis},
    **{word: computed(word) for word in COMPUTED},
    **dict.fromkeys(("clone", "alias", "detach", "lift_fresh_copy", "contiguous"), kept),
}
"""What is done to weights before they are used."""
