"""What is no quantizable layer, as ONNX nodes. Of several, the last has the name of our node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from quant.details import (
    Cells,
    Channels,
    Epsilon,
    Exponent,
    Factor,
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
from quant.graph import Floats, Node, Op, Weights
from quant.onnx_attention import (
    write_gelu,
    write_layer_norm,
    write_prepend,
    write_shift,
    write_softmax,
)
from quant.onnx_nodes import OnnxNodes
from quant.onnx_pixels import onnx_pads, write_pads, write_slice, write_squares

KINDS: Mapping[Op, tuple[str, Mapping[str, Any]]] = {
    "add": ("Add", {}),
    "mul": ("Mul", {}),
    "div": ("Div", {}),
    "maximum": ("Max", {}),
    "minimum": ("Min", {}),
    "global_avg_pool": ("GlobalAveragePool", {}),
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "hardsigmoid": ("HardSigmoid", {"alpha": 1 / 6, "beta": 0.5}),
    "hardswish": ("HardSwish", {}),
    "mish": ("Mish", {}),
    "softplus": ("Softplus", {}),
    "tanh": ("Tanh", {}),
    "selu": ("Selu", {}),
    "softsign": ("Softsign", {}),
    "abs": ("Abs", {}),
    "sqrt": ("Sqrt", {}),
    "reciprocal": ("Reciprocal", {}),
}
REDUCED: Mapping[Op, str] = {
    "channel_mean": "ReduceMean",
    "channel_max": "ReduceMax",
    "channel_norm": "ReduceL2",
}
SLOPED: Mapping[Op, str] = {"leaky_relu": "LeakyRelu", "elu": "Elu", "celu": "Celu"}
INTERPOLATIONS: Mapping[str, Mapping[str, str]] = {
    "nearest": {
        "mode": "nearest",
        "nearest_mode": "floor",
        "coordinate_transformation_mode": "asymmetric",
    },
    "bilinear": {"mode": "linear", "coordinate_transformation_mode": "half_pixel"},
    "aligned": {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
}


def write_operation(onnx: OnnxNodes, node: Node, inputs: list[str]) -> str:
    """Append a node without layer; the tensor that holds its value."""
    if node.op in KINDS:
        kind, attributes = KINDS[node.op]
        return onnx.node(kind, inputs, node.name, **attributes)
    if node.op in REDUCED:
        axes = onnx.integers(f"{node.name}.axes", 1)
        return onnx.node(REDUCED[node.op], [inputs[0], axes], node.name, keepdims=1)
    if node.op == "relu6":
        return onnx.clip(inputs[0], 0.0, 6.0, node.name)
    if node.op == "silu":
        gate = onnx.node("Sigmoid", inputs, f"{node.name}.sigmoid")
        return onnx.node("Mul", [inputs[0], gate], node.name)
    if node.op == "log_sigmoid":
        return write_log_sigmoid(onnx, node.name, inputs[0])
    if node.op == "concat":
        axis = node.detail.axis if isinstance(node.detail, Side) else 0
        return onnx.node("Concat", inputs, node.name, axis=1 + axis)
    if node.op == "gelu":
        return write_gelu(onnx, node.name, inputs[0])
    if node.op == "reshape":
        shape = onnx.integers(f"{node.name}.shape", 0, *node.shape)
        return onnx.node("Reshape", [inputs[0], shape], node.name)
    return write_detail(onnx, node, inputs[0])


def write_detail(onnx: OnnxNodes, node: Node, x: str) -> str:
    """Append a node that has a detail or constants."""
    detail, constants = node.detail, node.constants
    if isinstance(detail, Pool):
        return write_pool(onnx, node, x, detail)
    if isinstance(detail, Cells):
        return write_cells(onnx, node, x, detail)
    if isinstance(detail, Channels | Rows | Tokens):
        return write_slice(onnx, node, x, detail)
    if isinstance(detail, Groups):
        return write_shuffle(onnx, node, x, detail)
    if isinstance(detail, Slope):
        return onnx.node(SLOPED[node.op], [x], node.name, alpha=detail.value)
    if isinstance(detail, Limits):
        return onnx.clip(x, detail.low, detail.high, node.name)
    if isinstance(detail, Squares):
        return write_squares(onnx, node, x, detail)
    if isinstance(detail, Pads):
        return write_pads(onnx, node, x, detail)
    if isinstance(detail, Exponent):
        exponent = onnx.constant(f"{node.name}.exponent", np.array(detail.value, np.float32))
        return onnx.node("Pow", [x, exponent], node.name)
    if isinstance(detail, Neighbours):
        return write_response_norm(onnx, node, x, detail)
    if isinstance(detail, Resize):
        sizes = onnx.integers(f"{node.name}.sizes", *node.shape[1:])
        how = {**INTERPOLATIONS[detail.mode], "axes": (2, 3)}
        return onnx.node("Resize", [x, "", "", sizes], node.name, **how)
    if isinstance(detail, Factor):
        return write_softmax(onnx, node, x, detail)
    if isinstance(detail, Epsilon):
        return write_layer_norm(onnx, node, x, detail)
    assert constants is not None
    if isinstance(detail, Transposed):
        return write_deconv(onnx, node, x, detail, constants)
    if isinstance(detail, Grouping):
        return write_group_norm(onnx, node, x, detail, constants)
    write = CONSTANTS.get(node.op, write_scale)
    return write(onnx, node, x, constants)


def write_pool(onnx: OnnxNodes, node: Node, x: str, pool: Pool) -> str:
    """Append a pool of any kind."""
    window = {"kernel_shape": pool.kernel, "strides": pool.stride, "pads": onnx_pads(pool.pads)}
    if node.op == "max_pool":
        return onnx.node("MaxPool", [x], node.name, **window)
    counts = int(pool.counts_pads)
    return onnx.node("AveragePool", [x], node.name, count_include_pad=counts, **window)


def write_cells(onnx: OnnxNodes, node: Node, x: str, cells: Cells) -> str:
    """Append an adaptive average, which ONNX lacks: means of rows, then of columns."""
    rows, columns = (shares(*sizes) for sizes in zip(cells.image, node.shape[1:], strict=True))
    by_rows = onnx.constant(f"{node.name}.rows", rows)
    by_columns = onnx.constant(f"{node.name}.columns", columns.T)
    halfway = onnx.node("MatMul", [by_rows, x], f"{node.name}.halfway")
    return onnx.node("MatMul", [halfway, by_columns], node.name)


def shares(size: int, count: int) -> Floats:
    """What each of `size` pixels is to the mean of each cell (count, size)."""
    cells = [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
    found = np.zeros((count, size), np.float32)
    for row, (start, stop) in zip(found, cells, strict=True):
        row[start:stop] = 1 / (stop - start)
    return found


def write_log_sigmoid(onnx: OnnxNodes, name: str, x: str) -> str:
    """Append -softplus(-x), which is the logarithm of the sigmoid."""
    negative = onnx.node("Neg", [x], f"{name}.negative")
    softplus = onnx.node("Softplus", [negative], f"{name}.softplus")
    return onnx.node("Neg", [softplus], name)


def write_response_norm(onnx: OnnxNodes, node: Node, x: str, how: Neighbours) -> str:
    """Append a local response norm; ONNX, too, divides alpha by the number of channels."""
    numbers = {"size": how.size, "alpha": how.alpha, "beta": how.beta, "bias": how.k}
    return onnx.node("LRN", [x], node.name, **numbers)


def write_shuffle(onnx: OnnxNodes, node: Node, x: str, groups: Groups) -> str:
    """Append the three steps of a channel shuffle."""
    name, (channels, *size) = node.name, node.shape
    dealt = onnx.integers(f"{name}.dealt", 0, groups.count, channels // groups.count, *size)
    split = onnx.node("Reshape", [x, dealt], f"{name}.split")
    swapped = onnx.node("Transpose", [split], f"{name}.swap", perm=[0, 2, 1, 3, 4])
    whole = onnx.integers(f"{name}.whole", 0, *node.shape)
    return onnx.node("Reshape", [swapped, whole], name)


def write_deconv(onnx: OnnxNodes, node: Node, x: str, how: Transposed, weights: Weights) -> str:
    """Append a transposed convolution."""
    left, right, top, bottom = how.pads
    weight = onnx.constant(f"{node.name}.weight", weights.weight)
    bias = onnx.constant(f"{node.name}.bias", weights.bias)
    return onnx.node(
        "ConvTranspose",
        [x, weight, bias],
        node.name,
        kernel_shape=how.kernel,
        strides=how.stride,
        dilations=how.dilation,
        group=how.groups,
        pads=onnx_pads((left, max(0, right), top, max(0, bottom))),
        output_padding=(max(0, -bottom), max(0, -right)),
    )


def write_prelu(onnx: OnnxNodes, node: Node, x: str, weights: Weights) -> str:
    """Append a slope a channel for what is negative."""
    slopes = onnx.constant(f"{node.name}.slopes", by_channel(weights.weight, node))
    return onnx.node("PRelu", [x, slopes], node.name)


def write_group_norm(onnx: OnnxNodes, node: Node, x: str, how: Grouping, weights: Weights) -> str:
    """Append a norm over groups of channels, each of which is as one channel to ONNX."""
    name = node.name
    grouped = onnx.integers(f"{name}.grouped", 0, how.count, -1)
    rows = onnx.node("Reshape", [x, grouped], f"{name}.rows")
    ones = onnx.constant(f"{name}.ones", np.ones(how.count, np.float32))
    zeros = onnx.constant(f"{name}.zeros", np.zeros(how.count, np.float32))
    normed = onnx.node(
        "InstanceNormalization", [rows, ones, zeros], f"{name}.normed", epsilon=how.epsilon
    )
    whole = onnx.integers(f"{name}.whole", 0, *node.shape)
    image = onnx.node("Reshape", [normed, whole], f"{name}.image")
    return write_scale(onnx, node, image, weights)


def write_scale(onnx: OnnxNodes, node: Node, x: str, weights: Weights) -> str:
    """Append a factor and a shift a channel."""
    factor = onnx.constant(f"{node.name}.factor", by_channel(weights.weight, node))
    shift = onnx.constant(f"{node.name}.shift", by_channel(weights.bias, node))
    return onnx.node("Add", [onnx.node("Mul", [x, factor], f"{node.name}.mul"), shift], node.name)


def by_channel(numbers: Floats, node: Node) -> Floats:
    """Numbers (C,) as they go with a batch of what a node gives."""
    return numbers.reshape(1, -1, *[1] * (len(node.shape) - 1))


CONSTANTS: Mapping[Op, Callable[[OnnxNodes, Node, str, Weights], str]] = {
    "prepend": write_prepend,
    "shift": write_shift,
    "prelu": write_prelu,
}
