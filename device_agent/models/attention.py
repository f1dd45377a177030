"""Shapes of attention and of what is around it: axes moved, products, numbers of the file."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from device_agent.models.rearranged import Image, Shape
from quant.errors import FormatError
from quant.ncnn.attention import CHANNELS_FIRST, CHANNELS_LAST, TURNED
from quant.ncnn.format import NcnnLayer

ORDERS = {TURNED: (0, 2, 1), CHANNELS_LAST: (1, 2, 0), CHANNELS_FIRST: (2, 0, 1)}
"""Axes of (channels, height, width) in their new order, by the order of a Permute."""


def permuted_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of a Permute's output."""
    return tuple(shape[axis] for axis in ORDERS[layer.integer(0)])


def softened_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of a Softmax's output, over the rows of an image."""
    return shape


def normed_shape(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of a LayerNorm's output, whose numbers must go with the rows of its input."""
    (shape,) = inputs
    if layer.integer(0) != shape[-1]:
        raise FormatError(
            f"layer {layer.name} norms rows of {layer.integer(0)}, but reads rows of {shape[-1]}"
        )
    return shape


def product_shape(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of a MatMul's output: of images (heads, M, K) and (heads, K, N), or turned (N, K)."""
    first, second = inputs
    if len(first) == len(second) == 3 and first[0] == second[0]:
        rows, columns = second[1:][::-1] if layer.integer(0) else second[1:]
        if first[2] == rows:
            return (first[0], first[1], columns)
    raise FormatError(f"layer {layer.name} multiplies shapes {first} and {second}")


def product_operations(inputs: Sequence[Shape], output: Shape) -> int:
    """Multiply-accumulates of a MatMul."""
    return prod(output) * inputs[0][2]


def memory_shape(layer: NcnnLayer) -> Shape:
    """Shape of a MemoryData's numbers."""
    return (layer.integer(2), layer.integer(1), layer.integer(0))
