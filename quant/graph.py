"""A folded network as plain data: nodes in topological order, and their weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from math import prod
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Op = Literal[
    "input",
    "conv",
    "linear",
    "deconv",
    "scale",
    "add",
    "mul",
    "concat",
    "slice",
    "shuffle",
    "reshape",
    "global_avg_pool",
    "avg_pool",
    "max_pool",
    "upsample",
    "relu",
    "relu6",
    "leaky_relu",
    "sigmoid",
    "hardsigmoid",
    "hardswish",
    "silu",
]
Activation = Literal["none", "relu", "relu6"]
Interpolation = Literal["nearest", "bilinear"]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Layer:
    """Geometry of a quantizable layer; a linear layer has kernel 1, stride 1, size 1x1.

    `in_size` and `out_size` are (height, width) in pixels; `pads` is (left, right, top, bottom).
    """

    name: str
    op: Literal["conv", "linear"]
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
        return self.groups > 1 and self.groups == self.c_in

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """(out, in / groups, kernel height, kernel width), or (out, in) of a linear layer."""
        if self.op == "linear":
            return (self.c_out, self.c_in)
        return (self.c_out, self.c_in // self.groups, *self.kernel)

    @property
    def weight_count(self) -> int:
        """Weights without bias."""
        return prod(self.weight_shape)

    @property
    def macs(self) -> int:
        """Multiply-accumulate operations for one image."""
        return self.weight_count * prod(self.out_size)

    @property
    def scale_count(self) -> int:
        """Weight scales that ncnn keeps: one a group where grouped, else one an output channel."""
        return self.groups if self.groups > 1 else self.c_out


@dataclass(frozen=True)
class Pool:
    """Geometry of a max or average pool: `pads` is (left, right, top, bottom) in pixels.

    An average counts what is padded only where `counts_pads` says so.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]
    counts_pads: bool = False


@dataclass(frozen=True)
class Transposed:
    """Geometry of a transposed convolution.

    `pads` (left, right, top, bottom) are cut from its output; negative ones add to it.
    """

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pads: tuple[int, int, int, int]
    dilation: tuple[int, int]
    groups: int


@dataclass(frozen=True)
class Channels:
    """Channels from `start` up to, but without, `stop`."""

    start: int
    stop: int


@dataclass(frozen=True)
class Groups:
    """Groups of channels that a shuffle deals out: (groups, C / groups) is transposed."""

    count: int


@dataclass(frozen=True)
class Upsample:
    """Whole factors of (height, width); pixels are areas, as where corners are not aligned."""

    factor: tuple[int, int]
    mode: Interpolation


@dataclass(frozen=True)
class Slope:
    """What a leaky ReLU multiplies negative values with."""

    value: float


Detail = Pool | Transposed | Channels | Groups | Upsample | Slope


@dataclass(frozen=True)
class Weights:
    """float32 weights of a layer, in torch's order (`Layer.weight_shape`), and bias (c_out,).

    Those of a transposed convolution are (c_in, c_out / groups, height, width), of a scale (C,).
    """

    weight: Floats
    bias: Floats


@dataclass(frozen=True)
class Node:
    """An operation; `shape` is that of its output for one image, `inputs` are node names.

    Layers are described by `layer`, all other operations that need it by `detail`. The factor of a
    `mul` may have one pixel: (C, 1, 1) beside (C, height, width). A `reshape` makes a vector of an
    image, or an image of one pixel of a vector. `constants` are the weights of what is no
    quantizable layer, and so stays float: `deconv` and `scale`.
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
    def stays_float(self) -> Mapping[str, Op]:
        """Operations with weights that are not quantized, by name."""
        return {node.name: node.op for node in self.nodes if node.constants is not None}

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
    """A graph and the weights of its layers by name."""

    graph: Graph
    weights: Mapping[str, Weights]
