"""Quantized layers as a network of ncnn's float engine: the integers are kept in float32.

An input becomes levels when it is scaled, clipped and rounded; its reader then has integer weights
times the scale of its sums. The layer that makes the input scales and clips its sums itself where
it can, which leaves one pass through memory, the rounding. Nothing is compiled from policy to
policy: a network only has to be loaded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from quant.graph import Floats, Graph, Layer, Node, Weights
from quant.ncnn.affine import HALVES_AWAY, Affine, behind, input_affine, transform
from quant.ncnn.attention import multiplied
from quant.ncnn.build import blob_names, insert_splits, ncnn_layers
from quant.ncnn.engine_graph import engine_graph
from quant.ncnn.format import NcnnLayer, Payload, Value
from quant.quantized import InputLevels, QuantizedLayer, QuantizedLayers

ROUND_TO_EVEN = 18
"""Operation of ncnn's UnaryOp."""


@dataclass(frozen=True)
class Fused:
    """What a layer does to its sums, and the blob that it makes."""

    blob: str
    affine: Affine


def simulated_layers(graph: Graph, layers: QuantizedLayers) -> list[NcnnLayer]:
    """ncnn layers that compute `layers` in float32, for an engine without 16-bit types.

    Names of layers and blobs are the graph's. NAME_levels is the quantized input of layer NAME, and
    NAME_clipped what is rounded to it: a layer that makes it has no other output.
    """
    graph = engine_graph(graph)
    blobs, fused = blob_names(graph), fused_inputs(graph, layers)
    found = [new for node in graph.nodes for new in simulated_node(node, blobs, layers, fused)]
    return insert_splits(found)


def fused_inputs(graph: Graph, layers: QuantizedLayers) -> dict[str, Fused]:
    """Layers that scale and clip their sums, by name: for which layer's input, and how.

    Nothing else reads these sums, and one clip does for the activation, too.
    """
    by_name = {node.name: node for node in graph.nodes}
    read = Counter(source for node in graph.nodes for source in node.inputs)
    found = {}
    for reader in graph.layers:
        maker = by_name[by_name[reader.name].inputs[0]]
        levels = layers[reader.name].input
        if levels is None or maker.layer is None or read[maker.name] > 1:
            continue
        if not (reader.is_product or maker.layer.is_product):
            affine = behind(maker.layer.activation, input_affine(reader, levels))
            if affine is not None:
                found[maker.name] = Fused(clipped_blob(reader), affine)
    return found


def simulated_node(
    node: Node, blobs: Mapping[str, str], layers: QuantizedLayers, fused: Mapping[str, Fused]
) -> Iterator[NcnnLayer]:
    """One node, behind the layers that quantize its input."""
    if node.layer is None:
        yield from ncnn_layers(node, blobs, None)
        return
    if node.layer.is_product:
        yield from simulated_product(node, blobs, layers[node.name])
        return
    quantized, source = layers[node.name], node.inputs[0]
    weights = Weights(float_weight(quantized), quantized.bias)
    if quantized.input is not None:
        if source not in fused:
            yield from clip_input(node.layer, blobs[source], quantized.input)
        yield round_input(node.layer)
        blobs = {**blobs, source: levels_blob(node.layer)}
    (layer,) = ncnn_layers(node, blobs, weights)
    yield fuse(layer, weights, fused[node.name]) if node.name in fused else layer


def simulated_product(
    node: Node, blobs: Mapping[str, str], made: QuantizedLayer
) -> Iterator[NcnnLayer]:
    """A product of two values, each on its levels if it has some."""
    inputs = list(node.inputs)
    for place, levels in enumerate((made.input, made.second)):
        if levels is not None:
            name = f"{node.name}_{place}"
            yield from on_levels(name, blobs[inputs[place]], levels)
            inputs[place], blobs = name, {**blobs, name: name}
    yield from ncnn_layers(replace(node, inputs=tuple(inputs)), blobs, None)


def on_levels(name: str, blob: str, levels: InputLevels) -> Iterator[NcnnLayer]:
    """Layers that round a blob to its levels; the last one gives `name`."""
    scaled, clipped, integers = (f"{name}_{word}" for word in ("scaled", "clip", "levels"))
    limits: dict[int, Value] = {0: float(levels.low), 1: float(levels.high)}
    yield multiplied(scaled, blob, levels.scale * HALVES_AWAY)
    yield NcnnLayer("Clip", clipped, (scaled,), (clipped,), limits)
    yield NcnnLayer("UnaryOp", integers, (clipped,), (integers,), {0: ROUND_TO_EVEN})
    yield multiplied(name, integers, 1 / levels.scale)


def levels_blob(layer: Layer) -> str:
    """Name of the blob that holds a layer's quantized input."""
    return f"{layer.name}_levels"


def clipped_blob(layer: Layer) -> str:
    """Name of the blob that is rounded to a layer's quantized input."""
    return f"{layer.name}_clipped"


def clip_input(layer: Layer, blob: str, levels: InputLevels) -> Iterator[NcnnLayer]:
    """Layers that scale and clip a blob; none computes in place what others may read.

    A depthwise convolution of single pixels does it in one pass, but not to a vector.
    """
    affine, c_in, done = input_affine(layer, levels), layer.c_in, clipped_blob(layer)
    factor, bias = affine.factor.astype(np.float32), affine.bias.astype(np.float32)
    if layer.op == "linear":
        scaled = f"{layer.name}_scaled"
        payload = Payload(factor, bias, tag=None)
        yield NcnnLayer("Scale", scaled, (blob,), (scaled,), {0: c_in, 1: 1}, payload)
        yield NcnnLayer("Clip", done, (scaled,), (done,), {0: affine.low, 1: affine.high})
        return
    params = {0: c_in, 1: 1, 11: 1, 5: 1, 6: c_in, 7: c_in, **affine.activation}
    yield NcnnLayer("ConvolutionDepthWise", done, (blob,), (done,), params, Payload(factor, bias))


def round_input(layer: Layer) -> NcnnLayer:
    """The last step to a layer's quantized input."""
    blob, done = clipped_blob(layer), levels_blob(layer)
    return NcnnLayer("UnaryOp", done, (blob,), (done,), {0: ROUND_TO_EVEN})


def fuse(layer: NcnnLayer, weights: Weights, fused: Fused) -> NcnnLayer:
    """A layer that scales and clips its sums."""
    made = transform(weights, fused.affine)
    return replace(
        layer,
        outputs=(fused.blob,),
        params={**layer.params, **fused.affine.activation},
        payload=Payload(made.weight.ravel(), made.bias),
    )


def float_weight(quantized: QuantizedLayer) -> Floats:
    """Weights that bring the sums of levels back to the layer's output."""
    scale = np.ones(len(quantized.bias))
    if quantized.weight_scale is not None:
        scale = scale * quantized.weight_scale
    if quantized.input is not None:
        scale = scale * quantized.input.scale
    rows = scale.reshape(-1, *[1] * (quantized.weight.ndim - 1))
    return (quantized.weight / rows).astype(np.float32)
