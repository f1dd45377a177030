"""Inputs of int8 layers behind a ReLU, moved so that all levels are used.

ncnn's levels are -127..127, and of these a ReLU leaves the lower half unused. So its clip and the
bias before it are lowered by half of the reader's range, and the reader's bias makes up for it:
steps are half as wide, with no operation more. Padding would have to be lowered, too, but of a
negative pad value ncnn makes another in most channels of int8 blobs on x86; readers with padding
are left alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from quant.graph import Floats
from quant.ncnn.format import NcnnLayer, Value
from quant.ncnn.plan import CONVOLUTIONS, readers
from quant.ncnn.weights import INT8_MAX

BIAS = 5
PADS = (4, 14, 15, 16)
ACTIVATION, LIMITS = 9, 10
RELU, CLIP = 1, 3
NO_LIMIT = 3.402823e38


def centred_inputs(layers: Sequence[NcnnLayer], bits: Mapping[str, int]) -> dict[str, str]:
    """Layer whose ReLU makes the centred input, by the name of the int8 layer that alone reads it.

    A layer of 16 bits is left alone: its small outputs would lose digits.
    """
    by_blob = readers(layers)
    return {
        reader.name: maker.name
        for maker in layers
        if maker.type in CONVOLUTIONS and bits.get(maker.name) != 16 and ends_in_relu(maker)
        for reader in only(by_blob.get(maker.outputs[0], []))
        if reader.type in CONVOLUTIONS and bits.get(reader.name) == 8
        if not any(reader.params.get(key, 0) for key in PADS)
    }


def only(found: Sequence[NcnnLayer]) -> Sequence[NcnnLayer]:
    """The one reader of a blob; none where there are several."""
    return found if len(found) == 1 else ()


def ends_in_relu(layer: NcnnLayer) -> bool:
    """Whether the outputs are clipped at zero."""
    kind, limits = layer.params.get(ACTIVATION, 0), layer.params.get(LIMITS)
    return kind == RELU or (kind == CLIP and isinstance(limits, tuple) and limits[0] == 0)


def centre(layers: Sequence[NcnnLayer], makers: Mapping[str, str]) -> list[NcnnLayer]:
    """The layers, int8 ones with their weights, with the inputs of `makers`' keys centred."""
    halves = {makers[layer.name]: half_range(layer) for layer in layers if layer.name in makers}
    raised = [raise_bias(layer) if layer.name in makers else layer for layer in layers]
    return [lower(layer, halves[layer.name]) if layer.name in halves else layer for layer in raised]


def half_range(layer: NcnnLayer) -> np.float32:
    """What stands for no level of a centred input: half of the range it had."""
    assert layer.payload is not None and layer.payload.int8 is not None
    return np.float32(INT8_MAX / np.float32(layer.payload.int8.input_scale))


def raise_bias(layer: NcnnLayer) -> NcnnLayer:
    """An int8 layer that reads all inputs lower by 127 levels."""
    assert layer.payload is not None and layer.payload.int8 is not None
    int8 = layer.payload.int8
    scales = np.repeat(int8.weight_scales, layer.c_out // len(int8.weight_scales))
    rows = int8.values.reshape(layer.c_out, -1).astype(np.float32)
    return add_to_bias(layer, part_of_half(rows, scales, half_range(layer)))


def part_of_half(rows: Floats, scales: Floats, half: np.float32) -> NDArray[np.float64]:
    """What weights, integers (c_out, ...) with a scale a row, make of inputs that are all half."""
    sums = rows.reshape(len(rows), -1).sum(1, dtype=np.float64)
    part: NDArray[np.float64] = float(half) * sums / scales
    return part


def lower(layer: NcnnLayer, half: np.float32) -> NcnnLayer:
    """A layer with its outputs and their clip lower by half of a range."""
    low, high = -float(half), NO_LIMIT
    limits = layer.params.get(LIMITS)
    if layer.params[ACTIVATION] == CLIP and isinstance(limits, tuple):
        high = float(limits[1]) - float(half)
    clip: dict[int, Value] = {ACTIVATION: CLIP, LIMITS: (low, high)}
    moved = replace(layer, params={**layer.params, **clip})
    return add_to_bias(moved, np.full(layer.c_out, low))


def add_to_bias(layer: NcnnLayer, change: NDArray[np.float64]) -> NcnnLayer:
    """The layer with its bias changed by (c_out,), or given one."""
    assert layer.payload is not None
    bias = np.zeros(layer.c_out) if layer.payload.bias is None else layer.payload.bias
    made = (bias + change).astype(np.float32)
    return replace(
        layer, params={**layer.params, BIAS: 1}, payload=replace(layer.payload, bias=made)
    )
