"""The quantized network in torch, computed as the deployed engine computes it.

Every layer quantizes its own input and weights to integers, multiplies these, and scales the sums
back: y = conv(q(x), q(w)) / (s_x * s_w) + bias. At 8 bits in ncnn's arithmetic levels are signed,
-127..127, rounded half away from zero, and a requantized blob is the same as a reader that
quantizes. At 16 bits values are rounded to the board's type wherever its ncnn keeps 16-bit blobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from quant.calibrate import Ranges
from quant.float_net import apply_layer, run_graph, to_tensors
from quant.graph import Floats, Graph, Layer, Network, Node
from quant.ncnn.build import blob_names, ncnn_type, plan_policy, structure
from quant.ncnn.capabilities import Capabilities
from quant.ncnn.weights import SMALLEST_PEAK
from quant.observers import positive_levels
from quant.policy import Bits, Policy

Arithmetic = Literal["ncnn", "simulated"]
Quantized = tuple[Tensor, Tensor | None]
"""Integers (as float32) with their scales (c_out,), or float weights and None."""

WEIGHT_CLIPS = 40


@dataclass(frozen=True)
class InputLevels:
    """Integers `low`..`high` that stand for `scale` times a layer's input."""

    scale: float
    low: int
    high: int


class FakeQuantNet:
    """Runs a network under any policy; weights are quantized once per (layer, bits)."""

    def __init__(
        self,
        network: Network,
        ranges: Ranges,
        capabilities: Capabilities,
        arithmetic: Arithmetic = "ncnn",
    ) -> None:
        """`simulated` arithmetic has unsigned levels behind ReLU and takes the image as it is."""
        self.graph = network.graph
        self.capabilities = capabilities
        self.arithmetic = arithmetic
        self._ranges = ranges
        self._tensors = to_tensors(network)
        self._structure = structure(network.graph)
        self._engine_thresholds = ranges.engine_thresholds()
        self._blobs = blob_names(network.graph)
        self._types = {n.name: ncnn_type(n)[0] for n in network.graph.nodes}
        self._never_negative = never_negative(network.graph)
        self._weights: dict[tuple[str, int], Quantized] = {}
        self._levels: dict[tuple[str, int], InputLevels] = {}

    def logits(self, x: Tensor, policy: Policy) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W). Raises PolicyError."""
        policy.check_names(self.graph.layer_names)
        widths = self.node_widths(policy)

        def run(layer: Layer, value: Tensor) -> Tensor:
            return self.run_layer(layer, value, policy[layer.name])

        def after(node: Node, value: Tensor) -> Tensor:
            return self.round16(value) if widths.get(node.name) == 16 else value

        return run_graph(self.graph, x, run, after)

    def node_widths(self, policy: Policy) -> Mapping[str, int]:
        """Bits in which ncnn keeps each node's value; empty where ncnn cannot run the policy."""
        if not policy.is_deployable:
            return {}
        plan = plan_policy(
            self._structure, policy.engine_bits(), self._engine_thresholds, self.capabilities
        )
        return {node: plan.blob_bits[blob] for node, blob in self._blobs.items()}

    def run_layer(self, layer: Layer, x: Tensor, bits: Bits) -> Tensor:
        """One layer without its activation."""
        x, input_scale = self._quantize_input(layer, x, bits.activation)
        weight, weight_scale = self._quantize_weight(layer, bits.weight)
        bias = self._tensors[layer.name][1]
        if input_scale == 1.0 and weight_scale is None:
            return apply_layer(layer, x, weight, bias)
        sums = apply_layer(layer, x, weight, None)
        shape = (1, -1, 1, 1) if sums.ndim == 4 else (1, -1)
        scale = torch.ones(layer.c_out) if weight_scale is None else weight_scale
        factor = 1.0 / (input_scale * scale)
        return torch.addcmul(bias.reshape(shape), sums, factor.reshape(shape))

    def round16(self, x: Tensor) -> Tensor:
        """Round to the board's 16-bit type and back."""
        return x.to(torch.float16 if self.capabilities.bits16 == "fp16" else torch.bfloat16).float()

    def computes16(self, layer: Layer) -> bool:
        """Whether the board has 16-bit arithmetic for this kind of layer."""
        kind = self._types[layer.name]
        return self.capabilities.bits16 != "none" and kind in self.capabilities.types16

    def input_levels(self, layer: Layer, bits: int) -> InputLevels | None:
        """Levels of a layer's input; None where it is not quantized to integers."""
        if bits > 8 or (bits == 8 and self._takes_image_as_it_is(layer)):
            return None
        key = layer.name, bits
        if key not in self._levels:
            signed = self.arithmetic == "ncnn" or self._ranges.histograms[layer.name].signed
            high = positive_levels(bits, signed)
            scale = float(
                np.float32(high) / np.float32(self._ranges.threshold(layer.name, bits, signed))
            )
            self._levels[key] = InputLevels(scale, -high if signed else 0, high)
        return self._levels[key]

    def weight_values(self, layer: Layer, bits: int) -> tuple[Floats, Floats | None]:
        """Weights as the layer computes with them: integers and a scale a channel, or floats."""
        values, scales = self._quantize_weight(layer, bits)
        return values.contiguous().numpy(), None if scales is None else scales.numpy()

    def bias(self, layer: Layer) -> Floats:
        """float32 bias (c_out,)."""
        bias: Floats = self._tensors[layer.name][1].numpy()
        return bias

    def _quantize_input(self, layer: Layer, x: Tensor, bits: int) -> tuple[Tensor, float]:
        if bits == 16 and self.computes16(layer):
            return self.round16(x), 1.0
        levels = self.input_levels(layer, bits)
        if levels is None:
            return x, 1.0
        scaled = x * levels.scale
        if layer.name in self._never_negative:
            return scaled.add_(0.5).floor_().clamp_(max=levels.high), levels.scale
        return round_half_away_(scaled).clamp_(levels.low, levels.high), levels.scale

    def _quantize_weight(self, layer: Layer, bits: int) -> Quantized:
        key = layer.name, bits
        if key not in self._weights:
            weight = self._tensors[layer.name][0]
            if bits == 32:
                self._weights[key] = weight, None
            elif bits == 16:
                self._weights[key] = self._half_weight(layer, weight), None
            else:
                self._weights[key] = quantize_rows(weight, layer.scale_count, bits)
        return self._weights[key]

    def _half_weight(self, layer: Layer, weight: Tensor) -> Tensor:
        """Weights as the file stores them (fp16), then as the layer computes with them."""
        stored = weight.half().float()
        return self.round16(stored) if self.computes16(layer) else stored

    def _takes_image_as_it_is(self, layer: Layer) -> bool:
        """In HAQ's convention the first input is the image, which has 8 bits already."""
        return self.arithmetic == "simulated" and layer.name in self._ranges.image_readers


def never_negative(graph: Graph) -> frozenset[str]:
    """Layers whose input comes straight from a ReLU: rounding needs no care for signs there."""
    clipped = {n.name for n in graph.nodes if n.op in ("relu", "relu6")}
    clipped |= {n.name for n in graph.nodes if n.layer and n.layer.activation != "none"}
    return frozenset(n.name for n in graph.nodes if n.layer and n.inputs[0] in clipped)


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
    shaped = integers.reshape(weight.shape)
    if shaped.ndim == 4:
        shaped = shaped.contiguous(memory_format=torch.channels_last)
    return shaped, scale.repeat_interleave(weight.shape[0] // rows)


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
