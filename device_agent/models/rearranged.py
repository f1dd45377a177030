"""Shapes of what is only joined, cut, dealt out, enlarged or scaled, without weights to fit."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from quant.errors import FormatError
from quant.ncnn.format import NcnnLayer

Image = tuple[int, int, int]
Shape = tuple[int, ...]
"""(channels, height, width), or (length,) of a vector."""


def joined_shape(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of a BinaryOp's output: of equal inputs, or of an image and a number a channel."""
    first, second = inputs
    if second != first and (len(first) != 3 or second != (first[0], 1, 1)):
        raise FormatError(f"layer {layer.name} joins shapes {first} and {second}")
    return first


def concat_shape(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of a Concat's output: channels behind one another."""
    if len({shape[1:] for shape in inputs}) != 1:
        raise FormatError(f"layer {layer.name} joins shapes {', '.join(map(str, inputs))}")
    return (sum(shape[0] for shape in inputs), *inputs[0][1:])


def crop_shape(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of a Crop's output: channels from a start up to an end, and not all of them."""
    channels, *size = inputs[0]
    start, end = only_number(layer, 9), only_number(layer, 10)
    if not start < end <= channels or end - start == channels:
        raise FormatError(
            f"layer {layer.name}: channels {start} to {end} are no part of {channels} channels"
        )
    return (end - start, *size)


def only_number(layer: NcnnLayer, key: int) -> int:
    """The one number of an array."""
    value = layer.params[key]
    assert isinstance(value, tuple) and isinstance(value[0], int)
    return value[0]


def reshaped(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of a Reshape's output: a vector, or an image of one pixel of a vector."""
    shape, sizes = inputs[0], {key: layer.integer(key) for key in layer.params}
    if sizes == {0: -1}:
        return (prod(shape),)
    if len(shape) == 1 and sizes == {0: 1, 1: 1, 2: shape[0]}:
        return (shape[0], 1, 1)
    raise FormatError(
        f"layer {layer.name}: a Reshape gives a vector (0=-1), or of a vector of {shape[0]} an "
        f"image of one pixel (0=1 1=1 2={shape[0]})"
    )


def scaled_shape(layer: NcnnLayer, inputs: Sequence[Shape]) -> Shape:
    """Shape of a Scale's output, which has a number for each channel."""
    if layer.integer(0) != inputs[0][0]:
        raise FormatError(
            f"layer {layer.name} scales {layer.integer(0)} channels, but reads {inputs[0][0]}"
        )
    return inputs[0]


def shuffled_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of a ShuffleChannel's output."""
    if shape[0] % layer.integer(0):
        raise FormatError(
            f"layer {layer.name}: {layer.integer(0)} groups do not divide {shape[0]} channels"
        )
    return shape


def enlarged_shape(layer: NcnnLayer, shape: Image) -> Shape:
    """Shape of an Interp's output."""
    factors = [float(str(layer.params[key])) for key in (1, 2)]
    if not all(factor.is_integer() for factor in factors):
        raise FormatError(f"layer {layer.name}: an Interp enlarges by whole factors only")
    return (shape[0], shape[1] * int(factors[0]), shape[2] * int(factors[1]))
