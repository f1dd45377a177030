"""A third small network, with a gate, a Concat, a shuffle, an upsampling and float weights."""

from __future__ import annotations

import numpy as np

from quant.details import Channels, Groups, Resize, Transposed
from quant.graph import Floats, Graph, Layer, Network, Node, Weights
from quant.ncnn.build import float_layers
from quant.ncnn.format import NcnnLayer

SHAPE = (3, 6, 8)
RANGES = {"stem": 1.0, "squeeze": 2.0, "expand": 2.0, "grouped": 3.0, "head": 4.0}


def normal(*shape: int) -> Floats:
    return np.random.default_rng(shape).normal(0, 0.3, shape).astype(np.float32)


def gated_graph() -> Graph:
    stem = Layer("stem", "conv", 3, 8, (3, 3), (2, 2), (1, 1, 1, 1))
    squeeze = Layer("squeeze", "conv", 8, 4, activation="relu")
    expand = Layer("expand", "conv", 4, 8)
    grouped = Layer("grouped", "conv", 8, 12, groups=4)
    small, wide = (8, 3, 4), (12, 6, 8)
    transposed = Transposed((4, 4), (2, 2), (1, 1, 1, 1), (1, 1), 1)
    up = Weights(normal(8, 12, 4, 4), normal(12))
    return Graph(
        (
            Node("input", "input", (), SHAPE),
            Node("stem", "conv", ("input",), small, stem),
            Node("swish", "hardswish", ("stem",), small),
            Node("mean", "global_avg_pool", ("swish",), (8, 1, 1)),
            Node("squeeze", "conv", ("mean",), (4, 1, 1), squeeze),
            Node("expand", "conv", ("squeeze",), (8, 1, 1), expand),
            Node("factor", "hardsigmoid", ("expand",), (8, 1, 1)),
            Node("gate", "mul", ("swish", "factor"), small),
            Node("scale", "scale", ("gate",), small, constants=Weights(normal(8), normal(8))),
            Node("grouped", "conv", ("scale",), (12, 3, 4), grouped),
            Node("dealt", "shuffle", ("grouped",), (12, 3, 4), detail=Groups(3)),
            Node("wide", "resize", ("dealt",), wide, detail=Resize("bilinear")),
            Node("up", "deconv", ("gate",), wide, None, transposed, up),
            Node("joined", "concat", ("wide", "up"), (24, 6, 8)),
            Node("part", "slice", ("joined",), (20, 6, 8), detail=Channels(4, 24)),
            Node("flat", "reshape", ("part",), (960,)),
            Node("head", "linear", ("flat",), (5,), Layer("head", "linear", 960, 5)),
        )
    )


def gated_layers() -> list[NcnnLayer]:
    graph = gated_graph()
    weights = {
        layer.name: Weights(normal(*layer.weight_shape), normal(layer.c_out))
        for layer in graph.layers
    }
    return float_layers(Network(graph, weights))
