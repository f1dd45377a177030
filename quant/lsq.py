"""Rounding that can be trained: learned step sizes (LSQ; Esser et al., ICLR 2020).

A step is kept as its growth g since the start, step = start * exp(g): it stays positive, g = 0 is
the start to the bit, and one learning rate fits steps of every size. Rounding passes gradients
straight through. The gradient of a step is LSQ's, scaled by 1 / sqrt(values * highest level).

Passes over feature maps are what training costs on a CPU. So one operation rounds, convolves, and
has the gradients of the input, its step, the weights and the bias at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd import Function

from quant.convolution import convolve, convolve_backward, crop, dot, padding_of
from quant.graph import Layer
from quant.naive import round_half_away_
from quant.qdrop import Drop


@dataclass(frozen=True)
class Levels:
    """Integers `low`..`high` that stand for x * scale / spread at the start of the training.

    `positive` says that x is never negative: rounding needs no care for signs. `spread` has the
    shape (1, c_in, 1, 1); None stands for ones.
    """

    scale: float
    low: int
    high: int
    positive: bool
    spread: Tensor | None = None

    def factor(self, scale: float) -> Tensor | float:
        """What x is multiplied with when the scale has become `scale`."""
        if self.spread is None:
            return scale
        # A tensor over a tensor: torch turns a number over a tensor into a less exact reciprocal.
        return torch.full_like(self.spread, scale) / self.spread


def round_weights(latent: Tensor, growth: Tensor, unit: Tensor, levels: int) -> Tensor:
    """Weights on their grid: unit * exp(growth) * clamp(round(latent * exp(-growth))).

    `latent` (c_out, ...) counts in starting steps, which are `unit` (c_out,); `growth` is (c_out,);
    integers are -levels..levels.
    """
    rounded: Tensor = _RoundedWeights.apply(latent, growth, unit, levels)  # type: ignore[no-untyped-call]
    return rounded


def integers_of(latent: Tensor, growth: Tensor, levels: int) -> Tensor:
    """The integers of `round_weights`, as float32."""
    shrunk = latent * column(torch.exp(-growth), latent)
    return shrunk.round_().clamp_(-levels, levels)


def run_rounded(
    layer: Layer,
    x: Tensor,
    growth: Tensor,
    levels: Levels,
    weight: Tensor,
    bias: Tensor,
    drop: Drop | None = None,
) -> Tensor:
    """A layer, without its activation, whose input is rounded to levels of exp(growth) / scale.

    `growth` is a scalar; `weight` and `bias` are the float values that the layer computes with.
    """
    if layer.op == "linear":
        x, weight = x.flatten(1)[:, :, None, None], weight[:, :, None, None]
    out: Tensor = _RoundedInput.apply(x, growth, weight, bias, layer, levels, drop)  # type: ignore[no-untyped-call]
    return out.flatten(1) if layer.op == "linear" else out


def column(values: Tensor, like: Tensor) -> Tensor:
    """Values (c_out,) shaped to go with weights (c_out, ...)."""
    return values.reshape(-1, *[1] * (like.ndim - 1))


class _RoundedWeights(Function):
    """See `round_weights`."""

    @staticmethod
    def forward(ctx: Any, latent: Tensor, growth: Tensor, unit: Tensor, levels: int) -> Tensor:
        ctx.save_for_backward(latent, growth, unit)
        ctx.levels = levels
        return integers_of(latent, growth, levels).mul_(column(unit * torch.exp(growth), latent))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        latent, growth, unit = ctx.saved_tensors
        value = latent * column(torch.exp(-growth), latent)
        # Half a level beyond the last one a latent still rounds to it, and may come back.
        inside = hard_mask(gradients[0], value, -ctx.levels - 0.5, ctx.levels + 0.5)
        of_growth = None
        if ctx.needs_input_grad[1]:
            changes = integers_of(latent, growth, ctx.levels).mul_(gradients[0])
            changes.addcmul_(inside, value, value=-1.0)
            share = 1.0 / math.sqrt(latent[0].numel() * ctx.levels)
            of_growth = changes.flatten(1).sum(1) * (unit * torch.exp(growth)) * share
        return inside.mul_(column(unit, latent)), of_growth, None, None


class _RoundedInput(Function):
    """See `run_rounded`; everything has four dimensions here."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        growth: Tensor,
        weight: Tensor,
        bias: Tensor,
        layer: Layer,
        levels: Levels,
        drop: Drop | None,
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        ctx.scale = grown_scale(levels.scale, growth)
        ctx.layer, ctx.levels = layer, levels
        dropped = None if drop is None else drop.draw(x)
        integers = round_padded(x, ctx.scale, levels, padding_of(layer)[0], dropped)
        ctx.save_for_backward(x, integers, weight, dropped)
        return convolve(layer, integers, weight / ctx.scale, bias)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, integers, weight, dropped = ctx.saved_tensors
        of_x, of_growth, of_weight, of_bias = ctx.needs_input_grad[:4]
        layer, levels = ctx.layer, ctx.levels
        wanted = [of_x or of_growth, of_weight, of_bias]
        # With weights that are not divided by the scale this is the gradient of the rounded x.
        rounded, weights, biases = convolve_backward(layer, gradients[0], integers, weight, wanted)
        weights = None if weights is None else weights.div_(ctx.scale)
        through = of_step = None
        if rounded is not None:
            through, moved = pass_through(crop(rounded, padding_of(layer)[0]), x, dropped, ctx)
            share = 1.0 / math.sqrt(x[0].numel() * levels.high)
            of_step = share * (dot(rounded, integers) / ctx.scale - moved)
        return through, of_step, weights, biases, None, None, None


def grown_scale(start: float, growth: Tensor) -> float:
    """The scale, a float32 number, of a step that has grown by exp(growth)."""
    return float(np.float32(start * math.exp(-growth.item())))


def pass_through(
    gradient: Tensor, x: Tensor, dropped: Tensor | None, ctx: Any
) -> tuple[Tensor, Tensor]:
    """Gradient of x from that of its rounded values, 0 where x is clipped; and its product with x.

    The product is with x in the unit of the rounded values, which the spread divides.
    """
    levels, scale = ctx.levels, ctx.scale
    if levels.spread is not None:
        x = x / levels.spread
    through = hard_mask(gradient, x, levels.low / scale, levels.high / scale)
    if dropped is not None:
        through = through.lerp_(gradient, dropped)
    product = dot(through, x)
    return through if levels.spread is None else through.div_(levels.spread), product


def round_padded(
    x: Tensor, scale: float, levels: Levels, pads: tuple[int, ...], dropped: Tensor | None
) -> Tensor:
    """Integers of x as float32, with zeros around; dropped values are scaled, not rounded."""
    if any(pads):
        left, right, top, bottom = pads
        count, channels, height, width = x.shape
        shape = (count, channels, top + height + bottom, left + width + right)
        out = torch.empty(shape, device=x.device, memory_format=torch.channels_last).zero_()
    else:
        out = torch.empty_like(x)
    inner = torch.mul(x, levels.factor(scale), out=crop(out, pads))
    scaled = inner if dropped is None else inner.clone()
    if levels.positive:
        inner.add_(0.5).floor_().clamp_(max=levels.high)
    else:
        round_half_away_(inner).clamp_(levels.low, levels.high)
    if dropped is not None:
        inner.lerp_(scaled, dropped)
    return out


def hard_mask(gradient: Tensor, x: Tensor, low: float, high: float) -> Tensor:
    """The gradient where low < x < high, else 0."""
    masked: Tensor = torch.ops.aten.hardtanh_backward(gradient, x, low, high)
    return masked
