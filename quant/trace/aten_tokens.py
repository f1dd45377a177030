"""torch's operations below its functions (ATen) on tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from quant.errors import ModelError
from quant.graph import Weights
from quant.trace import sequences
from quant.trace.aten_layers import array, bias_of, layer_name
from quant.trace.call import Call
from quant.trace.pending import Pending
from quant.trace.seen import Seen
from quant.trace.sequences import Steps
from quant.trace.token_functions import TOKEN_FUNCTIONS, split, tokens

Read = Callable[[Call], Any]


def linear(call: Call) -> Seen | str:
    """linear(x, weight, bias)."""
    weight = array(call, 1)
    weights = Weights(np.ascontiguousarray(weight), bias_of(call, 2, len(weight)))
    return tokens(call).linear(layer_name(call), call.args[0], weights)


def conv1d(call: Call) -> Seen:
    """conv1d(x, weight, bias, stride, padding, dilation, groups)."""
    steps = Steps(*(call.argument(i, *named) for i, named in enumerate(STEPS, 3)))
    return over_one_axis(call, steps)


def convolution(call: Call) -> Seen:
    """convolution(x, weight, bias, stride, padding, dilation, transposed, more, groups)."""
    _, _, _, stride, padding, dilation, transposed, _, groups = call.args
    if transposed:
        raise ModelError(f"layer {layer_name(call)} is transposed over one axis: not supported")
    return over_one_axis(call, Steps(stride, padding, dilation, groups))


def over_one_axis(call: Call, steps: Steps) -> Seen:
    """A convolution of a sequence (N, C, L)."""
    weight, value = array(call, 1), call.args[0]
    if weight.ndim != 3:
        raise ModelError(f"layer {layer_name(call)} is no convolution of images or of one axis")
    seen = value if isinstance(value, Seen) else call.builder.see(value)
    weights = Weights(weight, bias_of(call, 2, len(weight)))
    return sequences.conv1d(call.builder, layer_name(call), seen, weights, steps)


def layer_norm(call: Call) -> Seen:
    """layer_norm(x, shape, weight, bias, eps)."""
    name, weights, epsilon = norm_of(call)
    return tokens(call).layer_norm(name, call.args[0], weights, epsilon)


def vector_norm(pending: Pending, call: Call) -> str:
    """The same of a vector."""
    name, weights, epsilon = norm_of(call)
    return tokens(call).vector_norm(name, pending.plain(call.args[0]), weights, epsilon)


def norm_of(call: Call) -> tuple[str, Weights, float]:
    """Name, factors and shifts, and epsilon of a layer norm."""
    ones = np.ones(call.args[1], np.float32)
    given = len(call.args) > 2 and call.args[2] is not None
    weights = Weights(array(call, 2) if given else ones, bias_of(call, 3, len(ones)))
    name = layer_name(call, 2) if given else call.label
    return name, weights, call.argument(4, "eps", 1e-5)


def take(call: Call) -> Seen:
    """A range of an axis: slice(x, axis, start, end, step)."""
    axis = call.argument(1, "dim", 0)
    part = slice(call.argument(2, "start"), call.argument(3, "end"), call.argument(4, "step", 1))

    def cut(places: Any) -> Any:
        return np.moveaxis(np.moveaxis(places, axis, 0)[part], 0, axis)

    found: Seen = call.args[0].moved(cut)
    return found


STEPS = (("stride", 1), ("padding", 0), ("dilation", 1), ("groups", 1))
"""Names and defaults of a convolution's last arguments."""
WITH_WEIGHTS: Mapping[str, Read] = {
    **{"linear": linear, "layer_norm": layer_norm},
    **{"conv1d": conv1d, "convolution": convolution},
}
"""Operations whose constants have names."""

ATEN_TOKENS: Mapping[str, Read] = {
    **TOKEN_FUNCTIONS,
    **{"slice": take, "split_with_sizes": split},
    **dict.fromkeys(("_unsafe_view", "squeeze_copy"), TOKEN_FUNCTIONS["view"]),
    **dict.fromkeys(("alias", "lift_fresh_copy", "to"), TOKEN_FUNCTIONS["clone"]),
}
