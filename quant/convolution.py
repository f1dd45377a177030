"""A convolution and its gradients as two functions, for operations that need both at hand.

Everything has four dimensions, channels last; a linear layer is a convolution of one pixel.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from quant.graph import Layer


def convolve(layer: Layer, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """The layer on inputs whose uneven pads are there already."""
    if is_product(layer):
        shape = (x.shape[0], layer.c_out, *x.shape[2:])
        # Not a view of the product: torch forbids work in place on views that an operation returns.
        out = torch.empty(shape, device=x.device, memory_format=torch.channels_last)
        torch.addmm(bias, to_rows(x), weight.flatten(1).t(), out=to_rows(out))
        return out
    return F.conv2d(
        x, weight, bias, layer.stride, padding_of(layer)[1], layer.dilation, layer.groups
    )


def convolve_backward(
    layer: Layer, gradient: Tensor, x: Tensor, weight: Tensor, wanted: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Gradients of input, weight and bias from that of the output: at least those wanted."""
    if not is_product(layer):
        found: tuple[Tensor | None, Tensor | None, Tensor | None]
        found = torch.ops.aten.convolution_backward(
            gradient, x, weight, [layer.c_out], layer.stride, padding_of(layer)[1],
            layer.dilation, False, [0, 0], layer.groups, list(wanted),
        )  # fmt: skip
        return found
    rows = to_rows(gradient)
    return (
        from_rows(rows @ weight.flatten(1), x) if wanted[0] else None,
        (rows.t() @ to_rows(x)).reshape(weight.shape) if wanted[1] else None,
        rows.sum(0) if wanted[2] else None,
    )


def is_product(layer: Layer) -> bool:
    """Whether it is a matrix product over pixels, which is fast however many threads there are."""
    plain = layer.kernel == layer.stride == (1, 1) and layer.groups == 1
    return plain and not any(layer.pads)


def padding_of(layer: Layer) -> tuple[tuple[int, ...], tuple[int, int]]:
    """Pads to add by hand (left, right, top, bottom), and those (height, width) of convolutions."""
    left, right, top, bottom = layer.pads
    if left == right and top == bottom:
        return (0, 0, 0, 0), (top, left)
    return layer.pads, (0, 0)


def to_rows(x: Tensor) -> Tensor:
    """Pixels (N * H * W, C)."""
    return x.permute(0, 2, 3, 1).reshape(-1, x.shape[1])


def from_rows(rows: Tensor, like: Tensor) -> Tensor:
    """Pixels (N * H * W, C) as (N, C, H, W), where N, H and W are those of `like`."""
    count, _, height, width = like.shape
    return rows.reshape(count, height, width, -1).permute(0, 3, 1, 2)


def crop(x: Tensor, pads: tuple[int, ...]) -> Tensor:
    """A view of x without its pads."""
    if not any(pads):
        return x
    left, right, top, bottom = pads
    return x[:, :, top : x.shape[2] - bottom, left : x.shape[3] - right]


def dot(one: Tensor, other: Tensor) -> Tensor:
    """Sum of the products of (N, C, H, W), without a tensor of products where channels are last."""
    return torch.dot(to_rows(one).reshape(-1), to_rows(other).reshape(-1))
