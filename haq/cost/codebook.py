"""The size of weights that share few values, exactly as `quant.packed` stores them."""

from __future__ import annotations

from env.actions import Choices
from haq.cost.additive import FLOAT_BYTES, AdditiveCost, by_name
from quant.graph import Graph, Layer
from quant.packed import packed_bytes
from quant.policy import FLOAT_BITS, Bits


def codebook_bytes(layer: Layer, bits: Bits) -> float:
    """Bytes of a layer's tensors: packed indexes, 2^bits float32 centroids, float32 bias.

    Float weights have neither indexes nor centroids. In a small layer the codebook can outweigh
    what the indexes save, so that more bits than some number cost more than float. A product has
    nothing there.
    """
    if layer.is_product:
        return 0.0
    bias = FLOAT_BYTES * layer.c_out
    if bits.weight == FLOAT_BITS:
        return float(FLOAT_BYTES * layer.weight_count + bias)
    codebook = FLOAT_BYTES * 2**bits.weight
    return float(packed_bytes(layer.weight_count, bits.weight) + codebook + bias)


def codebook_cost(graph: Graph, choices: Choices) -> AdditiveCost:
    """Bytes of the packed file without its header."""
    return AdditiveCost(by_name(graph), choices, "bytes", codebook_bytes)
