"""A quantized layer as plain data: integers, their scales, and how its input becomes integers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from quant.graph import Floats, Layer
from quant.policy import Bits, Policy


@dataclass(frozen=True)
class InputLevels:
    """How a layer's input x becomes integers `low`..`high`.

    q = clamp(round((x - offset) * scale / spread), low, high), halves away from zero. `spread` and
    `offset` are float32 (c_in,), one a channel; None stands for ones and zeros. A spread is free
    where the producer requantizes channel by channel; an offset costs nothing but a bias, and is
    only for layers without padding.
    """

    scale: float
    low: int
    high: int
    spread: Floats | None = None
    offset: Floats | None = None


@dataclass(frozen=True)
class QuantizedLayer:
    """A layer that computes y = layer(q, weight) / (input.scale * weight_scale) + bias.

    `weight` (`Layer.weight_shape`, float32) holds integers where `weight_scale` (c_out,) is given:
    those of the float weights times the input's spread, input channel by input channel. Without a
    weight scale it holds float weights, which count as scale 1, as does a missing `input`, which
    leaves x as it is. `bias` (c_out,) holds the weights' part of the input's offset, too.

    A product has no weights and no bias: they are empty. Its `second` value has levels, too; both
    are without spread and offset.
    """

    weight: Floats
    weight_scale: Floats | None
    bias: Floats
    input: InputLevels | None
    second: InputLevels | None = None


def quantized_product(first: InputLevels | None, second: InputLevels | None) -> QuantizedLayer:
    """A product of two values on levels; None leaves a value as it is."""
    nothing = np.zeros(0, np.float32)
    return QuantizedLayer(nothing, None, nothing, first, second)


QuantizedLayers = Mapping[str, QuantizedLayer]


class Quantizer(Protocol):
    """Makes the layers of a policy; deterministic."""

    def layers(self, policy: Policy) -> QuantizedLayers:
        """Every layer of the policy by name. 16 and 32 bits are left in float32."""


class LayerQuantizer(Protocol):
    """Makes a layer from its own bits alone, whatever the other layers have."""

    def layer(self, layer: Layer, bits: Bits) -> QuantizedLayer:
        """One layer at its bits. 16 and 32 bits are left in float32."""
