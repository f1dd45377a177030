"""Shapes of what is only joined, cut, dealt out, resized or scaled, without weights to fit."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from quant.errors import FormatError
from quant.ncnn.format import NcnnLayer

MIRRORED = 2
"""Kind of a Padding."""
Image = tuple[int, int, int]
Shape = tuple[int, ...]
"""(channels, height, width), or (length,) of a vector."""


def joined_shape(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of a BinaryOp's output, that of its first input.

    The second one has the same shape, or a number a channel, a pixel, a row or a column of an
    image, or is a number.
    """
    if layer.integer(1):
        return inputs[0]
    first, second = inputs
    if second != first and second not in numbers_of(first):
        raise FormatError(f"layer {layer.name} joins shapes {first} and {second}")
    return first


def numbers_of(shape: Shape) -> tuple[Shape, ...]:
    """Shapes that have a number a channel, a pixel, a column or a row of an image."""
    if len(shape) != 3:
        return ()
    channels, height, width = shape
    return (channels, 1, 1), (1, height, width), (channels, 1, width), (channels, height, 1)


def concat_shape(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of a Concat's output: channels, rows, or the pixels of rows, behind one another."""
    axis = layer.integer(0)
    others = {(*shape[:axis], *shape[axis + 1 :]) for shape in inputs}
    if len(others) != 1 or len(inputs[0]) <= axis:
        raise FormatError(f"layer {layer.name} joins shapes {', '.join(map(str, inputs))}")
    joined = sum(shape[axis] for shape in inputs)
    return (*inputs[0][:axis], joined, *inputs[0][axis + 1 :])


def crop_shape(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of a Crop's output: a range of channels, of rows, or of their pixels, and not all."""
    shape, axis = inputs[0], only_number(layer, 11)
    start, end = only_number(layer, 9), only_number(layer, 10)
    if axis >= len(shape):
        raise FormatError(f"layer {layer.name} cuts axis {axis} of {len(shape)}")
    if not start < end <= shape[axis] or end - start == shape[axis]:
        what = ("channels", "rows", "pixels")[axis]
        raise FormatError(
            f"layer {layer.name}: {what} {start} to {end} are no part of {shape[axis]} {what}"
        )
    return (*shape[:axis], end - start, *shape[axis + 1 :])


def only_number(layer: NcnnLayer, key: int) -> int:
    """The one number of an array."""
    value = layer.params[key]
    assert isinstance(value, tuple) and isinstance(value[0], int)
    return value[0]


def reshaped(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of a Reshape's output: a vector, or an image of as many numbers."""
    shape, sizes = inputs[0], {key: layer.integer(key) for key in layer.params}
    if sizes == {0: -1}:
        return (prod(shape),)
    if set(sizes) == {0, 1, 2} and sizes[0] > 0 and prod(sizes.values()) == prod(shape):
        return (sizes[2], sizes[1], sizes[0])
    raise FormatError(
        f"layer {layer.name}: a Reshape gives a vector (0=-1), or an image of {prod(shape)} numbers"
        " (0=width 1=height 2=channels)"
    )


def scaled_shape(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of a Scale's or a PReLU's output, which has a number for each channel."""
    if layer.integer(0) != inputs[0][0]:
        raise FormatError(
            f"layer {layer.name} scales {layer.integer(0)} channels, but reads {inputs[0][0]}"
        )
    return inputs[0]


def grouped_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of a GroupNorm's output, which has a number for each channel."""
    groups, channels = layer.integer(0), layer.integer(1)
    if channels != shape[0] or channels % groups:
        raise FormatError(
            f"layer {layer.name} norms {channels} channels in {groups} groups, but reads {shape[0]}"
        )
    return shape


def reduced_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of a Reduction's output: one channel."""
    return (1, *shape[1:])


def local_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of an LRN's output, whose sums have a channel in their middle."""
    if layer.integer(1) % 2 == 0:
        raise FormatError(f"layer {layer.name} sums {layer.integer(1)} channels, an even number")
    return shape


def squared_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of a PixelShuffle's output."""
    side = layer.integer(0)
    if shape[0] % (side * side):
        raise FormatError(
            f"layer {layer.name}: {shape[0]} channels make no squares of {side} pixels a side"
        )
    return (shape[0] // (side * side), shape[1] * side, shape[2] * side)


def gathered_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of a Reorg's output, which makes channels of squares of pixels."""
    side = layer.integer(0)
    if shape[1] % side or shape[2] % side:
        raise FormatError(
            f"layer {layer.name}: {shape[1]}x{shape[2]} pixels are no squares of {side} a side"
        )
    return (shape[0] * side * side, shape[1] // side, shape[2] // side)


def padded_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of a Padding's output; pixels are mirrored in the outermost ones, so these stay."""
    top, bottom, left, right = (layer.integer(key) for key in (0, 1, 2, 3))
    if layer.integer(4) == MIRRORED and (
        max(top, bottom) >= shape[1] or max(left, right) >= shape[2]
    ):
        raise FormatError(f"layer {layer.name} mirrors more pixels than {shape[1]}x{shape[2]} have")
    return (shape[0], shape[1] + top + bottom, shape[2] + left + right)


def shuffled_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of a ShuffleChannel's output."""
    if shape[0] % layer.integer(0):
        raise FormatError(
            f"layer {layer.name}: {layer.integer(0)} groups do not divide {shape[0]} channels"
        )
    return shape


def resized_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of an Interp's output, by a size or by whole factors."""
    if {3, 4} & layer.params.keys():
        return (shape[0], *given(layer, 3, 4))
    factors = [float(str(factor)) for factor in given(layer, 1, 2)]
    if not all(factor.is_integer() for factor in factors):
        raise FormatError(f"layer {layer.name}: an Interp enlarges by whole factors only")
    return (shape[0], shape[1] * int(factors[0]), shape[2] * int(factors[1]))


def given(layer: NcnnLayer, *keys: int) -> tuple[Any, ...]:
    """Parameters that are only there together. Raises FormatError where one is missing."""
    missing = [str(key) for key in keys if key not in layer.params]
    if missing:
        raise FormatError(f"layer {layer.name}: {layer.type} needs parameter {missing[0]}")
    return tuple(layer.params[key] for key in keys)
