"""Runs blocks of published networks at random widths, and compares every blob with the plan.

Run as a module in a process of its own, since a wrong plan crashes ncnn. A line a policy goes to
standard output before it runs, then one more for every blob of another width than planned.

python -m tests.quant.ncnn.block_widths POLICIES
"""

from __future__ import annotations

import sys

import numpy as np

from quant.ncnn.build import dump, float_layers, mixed_layers, plan_policy
from quant.ncnn.runtime import Engine, capabilities
from tests.quant.blocks import BLOCKS, block
from tests.quant.networks import Case


def main(count: int) -> None:
    for kind in BLOCKS:
        known, rng = block(kind), np.random.default_rng(0)
        names = known.network.graph.layer_names
        uniform = [dict.fromkeys(names, bits) for bits in (8, 16, 32)]
        mixed = [{name: int(rng.choice((8, 16, 32))) for name in names} for _ in range(count)]
        for bits in (*uniform, *mixed):
            print("policy", kind, *bits.values(), flush=True)
            report_widths(known, bits)


def report_widths(known: Case, bits: dict[str, int]) -> None:
    board, ranges = capabilities(), known.ranges.engine_thresholds()
    layers = float_layers(known.network)
    plan = plan_policy(layers, bits, ranges, board)
    files = dump(mixed_layers(layers, bits, ranges, board))
    engine = Engine.from_memory(*files, board.bits16 if 16 in bits.values() else "none")
    image = known.images[0].numpy()
    if not np.isfinite(engine.run(image)).all():
        print("wrong output", flush=True)
    for blob, planned in plan.blob_bits.items():
        found = engine.blob_width(image, blob)
        if found != planned:
            print("wrong", blob, "planned", planned, "found", found, flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
