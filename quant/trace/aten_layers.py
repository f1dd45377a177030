"""torch's operations with weights, below its functions: layers, transposed convolutions, norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from quant.details import Grouping, Transposed
from quant.errors import ModelError
from quant.fold import norm_of
from quant.graph import Floats, Weights
from quant.trace import numbered
from quant.trace.call import Call
from quant.trace.pending import Pending, Value
from quant.trace.program import Constant
from quant.trace.windows import Window, pair, torch_pads


def conv(pending: Pending, call: Call) -> str:
    """conv2d(x, weight, bias, stride, padding, dilation, groups), padding perhaps by a word."""
    return convolve(pending, call, call.argument(5, "dilation", 1), call.argument(6, "groups", 1))


def convolution(pending: Pending, call: Call) -> Value:
    """convolution(x, weight, bias, stride, padding, dilation, transposed, more, groups)."""
    _, _, _, stride, padding, dilation, transposed, more, groups = call.args
    if transposed:
        return transpose(pending, call, stride, padding, more, groups, dilation)
    return convolve(pending, call, dilation, groups)


def convolve(pending: Pending, call: Call, dilation: Any, groups: int) -> str:
    """A convolution; zeros that were padded before it are among its pads."""
    weight = array(call, 1)
    if weight.ndim != 4:
        raise ModelError(f"layer {layer_name(call)} is no convolution of images")
    pads = torch_pads(call.argument(4, "padding", 0), weight.shape[2:], pair(dilation))
    source, pads = pending.window(call.args[0], pads)
    window = Window(pair(call.argument(3, "stride", 1)), pads, pair(dilation), groups)
    weights = Weights(weight, bias_of(call, 2, len(weight)))
    return pending.builder.conv(layer_name(call), source, call.shape, weights, window)


def deconv(pending: Pending, call: Call) -> str:
    """conv_transpose2d(x, weight, bias, stride, padding, output_padding, groups, dilation)."""
    defaults = ((3, "stride", 1), (4, "padding", 0), (5, "output_padding", 0), (6, "groups", 1))
    stride, padding, more, groups = (call.argument(*given) for given in defaults)
    return transpose(pending, call, stride, padding, more, groups, call.argument(7, "dilation", 1))


def transpose(
    pending: Pending, call: Call, stride: Any, padding: Any, more: Any, groups: int, dilation: Any
) -> str:
    """A transposed convolution; what it pads its output with is less of it to be cut."""
    weight = array(call, 1)
    (top, left), (more_y, more_x) = pair(padding), pair(more)
    pads = (left, left - more_x, top, top - more_y)
    kernel = (weight.shape[2], weight.shape[3])
    how = Transposed(kernel, pair(stride), pads, pair(dilation), groups)
    weights = Weights(weight, bias_of(call, 2, weight.shape[1] * groups))
    source = pending.plain(call.args[0])
    return pending.builder.deconv(layer_name(call), source, call.shape, weights, how)


def linear(pending: Pending, call: Call) -> str:
    """linear(x, weight, bias)."""
    return product(pending, call, 0, array(call, 1), layer_name(call), 2)


def addmm(pending: Pending, call: Call) -> str:
    """addmm(bias, x, weight transposed)."""
    if call.kwargs:
        raise ModelError(f"operation '{call.name}': beta and alpha are not supported")
    return product(pending, call, 1, array(call, 2).T, layer_name(call, 2), 0)


def matmul(pending: Pending, call: Call) -> str:
    """mm(x, weight transposed)."""
    return product(pending, call, 0, array(call, 1).T, layer_name(call), None)


def product(
    pending: Pending, call: Call, place: int, weight: Floats, name: str, bias: int | None
) -> str:
    """A layer that multiplies a vector with weights (c_out, c_in)."""
    if call.values[place].ndim != 2:
        raise ModelError(f"layer {name} reads no vector: flatten before it")
    zeros = np.zeros(len(weight), np.float32)
    added = zeros if bias is None else bias_of(call, bias, len(weight))
    weights = Weights(np.ascontiguousarray(weight), added)
    return pending.builder.linear(name, pending.plain(call.args[place]), weights)


def batch_norm(pending: Pending, call: Call) -> str:
    """batch_norm(x, weight, bias, mean, variance, training, momentum, eps, ..)."""
    if call.args[5]:
        raise ModelError(f"batch norm '{call.name}' trains: export the network in evaluation mode")
    return norm(pending, call, call.args[7])


def frozen_norm(pending: Pending, call: Call) -> str:
    """_native_batch_norm_legit_no_training(x, weight, bias, mean, variance, momentum, eps)."""
    return norm(pending, call, call.args[6])


def norm(pending: Pending, call: Call, eps: float) -> str:
    """A batch norm by its running statistics."""
    gamma, beta, mean, variance = (
        None if call.args[place] is None else array(call, place) for place in (1, 2, 3, 4)
    )
    if mean is None or variance is None:
        raise ModelError(f"batch norm '{call.name}' has no running statistics")
    found = norm_of(mean, variance, gamma, beta, eps)
    name = call.args[3].name.removesuffix(".running_mean")
    return pending.builder.norm(name, pending.plain(call.args[0]), found)


def prelu(pending: Pending, call: Call) -> str:
    """prelu(x, slopes)."""
    source = pending.plain(call.args[0])
    return numbered.prelu(pending.builder, layer_name(call), source, array(call, 1))


def group_norm(pending: Pending, call: Call) -> str:
    """group_norm(x, groups, weight, bias, eps)."""
    how = Grouping(call.args[1], call.argument(4, "eps", 1e-5))
    return grouped(pending, call, how, 2)


def native_group_norm(pending: Pending, call: Call) -> tuple[str]:
    """native_group_norm(x, weight, bias, images, channels, pixels, groups, eps): the first of 3."""
    return (grouped(pending, call, Grouping(call.args[6], call.args[7]), 1),)


def instance_norm(pending: Pending, call: Call) -> str:
    """instance_norm(x, weight, bias, mean, variance, use_input_stats, momentum, eps, ..)."""
    if not call.args[5]:
        return norm(pending, call, call.args[7])
    return grouped(pending, call, Grouping(call.shape[0], call.args[7]), 1)


def grouped(pending: Pending, call: Call, how: Grouping, place: int) -> str:
    """A norm over groups of channels, its weight and bias at a place and behind it, if any."""
    source = pending.plain(call.args[0])
    if call.argument(place, "weight") is None:
        return numbered.group_norm(pending.builder, call.name, source, how, None)
    weight = array(call, place)
    weights = Weights(weight, bias_of(call, place + 1, len(weight)))
    return numbered.group_norm(pending.builder, layer_name(call, place), source, how, weights)


def layer_name(call: Call, place: int = 1) -> str:
    """The name of a weight less `.weight`. Raises ModelError where it is computed."""
    return weight_of(call, place).name.removesuffix(".weight")


def array(call: Call, place: int) -> Floats:
    """A weight as float32."""
    return weight_of(call, place).value.astype(np.float32)


def weight_of(call: Call, place: int) -> Constant:
    """An argument that is a constant. Raises ModelError."""
    found = call.args[place]
    if not isinstance(found, Constant):
        raise ModelError(f"operation '{call.name}' computes its weights, which is not supported")
    return found


def bias_of(call: Call, place: int, outputs: int) -> Floats:
    """A bias (c_out,), zeros where it is left out."""
    if len(call.args) <= place or call.args[place] is None:
        return np.zeros(outputs, np.float32)
    return array(call, place)
