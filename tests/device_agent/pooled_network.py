"""A second small network, with what the first one lacks: strides, pools, free activations."""

from __future__ import annotations

import numpy as np

from quant.details import Pool
from quant.graph import Graph, Layer, Network, Node, Weights
from quant.ncnn.build import float_layers
from quant.ncnn.format import NcnnLayer

SHAPE = (1, 20, 14)
RANGES = {"wide": 1.0, "depthwise": 4.0, "project": 4.0, "hidden": 4.0, "head": 4.0}


def pooled_graph() -> Graph:
    wide = Layer("wide", "conv", 1, 12, (3, 5), (2, 1), (2, 2, 0, 1), (1, 1))
    depthwise = Layer("depthwise", "conv", 12, 12, (3, 3), (1, 1), (1, 1, 1, 1), groups=12)
    project = Layer("project", "conv", 12, 12, activation="relu")
    hidden, head = Layer("hidden", "linear", 12 * 3 * 4, 9), Layer("head", "linear", 9, 5)
    image = (12, 10, 14)
    return Graph(
        (
            Node("input", "input", (), SHAPE),
            Node("wide", "conv", ("input",), image, wide),
            Node("clip", "relu6", ("wide",), image),
            Node("depthwise", "conv", ("clip",), image, depthwise),
            Node("sum", "add", ("clip", "depthwise"), image),
            Node("relu", "relu", ("sum",), image),
            Node(
                "max", "max_pool", ("relu",), (12, 5, 7), detail=Pool((3, 3), (2, 2), (1, 1, 1, 1))
            ),
            Node("project", "conv", ("max",), (12, 5, 7), project),
            Node(
                "again",
                "max_pool",
                ("project",),
                (12, 3, 4),
                detail=Pool((2, 2), (2, 2), (1, 0, 0, 1)),
            ),
            Node("hidden", "linear", ("again",), (9,), hidden),
            Node("head", "linear", ("hidden",), (5,), head),
        )
    )


def pooled_layers() -> list[NcnnLayer]:
    rng = np.random.default_rng(1)
    graph = pooled_graph()
    weights = {
        layer.name: Weights(
            rng.normal(0, 0.3, layer.weight_shape).astype(np.float32),
            rng.normal(0, 0.1, layer.c_out).astype(np.float32),
        )
        for layer in graph.layers
    }
    return float_layers(Network(graph, weights))
