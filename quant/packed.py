"""A network of shared weights in its smallest file: indexes packed at their bits, in safetensors.

A layer is `NAME.indexes` (uint8: the bits of all indexes one after another, the lowest first),
`NAME.centroids` and `NAME.bias` (float32); or `NAME.weight` and `NAME.bias` where its weights are
float. The header holds the shapes of the weights, as JSON under `shapes`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from quant.errors import FormatError
from quant.graph import Floats
from quant.policy import SHARED_BITS
from quant.shared import Clusters, Indexes, SharedLayer, SharedLayers

SHAPES = "shapes"
Arrays = Mapping[str, NDArray[Any]]


def pack(indexes: Indexes, bits: int) -> NDArray[np.uint8]:
    """Indexes below 2^bits, of any shape, as bytes; the last one is filled up with zeros."""
    digits = np.unpackbits(indexes.reshape(-1, 1), axis=1, count=bits, bitorder="little")
    return np.packbits(digits, bitorder="little")


def unpack(packed: NDArray[np.uint8], bits: int, count: int) -> Indexes:
    """The flat indexes of `pack`. Raises FormatError unless they fill the bytes exactly."""
    if len(packed) != packed_bytes(count, bits):
        raise FormatError(f"{count} indexes of {bits} bits do not fill {len(packed)} bytes")
    digits = np.unpackbits(packed, count=count * bits, bitorder="little").reshape(count, bits)
    return np.packbits(digits, axis=1, bitorder="little").ravel()


def packed_bytes(count: int, bits: int) -> int:
    """Bytes of `count` packed indexes."""
    return -(-count * bits // 8)


def dump_packed(layers: SharedLayers) -> bytes:
    """Bytes of the file."""
    tensors: dict[str, NDArray[Any]] = {}
    for name, layer in layers.items():
        tensors |= {f"{name}.{part}": array for part, array in arrays(layer).items()}
    shapes = {name: list(layer.floats.weight.shape) for name, layer in layers.items()}
    data: bytes = save(tensors, {SHAPES: json.dumps(shapes)})
    return data


def arrays(layer: SharedLayer) -> Arrays:
    """What is stored of one layer."""
    weight = layer.weight
    if isinstance(weight, Clusters):
        packed = pack(weight.indexes, weight.bits)
        return {"indexes": packed, "centroids": weight.centroids, "bias": layer.bias}
    return {"weight": np.ascontiguousarray(weight), "bias": layer.bias}


def load_packed(data: bytes) -> SharedLayers:
    """Inverse of `dump_packed`. Raises FormatError for anything else."""
    try:
        tensors, shapes = load(data), read_shapes(data)
    except (SafetensorError, AttributeError, KeyError, TypeError, ValueError):
        raise FormatError("this is no file of shared weights") from None
    return {name: read_layer(name, shape, tensors) for name, shape in shapes.items()}


def read_shapes(data: bytes) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights by layer name. Raises what Python raises for other headers."""
    header = json.loads(data[8 : header_bytes(data)])
    shapes = json.loads(header["__metadata__"][SHAPES])
    return {str(name): tuple(int(side) for side in shape) for name, shape in shapes.items()}


def header_bytes(data: bytes) -> int:
    """Bytes before the tensors, which is all that a file has beyond them."""
    return 8 + int.from_bytes(data[:8], "little")


def read_layer(name: str, shape: tuple[int, ...], tensors: Arrays) -> SharedLayer:
    """One layer. Raises FormatError where something is missing or does not fit."""
    bias = floats(f"{name}.bias", tensors)
    if f"{name}.weight" in tensors:
        weight = floats(f"{name}.weight", tensors)
        if weight.shape != shape:
            raise FormatError(f"{name}.weight has shape {weight.shape}, not {shape}")
        return SharedLayer(weight, bias)
    centroids = floats(f"{name}.centroids", tensors)
    bits = len(centroids).bit_length() - 1
    packed = tensors.get(f"{name}.indexes")
    if packed is None or packed.dtype != np.uint8 or packed.ndim != 1:
        raise FormatError(f"{name}.indexes is missing or not uint8")
    if bits not in SHARED_BITS or centroids.shape != (2**bits,):
        raise FormatError(f"{name}.centroids are not 2, 4, 8, ... or 256 numbers")
    return SharedLayer(Clusters(unpack(packed, bits, prod(shape)).reshape(shape), centroids), bias)


def floats(name: str, tensors: Arrays) -> Floats:
    """A float32 array. Raises FormatError where it is missing or something else."""
    array = tensors.get(name)
    if array is None or array.dtype != np.float32 or array.ndim == 0:
        raise FormatError(f"{name} is missing or not float32")
    return array
