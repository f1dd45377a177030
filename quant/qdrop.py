"""Rounding that is left out at random, value by value, while a network is trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BYTE = 256


@dataclass(frozen=True)
class Drop:
    """Leaves each value of a quantized input in float with a probability (QDrop; Wei et al., 2022).

    The probability counts in steps of 1/256. The generator lives on the device of the values.
    """

    probability: float
    generator: torch.Generator

    def draw(self, like: Tensor) -> Tensor:
        """1.0 where a value of `like` (N, C, H, W) stays float, else 0.0; channels last.

        Floats, since torch's choice by booleans takes ten times as long as a `lerp`.
        """
        count, channels, height, width = like.shape
        # One draw of 64 bits serves eight values.
        words = torch.empty(-(-like.numel() // 8), dtype=torch.int64, device=like.device)
        words.random_(-(2**63), None, generator=self.generator)
        drawn = words.view(torch.uint8)[: like.numel()].reshape(count, height, width, channels)
        mask = torch.empty(like.shape, device=like.device, memory_format=torch.channels_last)
        below = round(self.probability * BYTE)
        if below == BYTE:
            return mask.fill_(1.0)
        return torch.lt(drawn.permute(0, 3, 1, 2), below, out=mask)
