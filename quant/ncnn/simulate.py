"""Quantized layers as a network of ncnn's float engine: the integers are kept in float32.

An input becomes levels by three layers that ncnn computes in place (Scale, Clip, UnaryOp); its
reader then has integer weights times the scale of its sums. Nothing is compiled from policy to
policy: a network only has to be loaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from quant.graph import Floats, Graph, Layer, Node, Weights
from quant.ncnn.build import INPUT_BLOB, blob_names, insert_splits, ncnn_layer
from quant.ncnn.format import NcnnLayer, Payload, Value
from quant.quantized import InputLevels, QuantizedLayer, QuantizedLayers

ROUND_TO_EVEN = 18
"""Operation of ncnn's UnaryOp."""
HALVES_AWAY = 1 + 2**-22
"""A factor that brings exact halves beyond, so that they are not rounded to the even neighbour.

Nothing else is moved but what is as near to a half as float32 can tell.
"""


def simulated_layers(graph: Graph, layers: QuantizedLayers) -> list[NcnnLayer]:
    """ncnn layers that compute `layers` in float32, for an engine without 16-bit types.

    Names of layers and blobs are the graph's; NAME_levels is the quantized input of layer NAME.
    """
    blobs = blob_names(graph)
    found = [new for node in graph.nodes for new in simulated_node(node, blobs, layers)]
    return insert_splits(found)


def simulated_node(
    node: Node, blobs: Mapping[str, str], layers: QuantizedLayers
) -> Iterator[NcnnLayer]:
    """One node, behind the layers that quantize its input."""
    if node.layer is None:
        yield ncnn_layer(node, blobs, None)
        return
    quantized = layers[node.name]
    source = node.inputs[0]
    if quantized.input is not None:
        yield from quantize_input(node.layer, blobs[source], quantized.input)
        blobs = {**blobs, source: levels_blob(node.layer)}
    yield ncnn_layer(node, blobs, Weights(float_weight(quantized), quantized.bias))


def levels_blob(layer: Layer) -> str:
    """Name of the blob that holds a layer's quantized input."""
    return f"{layer.name}_levels"


def quantize_input(layer: Layer, blob: str, levels: InputLevels) -> Iterator[NcnnLayer]:
    """Layers from a blob to its levels.

    The image belongs to the caller: ncnn can compute nothing in place there, so a pool of single
    pixels copies it.
    """
    image, scaled, clipped = (f"{layer.name}_{step}" for step in ("image", "scaled", "clipped"))
    if blob == INPUT_BLOB:
        yield NcnnLayer("Pooling", image, (blob,), (image,), {0: 0, 1: 1, 2: 1})
        blob = image
    affine = Payload(*input_affine(layer, levels), tag=None)
    bounds: dict[int, Value] = {0: float(levels.low), 1: float(levels.high)}
    done = levels_blob(layer)
    yield NcnnLayer("Scale", scaled, (blob,), (scaled,), {0: layer.c_in, 1: 1}, affine)
    yield NcnnLayer("Clip", clipped, (scaled,), (clipped,), bounds)
    yield NcnnLayer("UnaryOp", done, (clipped,), (done,), {0: ROUND_TO_EVEN})


def input_affine(layer: Layer, levels: InputLevels) -> tuple[Floats, Floats]:
    """Factor and bias (c_in,) of each input channel: (x - offset) * scale / spread."""
    spread = np.ones(layer.c_in) if levels.spread is None else levels.spread.astype(np.float64)
    factor = levels.scale * HALVES_AWAY / spread
    offset = np.zeros(layer.c_in) if levels.offset is None else levels.offset
    return factor.astype(np.float32), (-offset * factor).astype(np.float32)


def float_weight(quantized: QuantizedLayer) -> Floats:
    """Weights that bring the sums of levels back to the layer's output."""
    scale = np.ones(len(quantized.bias))
    if quantized.weight_scale is not None:
        scale = scale * quantized.weight_scale
    if quantized.input is not None:
        scale = scale * quantized.input.scale
    rows = scale.reshape(-1, *[1] * (quantized.weight.ndim - 1))
    return (quantized.weight / rows).astype(np.float32)
