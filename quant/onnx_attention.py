"""Attention, and what is around it, as ONNX nodes. Tokens are images of one row (N, C, 1, T)."""

from __future__ import annotations

import numpy as np

from quant.details import Epsilon, Factor
from quant.graph import Layer, Node, Weights
from quant.onnx_nodes import OnnxNodes

CHANNELS_LAST, CHANNELS_FIRST = [0, 2, 3, 1], [0, 3, 1, 2]
TURNED = [0, 1, 3, 2]
"""Orders of axes: channels to the end and back, and the last axes of heads swapped."""


def write_product(onnx: OnnxNodes, layer: Layer, one: str, other: str) -> str:
    """Append scores or a context; the tensor that holds its value."""
    if layer.op == "scores":
        heads = write_heads(onnx, layer, one, "queries")
        turned = onnx.node("Transpose", [heads], f"{layer.name}.turned", perm=TURNED)
        keys = write_heads(onnx, layer, other, "keys")
        return onnx.node("MatMul", [turned, keys], layer.name)
    turned = onnx.node("Transpose", [one], f"{layer.name}.turned", perm=TURNED)
    values = write_heads(onnx, layer, other, "values")
    found = onnx.node("MatMul", [values, turned], f"{layer.name}.heads")
    joined = onnx.integers(f"{layer.name}.joined", 0, layer.c_out, 1, layer.in_size[0])
    return onnx.node("Reshape", [found, joined], layer.name)


def write_heads(onnx: OnnxNodes, layer: Layer, x: str, what: str) -> str:
    """Append what parts channels among heads: (N, heads, C / heads, T)."""
    channels = layer.c_in if layer.op == "scores" else layer.c_out
    name = f"{layer.name}.{what}"
    shape = onnx.integers(f"{name}.shape", 0, layer.groups, channels // layer.groups, -1)
    return onnx.node("Reshape", [x, shape], name)


def write_softmax(onnx: OnnxNodes, node: Node, x: str, factor: Factor) -> str:
    """Append a softmax over the last axis, of a multiple of x."""
    number = onnx.constant(f"{node.name}.factor", np.array(factor.value, np.float32))
    scaled = onnx.node("Mul", [x, number], f"{node.name}.scaled")
    return onnx.node("Softmax", [scaled], node.name, axis=-1)


def write_gelu(onnx: OnnxNodes, name: str, x: str) -> str:
    """Append x (1 + erf(x / sqrt(2))) / 2 (Hendrycks and Gimpel 2016)."""
    root, one, half = (
        onnx.constant(f"{name}.{word}", np.array(value, np.float32))
        for word, value in (("root", 0.5**0.5), ("one", 1.0), ("half", 0.5))
    )
    scaled = onnx.node("Mul", [x, root], f"{name}.scaled")
    share = onnx.node("Add", [onnx.node("Erf", [scaled], f"{name}.erf"), one], f"{name}.share")
    return onnx.node("Mul", [onnx.node("Mul", [x, share], f"{name}.twice"), half], name)


def write_layer_norm(onnx: OnnxNodes, node: Node, x: str, epsilon: Epsilon) -> str:
    """Append a norm over the channels, which are brought to the end for it."""
    name, constants = node.name, node.constants
    assert constants is not None
    weight = onnx.constant(f"{name}.weight", constants.weight)
    bias = onnx.constant(f"{name}.bias", constants.bias)
    settings = {"axis": -1, "epsilon": epsilon.value}
    if len(node.shape) == 1:
        return onnx.node("LayerNormalization", [x, weight, bias], name, **settings)
    last = onnx.node("Transpose", [x], f"{name}.last", perm=CHANNELS_LAST)
    inputs = [last, weight, bias]
    normed = onnx.node("LayerNormalization", inputs, f"{name}.normed", **settings)
    return onnx.node("Transpose", [normed], name, perm=CHANNELS_FIRST)


def write_prepend(onnx: OnnxNodes, node: Node, x: str, weights: Weights) -> str:
    """Append tokens that are the same for all images; they are repeated as x has images."""
    name, channels, count = node.name, *weights.weight.shape
    tokens = onnx.constant(f"{name}.first", weights.weight.reshape(1, channels, 1, count))
    size = onnx.node("Shape", [x], f"{name}.images", start=0, end=1)
    ones = onnx.integers(f"{name}.ones", 1, 1, 1)
    shape = onnx.node("Concat", [size, ones], f"{name}.shape", axis=0)
    repeated = onnx.node("Expand", [tokens, shape], f"{name}.repeated")
    return onnx.node("Concat", [repeated, x], name, axis=3)


def write_shift(onnx: OnnxNodes, node: Node, x: str, weights: Weights) -> str:
    """Append numbers that are added."""
    numbers = onnx.constant(f"{node.name}.numbers", weights.weight[None])
    return onnx.node("Add", [x, numbers], node.name)
