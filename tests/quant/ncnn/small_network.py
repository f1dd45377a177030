"""A residual network of four convolutions, made without torch: quant.ncnn must not need it."""

from __future__ import annotations

import numpy as np

from quant.graph import Activation, Floats, Graph, Layer, Network, Node, Weights

SIDE = 12
NAMES = ("first", "depthwise", "second", "last")
RANGES = {"first": 1.0, "depthwise": 3.0, "second": 3.0, "last": 4.0}


def conv(
    name: str, c_in: int, c_out: int, kernel: int, groups: int = 1, activation: Activation = "relu"
) -> Layer:
    pad, size = kernel // 2, (SIDE, SIDE)
    return Layer(
        name,
        "conv",
        c_in,
        c_out,
        kernel=(kernel, kernel),
        pads=(pad, pad, pad, pad),
        groups=groups,
        in_size=size,
        out_size=size,
        activation=activation,
    )


def residual_graph(channels: int = 16) -> Graph:
    """conv 3x3 -> depthwise 3x3 -> conv 1x1 -> add to the first -> conv 3x3."""
    shape = (channels, SIDE, SIDE)
    return Graph(
        (
            Node("image", "input", (), (3, SIDE, SIDE)),
            Node("first", "conv", ("image",), shape, conv("first", 3, channels, 3)),
            Node(
                "depthwise",
                "conv",
                ("first",),
                shape,
                conv("depthwise", channels, channels, 3, channels),
            ),
            Node(
                "second",
                "conv",
                ("depthwise",),
                shape,
                conv("second", channels, channels, 1, activation="none"),
            ),
            Node("sum", "add", ("first", "second"), shape),
            Node("last", "conv", ("sum",), shape, conv("last", channels, channels, 3)),
        )
    )


def classifier_graph(channels: int = 16) -> Graph:
    """conv 3x3 -> global pool -> linear."""
    shape = (channels, SIDE, SIDE)
    return Graph(
        (
            Node("image", "input", (), (3, SIDE, SIDE)),
            Node("first", "conv", ("image",), shape, conv("first", 3, channels, 3)),
            Node("pool", "global_avg_pool", ("first",), (channels, 1, 1)),
            Node("last", "linear", ("pool",), (10,), Layer("last", "linear", channels, 10)),
        )
    )


def with_weights(graph: Graph, seed: int = 0) -> Network:
    rng = np.random.default_rng(seed)
    weights = {
        layer.name: Weights(
            rng.normal(0, 0.3, layer.weight_shape).astype(np.float32),
            rng.normal(0, 0.1, layer.c_out).astype(np.float32),
        )
        for layer in graph.layers
    }
    return Network(graph, weights)


def random_image(seed: int = 0) -> Floats:
    """(3, SIDE, SIDE) in -1..1."""
    rng = np.random.default_rng(seed)
    return rng.uniform(-1, 1, (3, SIDE, SIDE)).astype(np.float32)


def bits_of(*bits: int) -> dict[str, int]:
    return dict(zip(NAMES, bits, strict=True))
