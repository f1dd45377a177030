"""ONNX operations with weights: layers, transposed convolutions, batch norms."""

from __future__ import annotations

import numpy as np

from quant.details import Transposed
from quant.fold import norm_of
from quant.graph import Floats, Weights
from quant.trace import sequences
from quant.trace.onnx_call import OnnxCall
from quant.trace.onnx_windows import conv_window, pads_of, two
from quant.trace.pending import Value
from quant.trace.seen import Seen
from quant.trace.sequences import Steps
from quant.trace.windows import Window

SEQUENCE_WEIGHT = 3
"""Axes of a weight over one axis."""


def conv(call: OnnxCall) -> Value:
    """A convolution; zeros that were padded before it are among its pads."""
    weight = floats(call, 1)
    if weight.ndim == SEQUENCE_WEIGHT:
        return conv1d(call, weight)
    window = conv_window(call, weight.shape[2:])
    source, pads = call.pending.window(call.value, window.pads)
    moved = Window(window.stride, pads, window.dilation, window.groups)
    weights = Weights(weight, bias_of(call, len(weight)))
    return call.pending.builder.conv(call.layer_name(), source, call.shape, weights, moved)


def conv1d(call: OnnxCall, weight: Floats) -> Value:
    """A convolution over one axis."""
    if call.attribute("auto_pad", "NOTSET") != "NOTSET":
        raise call.refused("has auto_pad over one axis: write its pads")
    before, after = call.attribute("pads") or (0, 0)
    if before != after:
        raise call.refused("pads one end of its axis more than the other, which is not supported")
    builder, value = call.pending.builder, call.value
    seen = value if isinstance(value, Seen) else builder.see(call.source)
    names = ("strides", "dilations")
    stride, dilation = (call.attribute(name) or (1,) for name in names)
    steps = Steps(stride, before, dilation, call.attribute("group", 1))
    weights = Weights(weight, bias_of(call, len(weight)))
    return sequences.conv1d(builder, call.layer_name(), seen, weights, steps)


def deconv(call: OnnxCall) -> Value:
    """A transposed convolution; what it pads its output with is less of it to be cut."""
    weight, groups = floats(call, 1), call.attribute("group", 1)
    if call.attribute("output_shape") or call.attribute("auto_pad", "NOTSET") != "NOTSET":
        raise call.refused("has output_shape or auto_pad: write its pads")
    left, right, top, bottom = pads_of(call)
    more_y, more_x = two(call, "output_padding", 0)
    how = Transposed(
        (weight.shape[2], weight.shape[3]),
        two(call, "strides", 1),
        (left, right - more_x, top, bottom - more_y),
        two(call, "dilations", 1),
        groups,
    )
    weights = Weights(weight, bias_of(call, weight.shape[1] * groups))
    return call.pending.builder.deconv(call.layer_name(), call.source, call.shape, weights, how)


def gemm(call: OnnxCall) -> Value:
    """A matrix product of a vector: alpha * x * B + beta * C."""
    if call.attribute("transA", 0):
        raise call.refused("transposes its first input, which is not supported")
    weight = call.attribute("alpha", 1.0) * floats(call, 1)
    weight = weight if call.attribute("transB", 0) else weight.T
    bias = call.attribute("beta", 1.0) * bias_of(call, len(weight))
    return linear(call, weight, bias)


def matmul(call: OnnxCall) -> Value:
    """A matrix product of a vector."""
    weight = floats(call, 1)
    if weight.ndim != 2:
        raise call.refused("multiplies with other than a matrix, which is not supported")
    return linear(call, weight.T, np.zeros(weight.shape[1], np.float32))


def linear(call: OnnxCall, weight: Floats, bias: Floats) -> Value:
    """A layer with weights (c_out, c_in)."""
    if len(call.before) != 1:
        raise call.refused("reads no vector: flatten before it")
    found = Weights(np.ascontiguousarray(weight, np.float32), bias.astype(np.float32))
    return call.pending.builder.linear(call.layer_name(), call.source, found)


def batch_norm(call: OnnxCall) -> Value:
    """A batch norm by its running statistics."""
    if call.attribute("training_mode", 0):
        raise call.refused("is in training mode: export the network in evaluation mode")
    gamma, beta, mean, variance = (floats(call, index) for index in (1, 2, 3, 4))
    norm = norm_of(mean, variance, gamma, beta, call.attribute("epsilon", 1e-5))
    return call.pending.builder.norm(call.layer_name(), call.source, norm)


def bias_of(call: OnnxCall, outputs: int) -> Floats:
    """The third input (c_out,), zeros where it is left out."""
    if len(call.step.inputs) < 3 or not call.step.inputs[2]:
        return np.zeros(outputs, np.float32)
    return np.broadcast_to(floats(call, 2).reshape(-1), (outputs,)).astype(np.float32)


def floats(call: OnnxCall, index: int) -> Floats:
    """An input that is the same for all images. Raises ModelError."""
    found = call.constant(index)
    if found is None:
        raise call.refused(f"has no input {index}")
    return found.astype(np.float32)
