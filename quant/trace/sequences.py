"""Convolutions over one axis, for all readers.

Of a sequence (N, C, L) they are those of an image of one row (C, 1, L). ECA (Wang et al. 2020) has
the means of all channels as a sequence (N, 1, C).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from quant.errors import ModelError
from quant.graph import Node, Weights
from quant.trace.arranged import flat_in_order
from quant.trace.builder import Builder
from quant.trace.seen import Seen, whole
from quant.trace.tokens import TokenBuilder
from quant.trace.windows import Window, torch_pads


class Steps(NamedTuple):
    """How a convolution over one axis moves; `padding` is a number, `same` or `valid`."""

    stride: Any = 1
    padding: Any = 0
    dilation: Any = 1
    groups: int = 1


def conv1d(builder: Builder, name: str, value: Seen, weights: Weights, steps: Steps) -> Seen:
    """A convolution with weights (c_out, c_in / groups, kernel). Raises ModelError."""
    source = row(builder, name, value)
    width = builder.node(source).shape[2]
    weight = weights.weight[:, :, None]
    window = window_of(steps, weight.shape[3])
    reach = window.dilation[1] * (weight.shape[3] - 1) + 1
    after = (width + sum(window.pads) - reach) // window.stride[1] + 1
    shape, found = (len(weight), 1, after), Weights(weight, weights.bias)
    made = builder.conv(name, source, shape, found, window)
    return whole(made, shape).moved(lambda places: places[:, :, 0])


def window_of(steps: Steps, kernel: int) -> Window:
    """The window over a row."""
    stride, dilation = (one(number) for number in (steps.stride, steps.dilation))
    padding = steps.padding if isinstance(steps.padding, str) else (0, one(steps.padding))
    pads = torch_pads(padding, (1, kernel), (1, dilation))
    return Window((1, stride), pads, (1, dilation), steps.groups)


def one(number: Any) -> int:
    """A number, or the only one of some."""
    return int(number if isinstance(number, int) else number[0])


def row(builder: Builder, name: str, value: Seen) -> str:
    """The node of a sequence (N, C, L) as an image of one row (C, 1, L)."""
    if value.places.ndim != 3:
        raise ModelError(f"layer {name} reads no sequence (N, C, L)")
    _, channels, length = value.places.shape
    shape = (channels, 1, length)
    if not flat_in_order(value):
        return TokenBuilder(builder).rows(f"{name}.row", value, lambda places: places)
    if value.shape == shape:
        return value.source
    return builder.append(Node(f"{name}.row", "reshape", (value.source,), shape))
