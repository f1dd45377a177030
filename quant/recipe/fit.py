"""One layer's weights and bias from moments of its rows.

Rows are in units of the input's spread, so weights have it multiplied in. The bias is what makes
the mean output equal: bias correction (Nagel et al. 2019) in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from quant.graph import Floats, Layer
from quant.ncnn.weights import SMALLEST_PEAK
from quant.observers import positive_levels
from quant.quantized import InputLevels, QuantizedLayer
from quant.recipe.moments import Moments, penalty
from quant.recipe.rounding import Rounded, round_weights

NEAREST_BITS = 8
"""From so many bits on rounding to nearest loses nothing that learned rounding could win."""
ROUNDING_RIDGE = 0.3
"""Of the Hessian that learned rounding sees, so that it does not round for these images alone."""


@dataclass(frozen=True)
class Fitted:
    """A layer, and the float weights (`Layer.weight_shape`) that its integers stand for."""

    layer: QuantizedLayer
    target: Floats


def fit(
    layer: Layer,
    target: Tensor,
    moments: Moments,
    levels: InputLevels | None,
    bits: int,
    learned: bool = True,
) -> Fitted:
    """Weights of `bits` for those wanted, `target` (G, R, K), spread multiplied in.

    Without `learned` rounding they are rounded to nearest.
    """
    if bits > NEAREST_BITS:
        return finish(layer, target, None, target, moments, levels)
    if bits == NEAREST_BITS or not learned:
        rounded = nearest(target, bits)
    else:
        hessian = moments.xx + penalty(moments.xx, ROUNDING_RIDGE)
        rounded = round_weights(target, hessian, bits)
    return finish(layer, target, rounded, rounded.weights, moments, levels)


def finish(
    layer: Layer,
    target: Tensor,
    rounded: Rounded | None,
    weights: Tensor,
    moments: Moments,
    levels: InputLevels | None,
) -> Fitted:
    """The layer as plain data, its bias put right for the weights that it computes with."""
    bias = moments.mean_y - (weights @ moments.mean_x[..., None])[..., 0]
    made = QuantizedLayer(
        (weights if rounded is None else rounded.integers).reshape(layer.weight_shape).numpy(),
        None if rounded is None else rounded.scale.flatten().numpy(),
        bias.flatten().numpy(),
        levels,
    )
    return Fitted(made, target.reshape(layer.weight_shape).contiguous().numpy())


def nearest(columns: Tensor, bits: int) -> Rounded:
    """Rounding to nearest with the peak of each row as its highest level."""
    levels = positive_levels(bits, signed=True)
    peak = columns.abs().amax(2)
    scale = torch.where(peak < SMALLEST_PEAK, torch.ones_like(peak), levels / peak)
    integers = (columns * scale[..., None]).round_().clamp_(-levels, levels)
    return Rounded(integers, scale)
