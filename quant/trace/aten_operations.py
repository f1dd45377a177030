"""torch's operations below its functions (ATen), where they differ from these or read constants."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from quant.errors import ModelError
from quant.trace import aten_tokens, powers
from quant.trace.arranged import cut
from quant.trace.aten_constants import only_number
from quant.trace.aten_layers import (
    addmm,
    array,
    batch_norm,
    conv,
    convolution,
    deconv,
    frozen_norm,
    group_norm,
    instance_norm,
    linear,
    matmul,
    native_group_norm,
    prelu,
)
from quant.trace.aten_tokens import vector_norm
from quant.trace.call import Call
from quant.trace.functions import FUNCTIONS
from quant.trace.padding import BORDERS
from quant.trace.pending import Pending, Value, by_channel
from quant.trace.pools import padded, resize
from quant.trace.program import Constant

Read = Callable[[Pending, Call], Any]
FLOAT32 = 7
"""As torch.export writes a type (ScalarType in torch/_export/serde/schema.py)."""
SELU = (1.6732632423543772, 1.0507009873554805)
"""Alpha and scale of Klambauer et al. 2017."""
IMAGE_WEIGHT = 4
"""Axes of a weight of images."""
END = 2**63 - 1
"""Where a slice ends that goes on to the end."""


def add(pending: Pending, call: Call) -> Value:
    """The sum of two values, or of a value and constants."""
    refuse_alpha(call)
    values, constant = operands(call)
    if constant is None:
        return pending.builder.add(call.name, [pending.plain(value) for value in values])
    return pending.plus(call.name, values[0], constant)


def subtract(pending: Pending, call: Call) -> Value:
    """A value less another one or constants, or constants less a value; rsub swaps them."""
    refuse_alpha(call)
    values, constant = operands(call)
    if constant is None:
        first, second = values if call.target == "sub" else reversed(values)
        negative = pending.times(f"{call.name}_negative", second, -1.0)
        return pending.builder.add(call.name, [pending.plain(first), pending.plain(negative)])
    if (values[0] is call.args[0]) == (call.target == "sub"):
        return pending.plus(call.name, values[0], -constant)
    return pending.plus(call.name, pending.times(call.name, values[0], -1.0), constant)


def multiply(pending: Pending, call: Call) -> Value:
    """The product of two values, or of a value and constants."""
    values, constant = operands(call)
    if constant is None:
        return pending.product(call.name, *values)
    return pending.times(call.name, values[0], constant)


def divide(pending: Pending, call: Call) -> Value:
    """A value divided by another one or by constants, or constants by a value."""
    values, constant = operands(call)
    if constant is None and not call.kwargs:
        one, other = (pending.plain(value) for value in values)
        return pending.builder.div(call.name, one, other)
    if constant is not None and values[0] is not call.args[0]:
        source = pending.plain(values[0])
        inverse = pending.builder.activate(f"{call.name}_inverse", source, "reciprocal")
        return pending.times(call.name, inverse, constant)
    if call.kwargs or constant is None or values[0] is not call.args[0] or np.any(constant == 0):
        raise ModelError(f"operation '{call.name}' divides by what is no constant")
    return pending.times(call.name, values[0], 1.0 / constant)


def power(pending: Pending, call: Call) -> Value:
    """A value to a power that is a number, perhaps one of the network's."""
    exponent = call.args[1]
    if isinstance(exponent, Constant):
        exponent = only_number(exponent)
    if not isinstance(exponent, int | float):
        raise ModelError(f"operation '{call.name}' is no power by a number")
    return powers.power(pending.builder, call.name, pending.plain(call.args[0]), exponent)


def negative(pending: Pending, call: Call) -> Value:
    """A value with its sign changed."""
    return pending.times(call.name, call.args[0], -1.0)


def refuse_alpha(call: Call) -> None:
    """Raise ModelError where what is added is multiplied, too."""
    if call.argument(2, "alpha", 1) != 1:
        raise ModelError(f"operation '{call.name}' has an alpha, which is not supported")


def operands(call: Call) -> tuple[list[Value], Any]:
    """The values that are joined, and the constants if one side is that."""
    constant: Any = None
    values: list[Value] = []
    for arg in call.args[:2]:
        if isinstance(arg, Constant):
            constant = by_channel(call.name, arg.value, call.shape)
        elif isinstance(arg, int | float):
            constant = np.float64(arg)
        else:
            values.append(arg)
    if not values:
        raise ModelError(f"operation '{call.name}' reads constants alone, which is not supported")
    return values, constant


def clip(pending: Pending, call: Call) -> Value:
    """Values between two limits that are numbers: clamp(x, min, max)."""
    low, high = call.argument(1, "min"), call.argument(2, "max")
    if not all(limit is None or isinstance(limit, int | float) for limit in (low, high)):
        raise ModelError(f"operation '{call.name}': values are only clipped at numbers")
    return pending.clip(call.name, call.args[0], low, high)


def clip_above(pending: Pending, call: Call) -> Value:
    """Values up to a limit: clamp_max(x, max)."""
    return pending.clip(call.name, call.args[0], None, call.argument(1, "max"))


def hardtanh(pending: Pending, call: Call) -> Value:
    """Values between -1 and 1, or other limits: hardtanh(x, min, max)."""
    low, high = call.argument(1, "min_val", -1.0), call.argument(2, "max_val", 1.0)
    return pending.clip(call.name, call.args[0], low, high)


def relu6(pending: Pending, call: Call) -> Value:
    """A ReLU6."""
    return pending.clip(call.name, call.args[0], 0, 6)


def pad(pending: Pending, call: Call) -> Value:
    """Zeros around an image, or pixels of it."""
    amounts = call.args[1]
    if BORDERS.get(call.argument(2, "mode", "constant")) in ("reflect", "replicate"):
        return padded(replace(call, args=(pending.plain(call.args[0]), *call.args[1:])))
    words = [arg for arg in call.args[2:] if isinstance(arg, str)]
    fill = [arg for arg in call.args[2:] if isinstance(arg, int | float)]
    if words not in ([], ["constant"]) or any(fill) or any(amounts[4:]):
        raise ModelError(f"operation '{call.name}' pads other than zeros around pixels")
    left, right, top, bottom = [*amounts, 0, 0][:4]
    return pending.pad(call.name, call.args[0], (left, right, top, bottom))


def take(pending: Pending, call: Call) -> Value:
    """A range of channels, rows or columns: slice(x, axis, start, end, step)."""
    axis, start, stop = (
        call.argument(1, "dim", 0),
        call.argument(2, "start"),
        call.argument(3, "end"),
    )
    step = call.argument(4, "step", 1)
    if start in (None, 0) and stop in (None, END) and step == 1:
        return call.args[0]  # type: ignore[no-any-return]
    source = pending.plain(call.args[0])
    return cut(pending.builder, call.name, source, call.axis(axis), slice(start, stop, step))


def conv1d(pending: Pending, call: Call) -> Value:
    """A convolution of a sequence that is seen in an image or a vector."""
    return aten_tokens.conv1d(replace(call, args=(pending.plain(call.args[0]), *call.args[1:])))


def convolution_of_any(pending: Pending, call: Call) -> Value:
    """A convolution of an image, or of a sequence."""
    if array(call, 1).ndim == IMAGE_WEIGHT:
        return convolution(pending, call)
    source = pending.plain(call.args[0])
    return aten_tokens.convolution(replace(call, args=(source, *call.args[1:])))


def elu(call: Call) -> Any:
    """An exponential linear unit: elu(x, alpha, scale, scale of the input); SELU is one."""
    if np.allclose((call.argument(1, "alpha", 1), call.argument(2, "scale", 1)), SELU):
        return FUNCTIONS["selu"](call)
    if (call.argument(2, "scale", 1), call.argument(3, "input_scale", 1)) != (1, 1):
        raise ModelError(f"operation '{call.name}': an ELU with a scale is not supported")
    return FUNCTIONS["elu"](call)


def nearest(call: Call) -> str:
    """upsample_nearest2d(x, size, factors), these perhaps one by one."""
    return resize(call, "nearest", False, factors_of(call.args[2:]))


def bilinear(call: Call) -> str:
    """upsample_bilinear2d(x, size, align_corners, factors), these perhaps one by one."""
    return resize(call, "bilinear", bool(call.args[2]), factors_of(call.args[3:]))


def factors_of(given: Sequence[Any]) -> Any:
    """Factors of height and width, None where a size is given."""
    factors = given[0] if len(given) == 1 else list(given)
    return None if factors in ([], [None, None]) else factors


def cast(call: Call) -> Any:
    """Nothing: numbers stay float32. Raises ModelError where they do not."""
    numbers = (value for value in call.args[1:] if type(value) is int)
    if call.kwargs.get("dtype", next(numbers, None)) not in (None, FLOAT32):
        raise ModelError(f"operation '{call.name}' casts to other than float32")
    return call.args[0]


ATEN: Mapping[str, Read] = {
    **{"conv2d": conv, "conv1d": conv1d},
    **{"convolution": convolution_of_any, "conv_transpose2d": deconv},
    **{"linear": linear, "addmm": addmm, "mm": matmul, "matmul": matmul},
    **{"batch_norm": batch_norm, "_native_batch_norm_legit_no_training": frozen_norm},
    **{"add": add, "sub": subtract, "rsub": subtract, "mul": multiply, "div": divide},
    **{"pow": power, "neg": negative},
    **{"clamp": clip, "clamp_min": clip, "clamp_max": clip_above},
    **{"hardtanh": hardtanh, "relu6": relu6, "prelu": prelu, "_prelu_kernel": prelu},
    **{"group_norm": group_norm, "native_group_norm": native_group_norm},
    **{"instance_norm": instance_norm, "layer_norm": vector_norm},
    **{"pad": pad, "constant_pad_nd": pad, "slice": take},
}
"""Operations that read constants, or values that wait."""

PLAIN: Mapping[str, Callable[[Call], Any]] = {
    **FUNCTIONS,
    **{"upsample_nearest2d": nearest, "upsample_bilinear2d": bilinear},
    **{"max_pool2d_with_indices": FUNCTIONS["max_pool2d"]},
    **{"_adaptive_avg_pool2d": FUNCTIONS["adaptive_avg_pool2d"]},
    **{"_softmax": FUNCTIONS["softmax"], "_log_softmax": FUNCTIONS["log_softmax"]},
    **{"split_with_sizes": FUNCTIONS["split"], "feature_dropout": FUNCTIONS["dropout"]},
    **{"elu": elu, "native_channel_shuffle": FUNCTIONS["channel_shuffle"]},
    **dict.fromkeys(("_unsafe_view", "squeeze_copy"), FUNCTIONS["view"]),
    **dict.fromkeys(("alias", "lift_fresh_copy"), FUNCTIONS["clone"]),
    **dict.fromkeys(("to", "_to_copy"), cast),
}
"""Operations that read images and vectors alone."""
