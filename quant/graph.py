"""A folded network as plain data: nodes in topological order, and their weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from quant.details import Detail

Op = Literal[
    "input",
    "conv",
    "linear",
    "scores",
    "context",
    "deconv",
    "scale",
    "add",
    "mul",
    "div",
    "maximum",
    "minimum",
    "channel_mean",
    "channel_max",
    "channel_norm",
    "concat",
    "slice",
    "take",
    "prepend",
    "shift",
    "shuffle",
    "reshape",
    "global_avg_pool",
    "avg_pool",
    "adaptive_avg_pool",
    "max_pool",
    "resize",
    "pixel_shuffle",
    "pixel_unshuffle",
    "pad",
    "relu",
    "relu6",
    "leaky_relu",
    "sigmoid",
    "hardsigmoid",
    "hardswish",
    "silu",
    "gelu",
    "mish",
    "softplus",
    "tanh",
    "elu",
    "selu",
    "celu",
    "softsign",
    "log_sigmoid",
    "abs",
    "sqrt",
    "reciprocal",
    "power",
    "prelu",
    "clip",
    "softmax",
    "layer_norm",
    "group_norm",
    "local_response_norm",
]
Activation = Literal["none", "relu", "relu6"]
Floats = NDArray[np.float32]
PRODUCTS = ("scores", "context")
"""Layers without weights, which multiply two values."""
FLOAT_OPERATIONS: tuple[Op, ...] = ("gelu", "softmax")
"""What is not quantized though it has no weights, and costs more than a clip."""


@dataclass(frozen=True)
class Layer:
    """Geometry of a quantizable layer; a linear layer has kernel 1, stride 1, size 1x1.

    `in_size` and `out_size` are (height, width) in pixels; `pads` is (left, right, top, bottom).

    The two products of attention (Vaswani et al. 2017, section 3.2) have no weights: `scores` of
    queries with keys, (C, 1, T) and (C, 1, S) -> (heads, T, S), and the `context` of scores with
    values, (heads, T, S) and (C, 1, S) -> (C, 1, T). Heads are `groups`. The first value has the
    activation's bits, the second one the weights'.
    """

    name: str
    op: Literal["conv", "linear", "scores", "context"]
    c_in: int
    c_out: int
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pads: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilation: tuple[int, int] = (1, 1)
    groups: int = 1
    in_size: tuple[int, int] = (1, 1)
    out_size: tuple[int, int] = (1, 1)
    activation: Activation = "none"

    @property
    def is_depthwise(self) -> bool:
        """Whether each input channel is convolved alone."""
        return self.op == "conv" and self.groups > 1 and self.groups == self.c_in

    @property
    def is_product(self) -> bool:
        """Whether it multiplies two values, and so has no weights."""
        return self.op in PRODUCTS

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """(out, in / groups, kernel height, kernel width), or (out, in) of a linear layer."""
        if self.is_product:
            return (0,)
        if self.op == "linear":
            return (self.c_out, self.c_in)
        return (self.c_out, self.c_in // self.groups, *self.kernel)

    @property
    def weight_count(self) -> int:
        """Weights without bias."""
        return prod(self.weight_shape)

    @property
    def factor_count(self) -> int:
        """What inputs are multiplied with: the weights, or the numbers of a second value."""
        if self.op == "scores":
            return self.c_in * self.out_size[1]
        return self.c_out * self.in_size[1] if self.op == "context" else self.weight_count

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations for one image."""
        pixels = self.in_size[0] if self.op == "context" else self.out_size[0]
        return self.factor_count * (pixels if self.is_product else prod(self.out_size))

    @property
    def scale_count(self) -> int:
        """Weight scales that ncnn keeps: one a group where grouped, else one an output channel."""
        if self.is_product:
            return 0
        return self.groups if self.groups > 1 else self.c_out


@dataclass(frozen=True)
class Weights:
    """float32 weights of a layer, in torch's order (`Layer.weight_shape`), and bias (c_out,).

    Those of a transposed convolution are (c_in, c_out / groups, height, width), of a scale, a layer
    norm or a group norm (C,). Slopes of a PReLU (C,), tokens to `prepend` (C, count) and numbers to
    `shift` by, (C, height, width), have an empty bias.
    """

    weight: Floats
    bias: Floats


@dataclass(frozen=True)
class Node:
    """An operation; `shape` is that of its output for one image, `inputs` are node names.

    Tokens are images of one row: (C, 1, T), and a linear layer of each is a 1x1 convolution.

    Layers are described by `layer`, all other operations that need it by `detail`. The second
    value of a sum, a product and the like may have one pixel, one channel, one row or one column:
    (C, 1, 1), (1, height, width), (C, 1, width) or (C, height, 1) beside (C, height, width). A
    `reshape` makes a vector of an image, an image of one pixel of a vector, or a row of an image,
    as tokens are. `constants` are the weights of what is no quantizable layer, and so stays float.
    """

    name: str
    op: Op
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    layer: Layer | None = None
    detail: Detail | None = None
    constants: Weights | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class Graph:
    """Nodes in topological order: the first is the input, the last gives the logits."""

    nodes: tuple[Node, ...]

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Quantizable layers in the order in which they run."""
        return tuple(node.layer for node in self.nodes if node.layer is not None)

    @cached_property
    def layer_names(self) -> tuple[str, ...]:
        """Names of the quantizable layers."""
        return tuple(layer.name for layer in self.layers)

    @cached_property
    def weighted_names(self) -> tuple[str, ...]:
        """Names of the layers with weights."""
        return tuple(layer.name for layer in self.layers if not layer.is_product)

    @cached_property
    def products(self) -> frozenset[str]:
        """Names of the layers without weights."""
        return frozenset(layer.name for layer in self.layers if layer.is_product)

    @cached_property
    def stays_float(self) -> Mapping[str, Op]:
        """Operations that are not quantized, those with weights among them, by name."""
        return {
            node.name: node.op
            for node in self.nodes
            if node.constants is not None or node.op in FLOAT_OPERATIONS
        }

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(channels, height, width) of one image."""
        return self.nodes[0].shape

    @cached_property
    def transitions(self) -> tuple[tuple[str, str], ...]:
        """Pairs (producer, consumer) of layers joined directly or through what is no layer."""
        return tuple(
            (producer, node.name)
            for node in self.nodes
            if node.layer is not None
            for producer in dict.fromkeys(self._producers(node))
        )

    def _producers(self, node: Node) -> Iterator[str]:
        by_name = {n.name: n for n in self.nodes}
        for source in node.inputs:
            if by_name[source].layer is not None:
                yield source
            else:
                yield from self._producers(by_name[source])


@dataclass(frozen=True)
class Network:
    """A graph and the weights of its layers by name; products have none."""

    graph: Graph
    weights: Mapping[str, Weights]
