"""The plain quantizer: rounding to nearest, ranges from histograms, nothing corrected.

In ncnn's arithmetic its 8 bits are exactly what the engine makes of a float network: signed, with
an offset where an input is centred (`quant.ncnn.centre`). In the simulated one levels behind a ReLU
are unsigned, and the image, which has 8 bits already, is taken as it is, as in HAQ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from quant.calibrate import Ranges, second_input
from quant.graph import Floats, Layer, Network
from quant.ncnn.build import structure
from quant.ncnn.centre import centred_inputs, part_of_half
from quant.ncnn.format import NcnnLayer
from quant.ncnn.grouped import as_run, lacks_8_bits
from quant.ncnn.weights import SMALLEST_PEAK
from quant.observers import positive_levels
from quant.policy import Bits, Policy
from quant.quantized import InputLevels, QuantizedLayer, QuantizedLayers, quantized_product

Arithmetic = Literal["ncnn", "simulated"]
Integers = tuple[Floats, Floats]
"""Integers (as float32, `Layer.weight_shape`) and their scales (c_out,)."""

WEIGHT_CLIPS = 40


class NaiveQuantizer:
    """Quantizes each weight tensor once for each number of bits."""

    def __init__(self, network: Network, ranges: Ranges, arithmetic: Arithmetic) -> None:
        self.network, self.ranges, self.arithmetic = network, ranges, arithmetic
        self._weights: dict[tuple[str, int], Integers] = {}
        self._levels: dict[tuple[str, int], InputLevels] = {}

    def layers(self, policy: Policy) -> QuantizedLayers:
        """Every layer of the policy by name; 16 and 32 bits are left in float32."""
        centred = self._centred(policy)
        return {
            layer.name: centre(made, layer.c_in) if layer.name in centred else made
            for layer in self._layers
            for made in [self.layer(layer, policy[layer.name])]
        }

    def layer(self, layer: Layer, bits: Bits) -> QuantizedLayer:
        """One layer at its bits; 16 and 32 bits are left in float32.

        ncnn's products are in float32 at any bits (`quant.ncnn.attention`), and so are layers for
        which it has no 8 bits (`quant.ncnn.grouped`).
        """
        if layer.is_product and self.arithmetic == "ncnn":
            return quantized_product(None, None)
        if layer.is_product:
            second = self.input_levels(layer, bits.weight, second_input(layer.name))
            return quantized_product(self.input_levels(layer, bits.activation), second)
        floats = self.network.weights[layer.name]
        if self.arithmetic == "ncnn" and lacks_8_bits(layer):
            return QuantizedLayer(floats.weight, None, floats.bias, None)
        levels = self.input_levels(layer, bits.activation)
        if bits.weight > 8:
            return QuantizedLayer(floats.weight, None, floats.bias, levels)
        return QuantizedLayer(*self._integers(layer, bits.weight), floats.bias, levels)

    def input_levels(self, layer: Layer, bits: int, value: str | None = None) -> InputLevels | None:
        """Levels of a layer's input, or of the value that is named so in the ranges.

        None where it is not quantized to integers.
        """
        if bits > 8 or (bits == 8 and self._takes_image_as_it_is(layer)):
            return None
        name = value or layer.name
        key = name, bits
        if key not in self._levels:
            signed = self.arithmetic == "ncnn" or self.ranges.histograms[name].signed
            threshold = self.ranges.threshold(name, bits, signed)
            self._levels[key] = levels_up_to(threshold, bits, signed)
        return self._levels[key]

    def _centred(self, policy: Policy) -> Mapping[str, str]:
        """Layers of which ncnn centres the input."""
        if self.arithmetic == "simulated":
            return {}
        bits = {name: bits.activation for name, bits in policy.layers.items()}
        return centred_inputs(self._structure, as_run(self._structure, bits))

    @cached_property
    def _layers(self) -> tuple[Layer, ...]:
        return self.network.graph.layers

    @cached_property
    def _structure(self) -> list[NcnnLayer]:
        return structure(self.network.graph)

    def _integers(self, layer: Layer, bits: int) -> Integers:
        key = layer.name, bits
        if key not in self._weights:
            weight = torch.from_numpy(self.network.weights[layer.name].weight)
            values, scales = quantize_rows(weight, layer.scale_count, bits)
            self._weights[key] = values.numpy(), scales.numpy()
        return self._weights[key]

    def _takes_image_as_it_is(self, layer: Layer) -> bool:
        return self.arithmetic == "simulated" and layer.name in self.ranges.image_readers


def centre(made: QuantizedLayer, channels: int) -> QuantizedLayer:
    """A layer of 8 signed bits with steps half as wide, around the middle of a range from zero."""
    assert made.input is not None
    scale = 2 * made.input.scale
    half = np.float32(made.input.high / np.float32(scale))
    scales = np.ones_like(made.bias) if made.weight_scale is None else made.weight_scale
    bias = (made.bias + part_of_half(made.weight, scales, half)).astype(np.float32)
    offset = np.full(channels, half)
    levels = replace(made.input, scale=scale, offset=offset)
    return replace(made, bias=bias, input=levels)


def levels_up_to(threshold: float, bits: int, signed: bool) -> InputLevels:
    """Levels of which the highest stands for the threshold."""
    high = positive_levels(bits, signed)
    scale = float(np.float32(high) / np.float32(threshold))
    return InputLevels(scale, -high if signed else 0, high)


def round_half_away_(x: Tensor) -> Tensor:
    """C's round() in place: halves go away from zero."""
    return x.add_(torch.sign(x).mul_(0.5)).trunc_()


def quantize_rows(weight: Tensor, rows: int, bits: int) -> tuple[Tensor, Tensor]:
    """Symmetric integers and their scales, one a row (c_out,); 8 bits as ncnn does.

    Below 8 bits the scale of each row minimises the squared error among 40 clipping points.
    """
    flat = weight.contiguous().reshape(rows, -1)
    levels = positive_levels(bits, signed=True)
    peak = flat.abs().amax(1)
    # A tensor over a tensor: torch turns a number over a tensor into a less exact reciprocal.
    exact = torch.full_like(peak, levels) / peak
    scale = torch.where(peak < SMALLEST_PEAK, torch.ones_like(peak), exact)
    if bits < 8:
        scale = best_scale(flat, scale, levels)
    integers = round_half_away_(flat * scale[:, None]).clamp_(-levels, levels)
    return integers.reshape(weight.shape), scale.repeat_interleave(weight.shape[0] // rows)


def best_scale(flat: Tensor, scale: Tensor, levels: int) -> Tensor:
    """Scale of least squared error for every row, trying to clip up to 70 % of the peak away."""
    best, least = scale, torch.full_like(scale, float("inf"))
    for clip in torch.linspace(0.3, 1.0, WEIGHT_CLIPS):
        trial = scale / clip
        values = round_half_away_(flat * trial[:, None]).clamp_(-levels, levels)
        error = (values / trial[:, None] - flat).square().sum(1)
        best = torch.where(error < least, trial, best)
        least = torch.minimum(error, least)
    return best
