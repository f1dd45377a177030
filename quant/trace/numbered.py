"""What is no layer but has numbers to check, of its own or of its sizes, for all readers."""

from __future__ import annotations

import numpy as np

from quant.details import Grouping, Limits, Neighbours, Squares
from quant.errors import ModelError
from quant.graph import Floats, Node, Weights
from quant.trace.builder import Builder

NONE = np.zeros(0, np.float32)


def prelu(builder: Builder, name: str, source: str, slopes: Floats) -> str:
    """A ReLU with slopes (C,), or one of all channels (1,). Raises ModelError."""
    shape = builder.shape(name, source)
    if slopes.size not in (1, shape[0]):
        raise ModelError(f"'{name}' has {slopes.size} slopes for {shape[0]} channels")
    spread = np.broadcast_to(slopes.ravel(), shape[:1]).copy()
    return builder.append(Node(name, "prelu", (source,), shape, constants=Weights(spread, NONE)))


def group_norm(
    builder: Builder, name: str, source: str, how: Grouping, weights: Weights | None
) -> str:
    """A norm over groups of channels, then factors and shifts (C,), if any. Raises ModelError."""
    shape = builder.image_shape(name, source)
    if shape[0] % how.count:
        raise ModelError(f"'{name}': {how.count} groups do not divide {shape[0]} channels")
    plain = Weights(np.ones(shape[0], np.float32), np.zeros(shape[0], np.float32))
    return builder.append(Node(name, "group_norm", (source,), shape, None, how, weights or plain))


def pixel_shuffle(builder: Builder, name: str, source: str, side: int) -> str:
    """Squares of pixels made of channels (Shi et al. 2016, section 3.2). Raises ModelError."""
    channels, height, width = builder.image_shape(name, source)
    if channels % (side * side):
        raise ModelError(f"'{name}': {channels} channels make no squares of {side} pixels a side")
    shape = (channels // (side * side), height * side, width * side)
    return builder.append(Node(name, "pixel_shuffle", (source,), shape, detail=Squares(side)))


def pixel_unshuffle(builder: Builder, name: str, source: str, side: int) -> str:
    """Channels made of squares of pixels, the inverse of `pixel_shuffle`. Raises ModelError."""
    channels, height, width = builder.image_shape(name, source)
    if side == 1:
        return source
    if height % side or width % side:
        raise ModelError(f"'{name}': {height}x{width} pixels are no squares of {side} a side")
    shape = (channels * side * side, height // side, width // side)
    return builder.append(Node(name, "pixel_unshuffle", (source,), shape, detail=Squares(side)))


def response_norm(builder: Builder, name: str, source: str, how: Neighbours) -> str:
    """A local response norm. Raises ModelError for an even number of channels."""
    shape = builder.image_shape(name, source)
    if how.size % 2 == 0:
        raise ModelError(f"'{name}': a local response norm is only of an odd number of channels")
    return builder.append(Node(name, "local_response_norm", (source,), shape, detail=how))


def clip(builder: Builder, name: str, source: str, low: float | None, high: float | None) -> str:
    """Values between two limits, of which one may be missing: a ReLU or a ReLU6 where it is one."""
    if low == 0 and high in (None, 6):
        return builder.activate(name, source, "relu" if high is None else "relu6")
    limits = Limits(-np.inf if low is None else low, np.inf if high is None else high)
    return builder.activate(name, source, "clip", limits)
