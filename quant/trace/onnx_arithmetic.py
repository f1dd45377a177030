"""ONNX operations of arithmetic: sums, products, quotients, powers, norms over channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from quant.graph import Op
from quant.trace import powers
from quant.trace.onnx_call import OnnxCall
from quant.trace.onnx_pools import axes_of
from quant.trace.pending import Value, by_channel

Read = Callable[[OnnxCall], Any]


def add(call: OnnxCall) -> Value:
    """The sum of two values, or of a value and constants."""
    variable, constant = operands(call)
    if constant is None:
        return call.pending.builder.add(call.name, [call.pending.plain(v) for v in variable])
    return call.pending.plus(call.name, variable[0], constant)


def extreme(op: Op, what: str) -> Read:
    """The larger or the smaller of two values."""

    def read(call: OnnxCall) -> Value:
        variable, constant = operands(call)
        if constant is not None:
            raise call.refused("is of a value and constants: only of two values is it supported")
        sources = [call.pending.plain(value) for value in variable]
        return call.pending.builder.join(call.name, op, sources, what)

    return read


def subtract(call: OnnxCall) -> Value:
    """A value less another one or constants, or constants less a value."""
    variable, constant = operands(call)
    if constant is None:
        negative = call.pending.times(f"{call.name}_negative", variable[1], -1.0)
        both = [call.pending.plain(value) for value in (variable[0], negative)]
        return call.pending.builder.add(call.name, both)
    if call.file.constant(call.step.inputs[0]) is None:
        return call.pending.plus(call.name, variable[0], -constant)
    negative = call.pending.times(call.name, variable[0], -1.0)
    return call.pending.plus(call.name, negative, constant)


def multiply(call: OnnxCall) -> Value:
    """The product of two values, or of a value and constants."""
    variable, constant = operands(call)
    if constant is None:
        return call.pending.product(call.name, *variable)
    return call.pending.times(call.name, variable[0], constant)


def divide(call: OnnxCall) -> Value:
    """A value divided by another one or by constants, or constants by a value."""
    variable, constant = operands(call)
    if constant is None:
        one, other = (call.pending.plain(value) for value in variable)
        return call.pending.builder.div(call.name, one, other)
    if call.file.constant(call.step.inputs[0]) is not None:
        source = call.pending.plain(variable[0])
        inverse = call.pending.builder.activate(f"{call.name}_inverse", source, "reciprocal")
        return call.pending.times(call.name, inverse, constant)
    if np.any(constant == 0):
        raise call.refused("divides by 0")
    return call.pending.times(call.name, variable[0], 1.0 / constant)


def operands(call: OnnxCall) -> tuple[list[Value], Any]:
    """The values that are joined, and the constants if one side is that."""
    variable = [name for name in call.step.inputs if call.file.constant(name) is None]
    constants = [name for name in call.step.inputs if name not in variable]
    if not constants:
        return [call.values[name] for name in variable], None
    shape = call.shape_of(variable[0])
    constant = by_channel(call.name, call.file.values[constants[0]], shape)
    return [call.values[variable[0]]], constant


def negative(call: OnnxCall) -> Value:
    """A value with its sign changed."""
    return call.pending.times(call.name, call.value, -1.0)


def power(call: OnnxCall) -> Value:
    """A value to a power that is a number."""
    exponent = call.constant(1)
    if exponent is None or exponent.size != 1:
        raise call.refused("has more than one exponent, which is not supported")
    return powers.power(call.pending.builder, call.name, call.source, float(exponent.item()))


def channel_norm(call: OnnxCall) -> Value:
    """The root of the sum of all channels' squares."""
    if axes_of(call) != {1} or not call.attribute("keepdims", 1):
        raise call.refused("is over other axes than channels (1), which stay")
    return powers.channel_norm(call.pending.builder, call.name, call.source)
