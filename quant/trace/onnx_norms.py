"""ONNX operations that norm by what they read, and a PReLU: numbers of their own, but no layers."""

from __future__ import annotations

import numpy as np

from quant.details import Grouping, Neighbours
from quant.graph import Weights
from quant.trace import numbered
from quant.trace.onnx_call import OnnxCall
from quant.trace.onnx_layers import floats
from quant.trace.pending import Value

LOCAL = {"alpha": 1e-4, "beta": 0.75, "bias": 1.0}
"""Attributes of a local response norm, and what they are unless given."""


def instance_norm(call: OnnxCall) -> Value:
    """A norm over each channel, or over groups of them where these are seen as channels."""
    builder = call.pending.builder
    view = builder.view(call.source)
    shape, groups = builder.node(view.source).shape, view.shape[0]
    if view.groups or len(shape) != 3 or shape[0] % groups:
        raise call.refused("norms what are no groups of channels")
    factors, shifts = (np.repeat(floats(call, index), shape[0] // groups) for index in (1, 2))
    how = Grouping(groups, call.attribute("epsilon", 1e-5))
    name, weights = call.layer_name(), Weights(factors, shifts)
    normed = numbered.group_norm(builder, name, view.source, how, weights)
    return builder.reshape(f"{call.name}_rows", normed, view.shape)


def group_norm(call: OnnxCall) -> Value:
    """A norm over groups of channels; before version 21 with a number for each group."""
    channels = call.before[0]
    numbers = (floats(call, index) for index in (1, 2))
    factors, shifts = (np.repeat(some, channels // some.size) for some in numbers)
    how = Grouping(call.attribute("num_groups"), call.attribute("epsilon", 1e-5))
    weights = Weights(factors, shifts)
    name = call.layer_name()
    return numbered.group_norm(call.pending.builder, name, call.source, how, weights)


def response_norm(call: OnnxCall) -> Value:
    """A local response norm."""
    numbers = (call.attribute(name, default) for name, default in LOCAL.items())
    how = Neighbours(call.attribute("size"), *numbers)
    return numbered.response_norm(call.pending.builder, call.name, call.source, how)


def prelu(call: OnnxCall) -> Value:
    """A ReLU with slopes that are the same for all pixels."""
    slopes = floats(call, 1)
    if slopes.size not in (1, call.before[0]):
        raise call.refused("has slopes of single pixels, which is not supported")
    return numbered.prelu(call.pending.builder, call.layer_name(), call.source, slopes)
