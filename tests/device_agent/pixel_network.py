"""The small network with logits for every pixel: its layers have the same names and ranges."""

from __future__ import annotations

from dataclasses import replace

from quant.details import Resize
from quant.graph import Graph, Node
from quant.ncnn.format import NcnnLayer
from tests.device_agent.small_network import conv, small_graph, with_weights

OUTPUT_SHAPE = (10, 32, 32)


def pixel_graph() -> Graph:
    """Logits of 16x16 pixels, twice enlarged."""
    head = replace(conv("head", 16, 1), c_out=10)
    return Graph(
        (
            *small_graph().nodes[:-2],
            Node("head", "conv", ("sum",), (10, 16, 16), head),
            Node("enlarge", "resize", ("head",), OUTPUT_SHAPE, None, Resize("bilinear")),
        )
    )


def pixel_layers() -> list[NcnnLayer]:
    return with_weights(pixel_graph())
