"""Attention, and what is around it, as ncnn layers; one of our nodes takes several.

Tokens are images of one row there, too, so a linear layer of each is a convolution. Heads are
images (heads, C / heads, T). ncnn's MatMul computes in float32 whatever it is asked for, hence so
do the products; it has their name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

from quant.details import Epsilon, Factor
from quant.graph import Layer, Op
from quant.ncnn.format import NcnnLayer, Payload, Value
from quant.ncnn.writing import Writing

MULTIPLY = 2
"""Operation of a BinaryOp."""
WIDTH = 2
"""Axis of an image's pixels in a row."""
CHANNELS_LAST, CHANNELS_FIRST, TURNED = 3, 4, 1
"""Orders of a Permute: (C, H, W) to (H, W, C) and back, and an image's last axes swapped."""


def product(writing: Writing) -> list[NcnnLayer]:
    """Scores or a context."""
    assert writing.node.layer is not None
    return (scores if writing.node.op == "scores" else context)(writing, writing.node.layer)


def scores(writing: Writing, layer: Layer) -> list[NcnnLayer]:
    """Queries, turned, times keys."""
    (queries, keys), heads = writing.inputs, layer.groups
    depth = layer.c_in // heads
    first = writing.layer("Reshape", "queries", (queries,), shape(heads, depth, layer.in_size[1]))
    turned = writing.layer("Permute", "turned", first.outputs, {0: TURNED})
    second = writing.layer("Reshape", "keys", (keys,), shape(heads, depth, layer.out_size[1]))
    done = writing.last("MatMul", (*turned.outputs, *second.outputs), {})
    return [first, turned, second, done]


def context(writing: Writing, layer: Layer) -> list[NcnnLayer]:
    """Values times scores, turned."""
    (chances, values), heads = writing.inputs, layer.groups
    tokens, read = layer.in_size
    second = writing.layer("Reshape", "values", (values,), shape(heads, layer.c_out // heads, read))
    heads_blob = f"{layer.name}_heads"
    found = NcnnLayer("MatMul", layer.name, (*second.outputs, chances), (heads_blob,), {0: 1})
    params = shape(layer.c_out, 1, tokens)
    joined = NcnnLayer("Reshape", f"{layer.name}_joined", (heads_blob,), (writing.output,), params)
    return [second, found, joined]


def shape(channels: int, height: int, width: int) -> dict[int, Value]:
    """Parameters of a Reshape or a MemoryData that gives an image."""
    return {0: width, 1: height, 2: channels}


def softmax(writing: Writing) -> list[NcnnLayer]:
    """Over the last axis, of a multiple of the input."""
    assert isinstance(writing.node.detail, Factor)
    name = f"{writing.node.name}_scaled"
    scaled = multiplied(name, writing.inputs[0], writing.node.detail.value)
    return [scaled, writing.last("Softmax", scaled.outputs, {0: WIDTH, 1: 1})]


def multiplied(name: str, blob: str, factor: float) -> NcnnLayer:
    """A layer that gives `name`, a blob times a number."""
    return NcnnLayer("BinaryOp", name, (blob,), (name,), {0: MULTIPLY, 1: 1, 2: float(factor)})


def layer_norm(writing: Writing) -> list[NcnnLayer]:
    """ncnn normalises rows, so channels are brought there and back; those of one pixel are one."""
    node, constants = writing.node, writing.node.constants
    assert isinstance(node.detail, Epsilon) and constants is not None
    payload = Payload(constants.weight, constants.bias, tag=None)
    params: dict[int, Value] = {0: len(constants.weight), 1: float(node.detail.value), 2: 1}
    if prod(node.shape[1:]) == 1:
        row = writing.layer("Reshape", "row", writing.inputs, {0: -1})
        return [row, writing.last("LayerNorm", row.outputs, params, payload)]
    first = writing.layer("Permute", "rows", writing.inputs, {0: CHANNELS_LAST})
    normed = writing.layer("LayerNorm", "normed", first.outputs, params, payload)
    return [first, normed, writing.last("Permute", normed.outputs, {0: CHANNELS_FIRST})]


def prepend(writing: Writing) -> list[NcnnLayer]:
    """Tokens of the file before those of the image."""
    numbers = memory(writing, "first")
    inputs = (*numbers.outputs, *writing.inputs)
    return [numbers, writing.last("Concat", inputs, {0: WIDTH})]


def shift(writing: Writing) -> list[NcnnLayer]:
    """Numbers of the file added."""
    numbers = memory(writing, "numbers")
    return [numbers, writing.last("BinaryOp", (*writing.inputs, *numbers.outputs), {0: 0})]


def memory(writing: Writing, suffix: str) -> NcnnLayer:
    """The constants of a node as a blob: (C, height, width), or tokens (C, count)."""
    assert writing.node.constants is not None
    weight = writing.node.constants.weight
    sides = (weight.shape[0], 1, weight.shape[-1]) if weight.ndim == 2 else weight.shape
    payload = Payload(weight.ravel(), None, tag=None)
    return writing.layer("MemoryData", suffix, (), shape(*sides), payload)


SEVERAL: Mapping[Op, Callable[[Writing], list[NcnnLayer]]] = {
    **{"scores": product, "context": product},
    **{"softmax": softmax, "layer_norm": layer_norm, "prepend": prepend, "shift": shift},
}
