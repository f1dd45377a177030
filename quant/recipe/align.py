"""Spreads moved a little, channel by channel, to where a channel's values lie best on its levels.

Values behind a ReLU6 heap up at 6. A step of which 6 is a multiple loses nothing of these; one that
is a few percent wider or narrower may lose half a step, at 4 bits more than all other values do.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from quant.graph import Floats
from quant.quantized import InputLevels
from quant.recipe.levels import Sample

FACTORS = np.array(
    sorted(np.linspace(0.88, 1.12, 25), key=lambda factor: abs(factor - 1.0)), np.float32
)
"""The nearest to 1 first: of equals it is taken."""


def align(levels: InputLevels, sample: Sample) -> InputLevels:
    """The levels with the spread of least squared error near the one they have, if any.

    Channels with an offset keep the middle of their range.
    """
    if levels.spread is None:
        return levels
    lost = [error_of(sample.values, widen(levels, factor)) for factor in FACTORS]
    return widen(levels, FACTORS[torch.stack(lost).argmin(0).numpy()])


def widen(levels: InputLevels, factor: Floats | np.float32) -> InputLevels:
    """The levels with steps wider by a factor, or by one a channel (C,), around the same middle."""
    assert levels.spread is not None
    spread: Floats = levels.spread * factor
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
