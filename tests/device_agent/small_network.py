"""A network small enough to be measured in a moment: every layer kind, and a residual add."""

import numpy as np

from quant.graph import Activation, Graph, Layer, Network, Node, Weights
from quant.ncnn.build import float_layers
from quant.ncnn.format import NcnnLayer

SHAPE = (3, 16, 16)
NAMES = ("stem", "depthwise", "pointwise", "head")
RANGES = {"stem": 1.0, "depthwise": 3.0, "pointwise": 3.0, "head": 3.0}


def conv(name: str, c_in: int, kernel: int, groups: int = 1, act: Activation = "none") -> Layer:
    pad, side = kernel // 2, (16, 16)
    pads = (pad, pad, pad, pad)
    return Layer(
        name, "conv", c_in, 16, (kernel, kernel), (1, 1), pads, (1, 1), groups, side, side, act
    )


def small_graph() -> Graph:
    stem = conv("stem", 3, 3, act="relu6")
    depthwise = conv("depthwise", 16, 3, groups=16)
    pointwise = conv("pointwise", 16, 1)
    head = Layer("head", "linear", 16, 10)
    return Graph(
        (
            Node("input", "input", (), SHAPE),
            Node("stem", "conv", ("input",), (16, 16, 16), stem),
            Node("depthwise", "conv", ("stem",), (16, 16, 16), depthwise),
            Node("pointwise", "conv", ("depthwise",), (16, 16, 16), pointwise),
            Node("sum", "add", ("stem", "pointwise"), (16, 16, 16)),
            Node("pool", "global_avg_pool", ("sum",), (16,)),
            Node("head", "linear", ("pool",), (10,), head),
        )
    )


def small_layers() -> list[NcnnLayer]:
    return with_weights(small_graph())


def with_weights(graph: Graph) -> list[NcnnLayer]:
    rng = np.random.default_rng(0)
    weights = {
        layer.name: Weights(
            rng.normal(0, 0.3, layer.weight_shape).astype(np.float32),
            rng.normal(0, 0.1, layer.c_out).astype(np.float32),
        )
        for layer in graph.layers
    }
    return float_layers(Network(graph, weights))


def everywhere(bits: int) -> dict[str, int]:
    return dict.fromkeys(NAMES, bits)
