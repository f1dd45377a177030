"""Pixels cut, joined and moved, for all readers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from quant.details import Pool, Rows, Side, Tokens
from quant.errors import ModelError
from quant.graph import Node
from quant.trace.builder import Builder
from quant.trace.numbered import pixel_shuffle, pixel_unshuffle
from quant.trace.seen import Seen, settled, whole

CHANNELS, ROWS, COLUMNS = 1, 2, 3
"""Axes of images, the batch being axis 0."""
ONE_PIXEL = (1, 1)


def cut(builder: Builder, name: str, source: str, axis: int, part: slice) -> str:
    """A range of channels, or of rows or columns, of these perhaps in steps. Raises ModelError."""
    shape = builder.shape(name, source)
    if not CHANNELS <= axis <= len(shape):
        raise ModelError(f"operation '{name}' takes a part of other than an image or a vector")
    start, stop, step = part.indices(shape[axis - 1])
    if step < 1 or stop <= start:
        raise ModelError(f"operation '{name}' takes nothing, or from the end to the start")
    if axis != CHANNELS:
        taken = take(builder, name if step == 1 else f"{name}_range", source, axis, start, stop)
        return every(builder, name, taken, axis, step)
    if step != 1:
        raise ModelError(f"operation '{name}': channels are not taken in steps of {step}")
    return builder.slice(name, source, start, stop)


def take(builder: Builder, name: str, source: str, axis: int, start: int, stop: int) -> str:
    """Rows or columns `start` up to `stop`."""
    shape = list(builder.image_shape(name, source))
    if (start, stop) == (0, shape[axis - 1]):
        return source
    shape[axis - 1] = stop - start
    part = Rows(start, stop) if axis == ROWS else Tokens(start, stop)
    return builder.append(Node(name, "take", (source,), tuple(shape), detail=part))


def every(builder: Builder, name: str, source: str, axis: int, step: int) -> str:
    """Every row or column that is a multiple of `step`: a pool of one pixel."""
    if step == 1:
        return source
    shape, stride = list(builder.image_shape(name, source)), [1, 1]
    before = builder.node(source)
    if is_sampling(before) and before.detail.stride[axis - ROWS] == 1:  # type: ignore[union-attr]
        stride, source = list(before.detail.stride), before.inputs[0]  # type: ignore[union-attr]
    shape[axis - 1] = -(-shape[axis - 1] // step)
    stride[axis - ROWS] = step
    pool = Pool(ONE_PIXEL, (stride[0], stride[1]), (0, 0, 0, 0))
    return builder.max_pool(name, source, tuple(shape), pool)


def is_sampling(node: Node) -> bool:
    """Whether a node takes pixels of an image in steps."""
    pool = node.detail
    return isinstance(pool, Pool) and pool.kernel == ONE_PIXEL and not any(pool.pads)


def split(
    builder: Builder, name: str, source: str, axis: int, sizes: Sequence[int]
) -> tuple[str, ...]:
    """Ranges of an axis, one behind the other. Raises ModelError."""
    ends = np.cumsum([0, *sizes]).tolist()
    parts = (slice(start, stop) for start, stop in itertools.pairwise(ends))
    return tuple(cut(builder, f"{name}_{i}", source, axis, p) for i, p in enumerate(parts))


def concat(builder: Builder, name: str, sources: Sequence[str], axis: int) -> str:
    """Values joined along the channels, or images along rows or columns. Raises ModelError."""
    if axis == CHANNELS:
        return builder.concat(name, sources)
    shapes = [list(builder.image_shape(name, source)) for source in sources]
    sides = [shape.pop(axis - 1) for shape in shapes]
    if any(shape != shapes[0] for shape in shapes):
        raise ModelError(f"operation '{name}' joins values of several sizes")
    if len(sources) == 1:
        return sources[0]
    joined = (*shapes[0][: axis - 1], sum(sides), *shapes[0][axis - 1 :])
    detail = Side(1 if axis == ROWS else 2)
    return builder.append(Node(name, "concat", tuple(sources), joined, detail=detail))


def settle(builder: Builder, name: str, value: Any) -> Any:
    """A value as the node that it is, or as one that moves pixels; all else as it is."""
    found = settled(value)
    if not isinstance(found, Seen) or found.places.ndim != COLUMNS + 1:
        return found
    return pixel(builder, name, found) or squares(builder, name, found) or found


def pixel(builder: Builder, name: str, value: Seen) -> str | None:
    """A row of numbers as an image of one pixel."""
    shape = value.places.shape[1:]
    if shape[1:] != ONE_PIXEL or not flat_in_order(value):
        return None
    return builder.append(Node(name, "reshape", (value.source,), shape))


def flat_in_order(value: Seen) -> bool:
    """Whether a value has all numbers of its node in their order, whatever their shape."""
    places = whole(value.source, value.shape).places
    return np.array_equal(value.places.ravel(), places.ravel())


def squares(builder: Builder, name: str, value: Seen) -> str | None:
    """Channels made of squares of pixels, or these made of channels, by the places of numbers.

    Channels of one square are those of one channel (torch), or of one place in it (ONNX, and
    YOLOv2's reorganisation, Redmon and Farhadi 2017).
    """
    if len(value.shape) != COLUMNS:
        return None
    places, (channels, height, width) = whole(value.source, value.shape).places, value.shape
    count, _, rows, columns = value.places.shape
    side, more = height // rows, rows // height
    if side > 1 and (rows * side, columns * side) == (height, width):
        parts = places.reshape(count, channels, rows, side, columns, side)
        if same(value, parts.transpose(0, 1, 3, 5, 2, 4)):
            return pixel_unshuffle(builder, name, value.source, side)
        if same(value, parts.transpose(0, 3, 5, 1, 2, 4)):
            made = pixel_unshuffle(builder, f"{name}_squares", value.source, side)
            return builder.shuffle(name, made, channels)
    if more > 1 and (height * more, width * more) == (rows, columns):
        parts = places.reshape(count, -1, more, more, height, width)
        if same(value, parts.transpose(0, 1, 4, 2, 5, 3)):
            return pixel_shuffle(builder, name, value.source, more)
    return None


def same(value: Seen, places: Any) -> bool:
    """Whether a value's numbers lie at these places."""
    return places.size == value.places.size and np.array_equal(places.ravel(), value.places.ravel())
