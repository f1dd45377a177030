"""How many networks are measured at once: a board holds all of them in memory."""

from __future__ import annotations

from quant.graph import Graph

MEMORY_BYTES = 2**31
"""What they may take together: half of the address space that an agent gives a measurement."""
LOADED = 4
"""A network in memory, as a multiple of its float weights: Winograd's kernels are larger than 3x3.

Measured for resnet18, all of whose kernels are 3x3: 178 MB for 45 MB of weights.
"""
FLOAT_BYTES = 4


def networks_together(graph: Graph) -> int:
    """So many, and one at least."""
    weights = sum(layer.weight_count for layer in graph.layers)
    return max(1, MEMORY_BYTES // (LOADED * FLOAT_BYTES * weights))
