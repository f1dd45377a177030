"""Ranges of a dense layer's input channels that lose least at its output, weights included.

A channel c of range r (the value of its highest level) is divided by r, and its weights are
multiplied with it. Small ranges clip inputs, large ones round them coarsely and make its weights
large beside those of other channels, whose steps they share. With the norm n of the weights that
read a channel, the variance v of its inputs, and their squared error e(r), the loss is

    sum n^2 e(r) + k sum n^2 r^2 sum v / r^2

where k is the noise of one rounded weight. Ranges in proportion to sqrt(std / n) make the second
sum smallest, and are what equal treatment of weights and inputs gives (Xiao et al. 2023, alpha 1/2).
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

SHARES = torch.cat([torch.logspace(-1.1, 0, 48), torch.logspace(0, 1.3, 25)[1:]])
"""Ranges that are tried, as shares of a channel's peak."""
WEIGHT_NOISE = {2: 0.095, 3: 0.022, 4: 0.0066, 5: 0.002, 6: 0.00055, 7: 0.00016}
"""Squared error of a rounded weight as a share of the mean square of its row, by bits.

Half of what the best uniform quantizer of a normal variable leaves: learned rounding makes the
other half good. Nothing is known to be lost at more bits.
"""
SWEEPS = 30
SMALLEST = 1e-8


class Quantize(Protocol):
    """Values (M, C) as the levels of ranges (C,) represent them."""

    def __call__(self, values: Tensor, reach: Tensor) -> Tensor:
        """Values (M, C)."""


def solve_reach(values: Tensor, norms: Tensor, quantize: Quantize, weight_bits: int) -> Tensor:
    """Range (C,) of every channel of values (M, C); `norms` (C,) of the weights that read them."""
    peak = values.abs().amax(0).clamp(min=SMALLEST)
    reach = peak * SHARES[:, None]
    power = norms.square().clamp(min=SMALLEST**2)
    lost = torch.stack([(quantize(values, r) - values).square_().mean(0) for r in reach]) * power
    found = pick(reach, lost)
    noise = WEIGHT_NOISE.get(weight_bits, 0.0) / len(norms)
    variance = values.var(0, correction=0)
    for _ in range(SWEEPS if noise else 0):
        rows, columns = (power * found.square()).sum(), (variance / found.square()).sum()
        of_weights = columns * power * reach.square() + rows * variance / reach.square()
        # Half of the way: each channel moves as if the others stayed.
        found = (found * pick(reach, lost + noise * of_weights)).sqrt()
    return found


def pick(reach: Tensor, lost: Tensor) -> Tensor:
    """The range of least loss, channel by channel, from tables (K, C)."""
    return reach.gather(0, lost.argmin(0)[None])[0]
