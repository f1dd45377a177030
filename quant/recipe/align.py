"""Spreads moved a little, channel by channel, to where a channel's values lie best on its levels.

Values behind a ReLU6 heap up at 6. A step of which 6 is a multiple loses nothing of these; one that
is a few percent wider or narrower may lose half a step, at 4 bits more than all other values do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from quant.graph import Floats
from quant.quantized import InputLevels
from quant.recipe.levels import Sample

FACTORS = sorted(torch.linspace(0.88, 1.12, 25).tolist(), key=lambda factor: abs(factor - 1.0))
"""The nearest to 1 first: of equals it is taken."""


def align(levels: InputLevels, sample: Sample) -> InputLevels:
    """The levels with the spread of least squared error near the one they have, if any.

    Channels with an offset keep the middle of their range.
    """
    if levels.spread is None:
        return levels
    tried = [widen(levels, factor) for factor in FACTORS]
    best = torch.stack([error_of(sample.values, one) for one in tried]).argmin(0).numpy()
    spread = pick([one.spread for one in tried if one.spread is not None], best)
    if levels.offset is None:
        return replace(levels, spread=spread)
    offset = pick([one.offset for one in tried if one.offset is not None], best)
    return replace(levels, spread=spread, offset=offset)


def widen(levels: InputLevels, factor: float) -> InputLevels:
    """The levels with all steps wider by a factor, around the same middle where they have one."""
    assert levels.spread is not None
    spread = levels.spread * np.float32(factor)
    if levels.offset is None:
        return replace(levels, spread=spread)
    half = np.float32(levels.high / levels.scale / 2)
    offset = (levels.offset + (levels.spread - spread) * half).astype(np.float32)
    return replace(levels, spread=spread, offset=offset)


def error_of(values: Tensor, levels: InputLevels) -> Tensor:
    """Mean squared error (C,) of values (M, C) on levels with a spread."""
    assert levels.spread is not None
    step = torch.from_numpy(levels.spread) / levels.scale
    centred = values if levels.offset is None else values - torch.from_numpy(levels.offset)
    rounded = (centred / step).round_().clamp_(levels.low, levels.high).mul_(step)
    return rounded.sub_(centred).square_().mean(0)


def pick(arrays: Sequence[Floats], which: NDArray[np.int64]) -> Floats:
    """Of arrays (C,), the element of array `which` (C,) in every place."""
    picked: Floats = np.stack(arrays)[which, np.arange(len(which))]
    return picked
