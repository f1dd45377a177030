"""Random policies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from quant.policy import ENGINE_BITS, Bits, Policy


def free_policies(names: Sequence[str], bits: Sequence[int], count: int) -> list[Policy]:
    """Weights and activations of each layer drawn apart from `bits`."""
    drawn = np.random.default_rng(0).choice(bits, (count, len(names), 2))
    return [
        Policy({n: Bits(int(w), int(a)) for n, (w, a) in zip(names, row, strict=True)})
        for row in drawn
    ]


def engine_policies(names: Sequence[str], count: int) -> list[Policy]:
    """8, 16 or 32 bits for each layer, as ncnn runs them."""
    drawn = np.random.default_rng(0).choice(ENGINE_BITS, (count, len(names)))
    return [
        Policy({n: Bits(int(b), int(b)) for n, b in zip(names, row, strict=True)}) for row in drawn
    ]
