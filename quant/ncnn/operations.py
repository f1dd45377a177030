"""What is no quantizable layer, as ncnn's types and parameters."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from quant.details import (
    Border,
    Cells,
    Channels,
    Grouping,
    Groups,
    Limits,
    Neighbours,
    Pads,
    Pool,
    Resize,
    Rows,
    Side,
    Slope,
    Squares,
    Tokens,
    Transposed,
)
from quant.graph import Node, Op, Weights
from quant.ncnn.format import NcnnLayer, Payload, Value

Typed = tuple[str, dict[int, Value]]
INTERPOLATIONS = {"nearest": 1, "bilinear": 2, "aligned": 2}
OVER_CHANNELS: dict[int, Value] = {1: 0, 3: (0,), 4: 1, 5: 1}
"""A Reduction's axis, which stays with one channel."""
KINDS: Mapping[Op, Typed] = {
    "input": ("Input", {}),
    "add": ("BinaryOp", {0: 0}),
    "mul": ("BinaryOp", {0: 2}),
    "div": ("BinaryOp", {0: 3}),
    "maximum": ("BinaryOp", {0: 4}),
    "minimum": ("BinaryOp", {0: 5}),
    "channel_mean": ("Reduction", {0: 3, **OVER_CHANNELS}),
    "channel_max": ("Reduction", {0: 4, **OVER_CHANNELS}),
    "channel_norm": ("Reduction", {0: 8, **OVER_CHANNELS}),
    "global_avg_pool": ("Pooling", {0: 1, 4: 1}),
    "relu": ("ReLU", {}),
    "relu6": ("Clip", {0: 0.0, 1: 6.0}),
    "sigmoid": ("Sigmoid", {}),
    "hardsigmoid": ("HardSigmoid", {0: 1 / 6, 1: 0.5}),
    "hardswish": ("HardSwish", {0: 1 / 6, 1: 0.5}),
    "silu": ("Swish", {}),
    "gelu": ("GELU", {0: 0}),
    "mish": ("Mish", {}),
    "softplus": ("Softplus", {}),
    "tanh": ("TanH", {}),
    "selu": ("SELU", {0: 1.6732632423543772, 1: 1.0507009873554805}),
    "abs": ("AbsVal", {}),
    "sqrt": ("UnaryOp", {0: 5}),
    "reciprocal": ("UnaryOp", {0: 15}),
}
SLOPED: Mapping[Op, str] = {"leaky_relu": "ReLU", "elu": "ELU", "celu": "CELU"}
BORDERS: Mapping[Border, int] = {"zeros": 0, "replicate": 1, "reflect": 2}
AXES = {Channels: 0, Rows: 1, Tokens: 2}
"""Of a Crop."""
FLOAT32_MAX = 3.402823e38
"""The largest float that is written; it stands for no limit, as ncnn's text has no infinity."""


def operation_type(node: Node) -> Typed:
    """Type and parameters of a node without layer."""
    if node.op in KINDS:
        type_, params = KINDS[node.op]
        return type_, dict(params)
    if node.op == "reshape":
        return "Reshape", {0: -1} if len(node.shape) == 1 else dict(enumerate(node.shape[::-1]))
    detail, constants = node.detail, node.constants
    if node.op == "concat":
        return "Concat", {0: detail.axis if isinstance(detail, Side) else 0}
    if isinstance(detail, Pool):
        return "Pooling", pool_params(node.op, detail)
    if isinstance(detail, Cells):
        return "Pooling", {0: 1, 7: 1, 8: node.shape[2], 18: node.shape[1]}
    if isinstance(detail, Channels | Rows | Tokens):
        return "Crop", {9: (detail.start,), 10: (detail.stop,), 11: (AXES[type(detail)],)}
    if isinstance(detail, Pads):
        left, right, top, bottom = detail.pads
        return "Padding", {0: top, 1: bottom, 2: left, 3: right, 4: BORDERS[detail.border]}
    if isinstance(detail, Neighbours):
        alpha, beta, k = map(float, (detail.alpha, detail.beta, detail.k))
        return "LRN", {0: 0, 1: detail.size, 2: alpha, 3: beta, 4: k}
    if isinstance(detail, Groups):
        return "ShuffleChannel", {0: detail.count}
    if isinstance(detail, Slope):
        return SLOPED[node.op], {0: float(detail.value)}
    if isinstance(detail, Limits):
        limits = (min(max(limit, -FLOAT32_MAX), FLOAT32_MAX) for limit in (detail.low, detail.high))
        return "Clip", dict(enumerate(limits))
    if isinstance(detail, Squares):
        return "PixelShuffle" if node.op == "pixel_shuffle" else "Reorg", {0: detail.side}
    if isinstance(detail, Resize):
        _, rows, columns = node.shape
        aligned: dict[int, Value] = {6: 1} if detail.mode == "aligned" else {}
        return "Interp", {0: INTERPOLATIONS[detail.mode], 3: rows, 4: columns, **aligned}
    if isinstance(detail, Transposed):
        return deconv_type(node, detail)
    assert constants is not None
    return with_numbers(node, len(constants.weight))


def with_numbers(node: Node, channels: int) -> Typed:
    """Type and parameters of a node that has numbers of its own for each channel."""
    if isinstance(node.detail, Grouping):
        count, epsilon = node.detail.count, float(node.detail.epsilon)
        return "GroupNorm", {0: count, 1: channels, 2: epsilon, 3: 1}
    if node.op == "prelu":
        return "PReLU", {0: channels}
    return "Scale", {0: channels, 1: 1}


def pool_params(op: Op, pool: Pool) -> dict[int, Value]:
    """A max or average pool with torch's floor rule (pad mode 1)."""
    left, right, top, bottom = pool.pads
    params: dict[int, Value] = {
        **{0: 0, 1: pool.kernel[1], 11: pool.kernel[0], 2: pool.stride[1], 12: pool.stride[0]},
        **{3: left, 13: top, 14: right, 15: bottom, 5: 1},
    }
    return params if op == "max_pool" else {**params, 0: 1, 6: int(pool.counts_pads)}


def deconv_type(node: Node, how: Transposed) -> Typed:
    """Deconvolution, or DeconvolutionDepthWise for any grouped one.

    ncnn cuts pads from the output; what is to be added to it (negative here) is given apart.
    """
    assert node.constants is not None
    left, right, top, bottom = how.pads
    params: dict[int, Value] = {
        **{0: node.shape[0], 1: how.kernel[1], 11: how.kernel[0]},
        **{2: how.dilation[1], 12: how.dilation[0], 3: how.stride[1], 13: how.stride[0]},
        **{4: left, 14: top, 15: max(0, right), 16: max(0, bottom)},
        **{18: max(0, -right), 19: max(0, -bottom), 5: 1, 6: node.constants.weight.size},
    }
    if how.groups == 1:
        return "Deconvolution", params
    return "DeconvolutionDepthWise", {**params, 7: how.groups}


def constant_payload(node: Node) -> Payload | None:
    """What the `.bin` holds of a node without layer. Only a transposed convolution has a tag."""
    if node.constants is None:
        return None
    if isinstance(node.detail, Transposed):
        return deconv_payload(node.constants, node.detail.groups)
    return Payload(node.constants.weight, node.constants.bias, tag=None)


def deconv_payload(weights: Weights, groups: int) -> Payload:
    """Weights in ncnn's order: (groups, out / groups, in / groups, height, width)."""
    c_in, row, *kernel = weights.weight.shape
    grouped = weights.weight.reshape(groups, c_in // groups, row, *kernel)
    return Payload(np.ascontiguousarray(grouped.swapaxes(1, 2)).ravel(), weights.bias)


def operation_layer(node: Node, inputs: tuple[str, ...], output: str) -> NcnnLayer:
    """A node without layer that reads and gives blobs."""
    type_, params = operation_type(node)
    return NcnnLayer(type_, node.name, inputs, (output,), params, constant_payload(node))
