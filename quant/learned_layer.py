"""A quantized layer whose weights, steps and bias can be trained; see `quant.lsq`."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import Parameter

from quant.fake_quant import by_channel
from quant.float_net import apply_layer
from quant.graph import Floats, Layer
from quant.lsq import Levels, column, grown_scale, integers_of, round_weights, run_rounded
from quant.observers import positive_levels
from quant.qdrop import Drop
from quant.quantized import InputLevels, QuantizedLayer

Kind = Literal["weights", "steps", "biases"]
KINDS: tuple[Kind, ...] = get_args(Kind)
HALF, LEAN = 0.5, 0.49
"""How far, in steps, a latent weight may lie from its integer at the start."""
FLOAT_LEVELS = 127
"""Unit of float weights: their peak is about as many units, so one learning rate fits all."""


class LearnedLayer(nn.Module):
    """A layer without its activation.

    Parameters are `weight.latent`, `bias` (c_out,), and the growths of steps since the start (logs
    of ratios): `weight.growth`, one a scale, and `input_growth`, a scalar; None where the layer
    does not round. Spread and offset of the input are constants.
    """

    bias: Parameter
    input_growth: Parameter | None
    offset: Tensor | None
    spread: Tensor | None

    def __init__(
        self,
        layer: Layer,
        start: QuantizedLayer,
        weight_bits: int,
        positive: bool,
        target: Floats | None = None,
    ) -> None:
        """`positive`: the input is never negative. See `LearnedWeight` for the target."""
        super().__init__()
        self.layer, self.input = layer, start.input
        self.weight = LearnedWeight(layer, start, weight_bits, target)
        self.bias = Parameter(torch.from_numpy(start.bias.copy()))
        self.input_growth = None if start.input is None else Parameter(torch.zeros(()))
        self._positive = positive and (start.input is None or start.input.offset is None)
        for name in ("offset", "spread"):
            values = getattr(start.input, name, None)
            kept = None if values is None else torch.from_numpy(values).reshape(1, -1, 1, 1)
            self.register_buffer(name, kept)

    def forward(self, x: Tensor, drop: Drop | None = None) -> Tensor:
        """Output (N, c_out, H, W), or (N, c_out) of a linear layer."""
        weight = self.weight()
        if self.input is None or self.input_growth is None:
            return apply_layer(self.layer, x, weight, self.bias)
        if self.offset is not None:
            x = x - by_channel(self.offset, x)
        levels = Levels(
            self.input.scale, self.input.low, self.input.high, self._positive, self.spread
        )
        return run_rounded(self.layer, x, self.input_growth, levels, weight, self.bias, drop)

    def parameters_of(self, kind: Kind) -> list[Parameter]:
        """Parameters of one kind."""
        if kind == "weights":
            return [self.weight.latent]
        if kind == "biases":
            return [self.bias]
        return [step for step in (self.weight.growth, self.input_growth) if step is not None]

    def to_quantized(self) -> QuantizedLayer:
        """The layer as it is now, as plain data."""
        bias = self.bias.detach().cpu().numpy().copy()
        return QuantizedLayer(*self.weight.to_numbers(), bias, self._input_now())

    def _input_now(self) -> InputLevels | None:
        if self.input is None or self.input_growth is None:
            return None
        scale = grown_scale(self.input.scale, self.input_growth)
        return InputLevels(
            scale, self.input.low, self.input.high, self.input.spread, self.input.offset
        )


class LearnedWeight(nn.Module):
    """Weights of a layer: integers of learned steps, or floats.

    `latent` (`Layer.weight_shape`) counts in steps of the start, so that one learning rate fits all
    layers. Float weights count in powers of two, which loses nothing.
    """

    latent: Parameter
    growth: Parameter | None
    scale: Tensor

    def __init__(
        self, layer: Layer, start: QuantizedLayer, bits: int, target: Floats | None
    ) -> None:
        """`target` (`Layer.weight_shape`): what start.weight / start.weight_scale stands for.

        That is with the input's spread multiplied in. Latents begin at the target, but at most
        0.49 steps from their integers, which the layer begins with; at the integers without one,
        and where the target rounds to another integer.
        Raises ValueError where an integer does not fit the bits.
        """
        super().__init__()
        self._levels = positive_levels(min(bits, 8), signed=True)
        scale = float_scale(start.weight) if start.weight_scale is None else start.weight_scale
        rows = shared_rows(layer, scale)
        self._sharing = layer.c_out // rows
        self.growth = None if start.weight_scale is None else Parameter(torch.zeros(rows))
        weight, found = torch.from_numpy(start.weight), torch.from_numpy(scale)
        self.register_buffer("scale", found.clone())
        if start.weight_scale is None:
            latent = weight * column(found, weight)
        elif weight.abs().max() > self._levels:
            raise ValueError(f"{layer.name} has integers of more than {bits} bits")
        else:
            latent = weight if target is None else lean(weight, found, torch.from_numpy(target))
        order = torch.channels_last if latent.ndim == 4 else torch.contiguous_format
        self.latent = Parameter(latent.clone(memory_format=order))

    def forward(self) -> Tensor:
        """float32 weights as the layer computes with them."""
        unit = 1.0 / self.scale
        if self.growth is None:
            return self.latent * column(unit, self.latent)
        return round_weights(self.latent, self._growths(self.growth), unit, self._levels)

    @torch.no_grad()
    def to_numbers(self) -> tuple[Floats, Floats | None]:
        """Integers (as float32) and their scales (c_out,), or float weights and None."""
        if self.growth is None:
            return as_array(self()), None
        growth = self._growths(self.growth)
        integers = integers_of(self.latent, growth, self._levels)
        return as_array(integers), as_array(self.scale * torch.exp(-growth))

    def _growths(self, growth: Tensor) -> Tensor:
        """One an output channel."""
        return growth if self._sharing == 1 else growth.repeat_interleave(self._sharing)


def lean(weight: Tensor, scale: Tensor, target: Tensor) -> Tensor:
    """Integers moved to their targets where these round to them; the others stay in the middle.

    An integer that was chosen against its target would else lie at the edge to the next one, and
    the first small step would turn over all that a fit has decided.
    """
    away = target * column(scale, target) - weight
    return weight + torch.where(away.abs() < HALF, away.clamp(-LEAN, LEAN), 0.0)


def shared_rows(layer: Layer, scale: Floats) -> int:
    """How many scales there are to learn: one a group where the groups' channels share theirs."""
    groups = scale.reshape(layer.scale_count, -1)
    return layer.scale_count if (groups == groups[:, :1]).all() else layer.c_out


def float_scale(weight: Floats) -> Floats:
    """Powers of two (c_out,) that bring the peak of each output channel to about 127."""
    peaks = np.abs(weight).reshape(len(weight), -1).max(1)
    powers = np.log2(FLOAT_LEVELS / np.where(peaks > 0, peaks, 1.0))
    scale: Floats = np.exp2(np.floor(powers)).astype(np.float32)
    return scale


def as_array(values: Tensor) -> Floats:
    """float32 in C's order, apart from the tensor."""
    array: Floats = values.detach().cpu().contiguous().numpy().copy()
    return array
