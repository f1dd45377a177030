"""Runs every choice of 8, 16 and 32 bits and compares the width of every blob with the plan.

Run as a module in a process of its own, since a wrong plan crashes ncnn. A line a policy goes to
standard output before it runs, then one more for every blob that has another width than planned.
"""

from __future__ import annotations

from itertools import product

from quant.graph import Graph
from quant.ncnn.build import dump, float_layers, mixed_layers, plan_policy
from quant.ncnn.runtime import Engine, capabilities
from tests.quant.ncnn.small_network import (
    RANGES,
    classifier_graph,
    random_image,
    residual_graph,
    with_weights,
)

CHANNELS = (16, 6)
"""Full vectors of 4, 8 and 16 elements, and none."""


def main() -> None:
    for channels in CHANNELS:
        for graph in (residual_graph(channels), classifier_graph(channels)):
            for bits in product((8, 16, 32), repeat=len(graph.layers)):
                print("policy", channels, *bits, flush=True)
                report_widths(graph, dict(zip(graph.layer_names, bits, strict=True)))


def report_widths(graph: Graph, bits: dict[str, int]) -> None:
    board = capabilities()
    layers = float_layers(with_weights(graph))
    plan = plan_policy(layers, bits, RANGES, board)
    param, weights = dump(mixed_layers(layers, bits, RANGES, board))
    engine = Engine.from_memory(param, weights, board.bits16 if 16 in bits.values() else "none")
    for blob, planned in plan.blob_bits.items():
        found = engine.blob_width(random_image(), blob)
        if found != planned:
            print("wrong", blob, "planned", planned, "found", found, flush=True)


if __name__ == "__main__":
    main()
