"""Grouped convolutions that ncnn computes wrongly at 8 bits: it gets them in float32.

Where their outputs are not requantized it reads memory that it never wrote. Seen on x86 with every
grouped, not depthwise, convolution whose groups have a multiple of 8 outputs (ncnn 1.0.20261020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from quant.graph import Graph, Layer
from quant.ncnn.format import NcnnLayer

PACKED = 8


def is_wrong(groups: int, outputs: int) -> bool:
    """Whether ncnn gets so many groups and outputs wrong at 8 bits."""
    return groups > 1 and outputs // groups % PACKED == 0


def lacks_8_bits(layer: Layer) -> bool:
    """Whether ncnn has no 8 bits for a layer."""
    return layer.op == "conv" and is_wrong(layer.groups, layer.c_out)


def without_8_bits(graph: Graph) -> frozenset[str]:
    """Names of the layers for which ncnn has no 8 bits."""
    return frozenset(layer.name for layer in graph.layers if lacks_8_bits(layer))


def as_run(layers: Sequence[NcnnLayer], bits: Mapping[str, int]) -> dict[str, int]:
    """Bits by layer name as ncnn is given them: 32 instead of the 8 that it lacks."""
    wrong = {
        layer.name
        for layer in layers
        if layer.type == "ConvolutionDepthWise" and is_wrong(layer.integer(7, 1), layer.c_out)
    }
    return {name: 32 if name in wrong and b == 8 else b for name, b in bits.items()}
