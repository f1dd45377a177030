"""What is checked before ncnn sees a network. Only what is read here is written for it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from device_agent.models.params import check_params
from device_agent.models.shapes import check_shapes
from device_agent.models.wiring import check_wiring, numbered
from quant.errors import FormatError, InputError
from quant.ncnn.format import NcnnLayer, load_bin, parse_param

MAX_PARAM_BYTES = 2**20
"""Size of a `.param`: a layer takes about 200 bytes."""
LEAST_RANGE, GREATEST_RANGE = 1e-30, 1e30
"""Beyond, the scale of an int8 input is no float32 number."""


def read_network(
    param: bytes, weights: bytes, ranges: Mapping[str, float], input_shape: tuple[int, int, int]
) -> list[NcnnLayer]:
    """Layers, with weights, of files that came from outside. Raises FormatError, InputError."""
    layers = read_structure(param, input_shape)
    check_ranges(layers, ranges)
    loaded = load_bin(layers, weights)
    for layer in loaded:
        check_weights(layer)
    return loaded


def read_structure(param: bytes, input_shape: tuple[int, int, int]) -> list[NcnnLayer]:
    """Layers of a text `.param` that fit each other and the input. Raises FormatError."""
    layers = parse_param(read_text(param))
    for layer in layers:
        check_params(layer)
    check_wiring(layers)
    check_shapes(layers, input_shape)
    return numbered(layers)


def read_text(param: bytes) -> str:
    """The text of a `.param`. Raises FormatError where it is too long or no text."""
    if len(param) > MAX_PARAM_BYTES:
        raise FormatError(f"the .param has {len(param)} bytes, {MAX_PARAM_BYTES} are the limit")
    try:
        text = param.decode()
    except UnicodeDecodeError:
        raise FormatError("the .param is not text") from None
    if "\0" in text:
        raise FormatError("the .param is not text: it has zero bytes")
    return text


def check_weights(layer: NcnnLayer) -> None:
    """Raise FormatError unless all weights and biases are finite, and none share a codebook."""
    if layer.payload is None:
        return
    if layer.payload.codebook is not None:
        raise FormatError(
            f"layer {layer.name} has a codebook of weights: register the network with float weights"
        )
    arrays = (layer.payload.weight, layer.payload.bias)
    if not all(np.isfinite(array).all() for array in arrays if array is not None):
        raise FormatError(f"layer {layer.name} has weights that are not finite")


def check_ranges(layers: Sequence[NcnnLayer], ranges: Mapping[str, float]) -> None:
    """Raise InputError for a range of an unknown layer, or one that no int8 scale can have."""
    unknown = sorted(set(ranges) - {layer.name for layer in layers if layer.is_weighted})
    if unknown:
        raise InputError(f"there is a range for {unknown[0][:200]}, but no such weighted layer")
    for name, threshold in ranges.items():
        if not LEAST_RANGE <= threshold <= GREATEST_RANGE:
            raise InputError(
                f"the range of {name} is {threshold}, "
                f"it must be from {LEAST_RANGE:g} to {GREATEST_RANGE:g}"
            )
