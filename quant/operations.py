"""What is no quantizable layer, run in torch. Nothing works in place: values may be read again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from quant.attention import layer_norm, prepend
from quant.details import (
    Border,
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
from quant.graph import Node, Op, Weights

PLAIN: Mapping[Op, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "relu6": F.relu6,
    "sigmoid": torch.sigmoid,
    "hardsigmoid": F.hardsigmoid,
    "hardswish": F.hardswish,
    "silu": F.silu,
    "gelu": F.gelu,
    "mish": F.mish,
    "softplus": F.softplus,
    "tanh": torch.tanh,
    "selu": F.selu,
    "softsign": F.softsign,
    "log_sigmoid": F.logsigmoid,
    "abs": torch.abs,
    "sqrt": torch.sqrt,
    "reciprocal": torch.reciprocal,
}
TWO: Mapping[Op, Callable[[Tensor, Tensor], Tensor]] = {
    "add": torch.add,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
SLOPED: Mapping[Op, Callable[[Tensor, float], Tensor]] = {
    "leaky_relu": F.leaky_relu,
    "elu": F.elu,
    "celu": F.celu,
}
BORDERS: Mapping[Border, str] = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "replicate",
}


def run_operation(node: Node, inputs: Sequence[Tensor]) -> Tensor:
    """Value of a node without layer, for inputs (N, C, H, W) or (N, C); gradients flow."""
    x = inputs[0]
    if node.op in PLAIN:
        return PLAIN[node.op](x)
    if node.op in TWO:
        return TWO[node.op](x, inputs[1])
    if node.op == "concat":
        axis = node.detail.axis if isinstance(node.detail, Side) else 0
        return torch.cat(list(inputs), 1 + axis)
    if node.op == "reshape":
        return x.reshape(len(x), *node.shape)
    if node.op == "global_avg_pool":
        return x.mean((2, 3), keepdim=True)
    if node.op == "channel_mean":
        return x.mean(1, keepdim=True)
    if node.op == "channel_max":
        return x.amax(1, keepdim=True)
    if node.op == "channel_norm":
        norms: Tensor = torch.linalg.vector_norm(x, dim=1, keepdim=True)
        return norms
    return run_detail(node, x)


def run_detail(node: Node, x: Tensor) -> Tensor:
    """Value of a node that has a detail or constants."""
    detail, constants = node.detail, node.constants
    if isinstance(detail, Pool):
        return max_pool(x, detail) if node.op == "max_pool" else avg_pool(x, detail)
    if isinstance(detail, Cells):
        _, rows, columns = node.shape
        return F.adaptive_avg_pool2d(x, (rows, columns))
    if isinstance(detail, Channels):
        return x[:, detail.start : detail.stop]
    if isinstance(detail, Groups):
        return F.channel_shuffle(x, detail.count)
    if isinstance(detail, Slope):
        return SLOPED[node.op](x, detail.value)
    if isinstance(detail, Limits):
        return x.clamp(detail.low, detail.high)
    if isinstance(detail, Squares):
        squares = F.pixel_shuffle if node.op == "pixel_shuffle" else F.pixel_unshuffle
        return squares(x, detail.side)
    if isinstance(detail, Pads):
        return F.pad(x, detail.pads, BORDERS[detail.border])
    if isinstance(detail, Exponent):
        return x.pow(detail.value)
    if isinstance(detail, Neighbours):
        return F.local_response_norm(x, detail.size, detail.alpha, detail.beta, detail.k)
    if isinstance(detail, Rows):
        return x[:, :, detail.start : detail.stop]
    if isinstance(detail, Resize):
        return resize(x, node.shape, detail)
    if isinstance(detail, Tokens):
        return x[..., detail.start : detail.stop]
    if isinstance(detail, Factor):
        return (x * detail.value).softmax(-1)
    assert constants is not None
    if isinstance(detail, Transposed):
        return deconv(x, detail, constants)
    return run_constants(node, x, constants)


def run_constants(node: Node, x: Tensor, constants: Weights) -> Tensor:
    """Value of a node that has numbers of its own for each channel or token."""
    weight, bias = on_device(constants, x)
    if isinstance(node.detail, Grouping):
        return F.group_norm(x, node.detail.count, weight, bias, node.detail.epsilon)
    if isinstance(node.detail, Epsilon):
        return layer_norm(x, weight, bias, node.detail.value)
    if node.op == "prelu":
        return F.prelu(x, weight)
    if node.op == "prepend":
        return prepend(x, weight)
    return x + weight if node.op == "shift" else scale(x, weight, bias)


def max_pool(x: Tensor, pool: Pool) -> Tensor:
    """Max pooling with minus infinity around the image."""
    padded = F.pad(x, pool.pads, value=float("-inf"))
    return F.max_pool2d(padded, pool.kernel, pool.stride)


def avg_pool(x: Tensor, pool: Pool) -> Tensor:
    """Average pooling; where pads do not count, by the share of each window that is image."""
    averages = F.avg_pool2d(F.pad(x, pool.pads), pool.kernel, pool.stride)
    if pool.counts_pads or not any(pool.pads):
        return averages
    image = torch.ones_like(x[:1, :1])
    return averages / F.avg_pool2d(F.pad(image, pool.pads), pool.kernel, pool.stride)


def resize(x: Tensor, shape: tuple[int, ...], detail: Resize) -> Tensor:
    """An image (N, C, H, W) of the size of `shape` (C, H, W)."""
    size = list(shape[1:])
    if detail.mode == "nearest":
        return F.interpolate(x, size)
    return F.interpolate(x, size, mode="bilinear", align_corners=detail.mode == "aligned")


def deconv(x: Tensor, how: Transposed, weights: Weights) -> Tensor:
    """A transposed convolution: all that its windows reach, then its pads cut or added."""
    weight, bias = on_device(weights, x)
    reached = F.conv_transpose2d(
        x, weight, None, how.stride, groups=how.groups, dilation=how.dilation
    )
    return F.pad(reached, [-pad for pad in how.pads]) + bias[:, None, None]


def scale(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A factor and a shift a channel."""
    shape = (1, -1, *[1] * (x.ndim - 2))
    return x * weight.reshape(shape) + bias.reshape(shape)


def on_device(weights: Weights, x: Tensor) -> tuple[Tensor, Tensor]:
    """Constants as tensors beside x, and as exact."""
    weight, bias = torch.from_numpy(weights.weight), torch.from_numpy(weights.bias)
    return weight.to(x), bias.to(x)
