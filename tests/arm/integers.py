"""An int8 convolution in whole numbers, as ncnn's rules have it; written in numpy alone."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from quant.graph import Activation, Floats, Layer
from quant.ncnn.format import Int8

Integers = NDArray[np.int64]


def quantize(x: Floats, scale: float) -> Integers:
    """Whole numbers -127..127 of x times scale in float32; halves go away from zero."""
    scaled = x.astype(np.float32) * np.float32(scale)
    rounded = np.sign(scaled) * np.floor(np.abs(scaled) + np.float32(0.5))
    integers: Integers = np.clip(rounded, -127, 127).astype(np.int64)
    return integers


def convolve(x: Integers, weights: Integers, layer: Layer) -> Integers:
    """Sums (c_out, h, w) of an image (c_in, h, w) with weights (c_out, c_in / groups, kh, kw)."""
    left, right, top, bottom = layer.pads
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right)))
    windows = sliding_window_view(padded, layer.kernel, axis=(1, 2))
    windows = windows[:, :: layer.stride[0], :: layer.stride[1]]
    grouped = windows.reshape(layer.groups, -1, *windows.shape[1:])
    kernels = weights.reshape(layer.groups, -1, *weights.shape[1:])
    sums: Integers = np.einsum("gchwij,gocij->gohw", grouped, kernels)
    return sums.reshape(-1, *windows.shape[1:3])


def int8_output(x: Floats, layer: Layer, int8: Int8, bias: Floats) -> Floats:
    """float32 output of an int8 layer: its integer sums, back in units of the output."""
    values = int8.values.astype(np.int64).reshape(layer.weight_shape)
    integers = quantize(x, int8.input_scale)
    if layer.op == "linear":
        return (values @ integers).astype(np.float32) * units(int8) + bias
    each = np.repeat(units(int8), layer.c_out // len(int8.weight_scales))  # a group has one scale
    sums = convolve(integers, values, layer).astype(np.float32)
    return activate(sums * each[:, None, None] + bias[:, None, None], layer.activation)


def units(int8: Int8) -> Floats:
    """What one unit of an integer sum is worth, for every scale of the weights."""
    return np.float32(1) / (np.float32(int8.input_scale) * int8.weight_scales)


def activate(x: Floats, activation: Activation) -> Floats:
    """None, ReLU or ReLU6."""
    if activation == "none":
        return x
    return np.clip(x, 0, 6 if activation == "relu6" else None)
