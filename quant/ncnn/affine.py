"""The way of a value to the levels of a layer's input, up to the rounding: scaled and clipped."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quant.graph import Activation, Layer, Weights
from quant.ncnn.centre import ACTIVATION, CLIP, LIMITS
from quant.ncnn.format import Value
from quant.quantized import InputLevels

HALVES_AWAY = 1 + 2**-22
"""A factor that brings exact halves beyond, so that they are not rounded to the even neighbour.

Nothing else is moved but what is as near to a half as float32 can tell.
"""
SAME_LEVEL = 0.499
"""Distance from a level within which everything is rounded to it."""
ACTIVATION_LIMITS: dict[Activation, tuple[float, float]] = {
    "none": (-np.inf, np.inf),
    "relu": (0.0, np.inf),
    "relu6": (0.0, 6.0),
}


@dataclass(frozen=True)
class Affine:
    """clip(x * factor + bias, low, high), with a float64 factor and bias (C,) a channel."""

    factor: NDArray[np.float64]
    bias: NDArray[np.float64]
    low: float
    high: float

    @property
    def activation(self) -> dict[int, Value]:
        """The clip as the activation of a weighted ncnn layer."""
        return {ACTIVATION: CLIP, LIMITS: (self.low, self.high)}


def input_affine(layer: Layer, levels: InputLevels) -> Affine:
    """(x - offset) * scale / spread, within the levels."""
    spread = np.ones(layer.c_in) if levels.spread is None else levels.spread.astype(np.float64)
    offset = np.zeros(layer.c_in) if levels.offset is None else levels.offset.astype(np.float64)
    factor = levels.scale * HALVES_AWAY / spread
    return Affine(factor, -offset * factor, float(levels.low), float(levels.high))


def behind(activation: Activation, affine: Affine) -> Affine | None:
    """One clip that gives the same levels as an activation and `affine` behind it.

    None where the channels would need clips of their own.
    """
    low, high = ACTIVATION_LIMITS[activation]
    lower = common_lower(low * affine.factor + affine.bias, affine.low)
    # From above the same rule holds with all signs changed.
    upper = common_lower(-(high * affine.factor + affine.bias), -affine.high)
    if lower is None or upper is None:
        return None
    return replace(affine, low=lower, high=-upper)


def common_lower(channels: NDArray[np.float64], low: float) -> float | None:
    """A lower clip that stands for those of the channels (C,) and for `low`, a level."""
    if (channels <= low + SAME_LEVEL).all():
        return low
    same = bool((channels == channels[0]).all())
    return float(channels[0]) if same else None


def transform(weights: Weights, affine: Affine) -> Weights:
    """Weights of a layer whose sums are scaled and shifted, each channel by its own."""
    rows = (-1, *[1] * (weights.weight.ndim - 1))
    weight = weights.weight * affine.factor.reshape(rows)
    bias = weights.bias * affine.factor + affine.bias
    return Weights(weight.astype(np.float32), bias.astype(np.float32))
