"""Quantized layers run in torch, computed as the deployed engine computes them.

Every layer turns its own input into integers, multiplies these with its weights' integers, and
scales the sums back. In ncnn a requantized blob is the same as a reader that quantizes. At 16 bits
values are rounded to the board's type wherever its ncnn keeps 16-bit blobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from quant import attention
from quant.float_net import apply_layer, run_graph
from quant.graph import Floats, Graph, Layer, Node, Op
from quant.naive import round_half_away_
from quant.ncnn.build import blob_names, plan_policy, structure, weighted_type
from quant.ncnn.capabilities import Capabilities
from quant.policy import Policy
from quant.quantized import InputLevels, QuantizedLayer, QuantizedLayers, Quantizer

ENGINE_LEVELS = 127
NEVER_NEGATIVE: tuple[Op, ...] = ("relu", "relu6", "sigmoid", "hardsigmoid", "softmax")
KEEP_SIGN: tuple[Op, ...] = (
    *("take", "context"),
    *("add", "mul", "concat", "slice", "shuffle", "reshape", "resize"),
    *("max_pool", "avg_pool", "adaptive_avg_pool", "global_avg_pool"),
)
"""Operations that make nothing negative of what is not."""


@dataclass(frozen=True)
class LayerTensors:
    """A quantized layer ready to run; its numbers by channel are (C,)."""

    weight: Tensor
    bias: Tensor
    factor: Tensor | None
    levels: InputLevels | None
    scale: Tensor
    offset: Tensor | None


class Prepared(NamedTuple):
    """Layers of a policy, as tensors and as they were made, and the widths of all nodes."""

    tensors: Mapping[str, LayerTensors]
    widths: Mapping[str, int]
    layers: QuantizedLayers


class FakeQuantNet:
    """Runs a network under any policy, with the integers that a quantizer makes."""

    def __init__(
        self,
        graph: Graph,
        quantizer: Quantizer,
        capabilities: Capabilities,
        device: torch.device | str = "cpu",
    ) -> None:
        self.graph, self.quantizer, self.capabilities = graph, quantizer, capabilities
        self.device = torch.device(device)
        self._structure = structure(graph)
        self._blobs = blob_names(graph)
        self._types = {layer.name: weighted_type(layer)[0] for layer in graph.layers}
        self._never_negative = never_negative(graph)
        self._last: tuple[Policy, Prepared] | None = None

    def logits(self, x: Tensor, policy: Policy) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W). Raises PolicyError."""
        tensors, widths, layers = self._prepare(policy)

        def run(layer: Layer, value: Tensor) -> Tensor:
            return self._run(layer, value, tensors[layer.name], policy)

        def after(node: Node, value: Tensor) -> Tensor:
            return self.round16(value) if widths.get(node.name) == 16 else value

        def product(layer: Layer, one: Tensor, other: Tensor) -> Tensor:
            return multiply_rounded(layer, one, other, layers[layer.name])

        return run_graph(self.graph, x, run, after, product)

    def prepare(self, policy: Policy) -> None:
        """Quantize now: then several threads may run batches of the policy. Raises PolicyError."""
        self._prepare(policy)

    def layers(self, policy: Policy) -> QuantizedLayers:
        """What is computed with: the quantizer's layers, 16-bit weights rounded as stored."""
        policy.check_names(self.graph.layer_names)
        made = self.quantizer.layers(policy)
        return {
            layer.name: self._store(layer, made[layer.name], policy[layer.name].weight)
            for layer in self.graph.layers
        }

    def node_widths(self, policy: Policy) -> Mapping[str, int]:
        """Bits in which ncnn keeps each node's value; empty where ncnn cannot run the policy."""
        return self._prepare(policy).widths

    def run_layer(self, layer: Layer, x: Tensor, policy: Policy) -> Tensor:
        """One layer without its activation."""
        return self._run(layer, x, self._prepare(policy).tensors[layer.name], policy)

    def run_product(self, layer: Layer, one: Tensor, other: Tensor, policy: Policy) -> Tensor:
        """A product of two values."""
        return multiply_rounded(layer, one, other, self._prepare(policy).layers[layer.name])

    def round16(self, x: Tensor) -> Tensor:
        """Round to the board's 16-bit type and back."""
        return x.to(torch.float16 if self.capabilities.bits16 == "fp16" else torch.bfloat16).float()

    def computes16(self, layer: Layer) -> bool:
        """Whether the board has 16-bit arithmetic for this kind of layer."""
        kind = self._types[layer.name]
        return self.capabilities.bits16 != "none" and kind in self.capabilities.types16

    def _prepare(self, policy: Policy) -> Prepared:
        """What computes a policy; that of the last one is kept, since images come in batches."""
        if self._last is None or self._last[0] != policy:
            layers = self.layers(policy)
            tensors = {n: to_tensors(layer, self.device) for n, layer in layers.items()}
            self._last = policy, Prepared(tensors, self._widths(policy, layers), layers)
        return self._last[1]

    def _widths(self, policy: Policy, layers: QuantizedLayers) -> Mapping[str, int]:
        if not policy.is_deployable:
            return {}
        thresholds = {n: ENGINE_LEVELS / q.input.scale for n, q in layers.items() if q.input}
        # The image at 8 bits may be taken as it is, but ncnn's plan needs a range.
        thresholds = {**dict.fromkeys(layers, 1.0), **thresholds}
        plan = plan_policy(self._structure, policy.engine_bits(), thresholds, self.capabilities)
        return {node: plan.blob_bits[blob] for node, blob in self._blobs.items()}

    def _store(self, layer: Layer, made: QuantizedLayer, bits: int) -> QuantizedLayer:
        """16-bit weights as the file stores them (fp16), then as the layer computes with them."""
        if bits != 16:
            return made
        weight = torch.from_numpy(made.weight).half().float()
        return replace(
            made, weight=(self.round16(weight) if self.computes16(layer) else weight).numpy()
        )

    def _run(self, layer: Layer, x: Tensor, tensors: LayerTensors, policy: Policy) -> Tensor:
        if policy[layer.name].activation == 16 and self.computes16(layer):
            return multiply(layer, self.round16(x), tensors)
        return multiply(layer, to_integers(x, tensors, layer.name in self._never_negative), tensors)


def to_integers(x: Tensor, tensors: LayerTensors, positive: bool = False) -> Tensor:
    """The integers of an input as float32; x itself where it stays float.

    `positive` says that x is never negative: rounding then needs no care for signs.
    """
    levels = tensors.levels
    if levels is None:
        return x
    if tensors.offset is not None:
        x = x - by_channel(tensors.offset, x)
    scaled = x * by_channel(tensors.scale, x)
    if positive and tensors.offset is None:
        return scaled.add_(0.5).floor_().clamp_(max=levels.high)
    return round_half_away_(scaled).clamp_(levels.low, levels.high)


def multiply_rounded(layer: Layer, one: Tensor, other: Tensor, made: QuantizedLayer) -> Tensor:
    """A product of values on their levels."""
    return attention.multiply(layer, rounded(one, made.input), rounded(other, made.second))


def rounded(x: Tensor, levels: InputLevels | None) -> Tensor:
    """A product's value on its levels; x itself where it stays float."""
    if levels is None:
        return x
    return round_half_away_(x * levels.scale).clamp_(levels.low, levels.high) / levels.scale


def multiply(layer: Layer, x: Tensor, tensors: LayerTensors) -> Tensor:
    """The output of a layer, without its activation, from what `to_integers` gives."""
    if tensors.factor is None:
        return apply_layer(layer, x, tensors.weight, tensors.bias)
    sums = apply_layer(layer, x, tensors.weight, None)
    return torch.addcmul(by_channel(tensors.bias, sums), sums, by_channel(tensors.factor, sums))


def to_tensors(layer: QuantizedLayer, device: torch.device) -> LayerTensors:
    """Numbers of a layer as tensors, convolutions channels-last."""
    weight = torch.from_numpy(layer.weight).to(device)
    if weight.ndim == 4:
        weight = weight.contiguous(memory_format=torch.channels_last)
    levels = layer.input
    scale = np.ones(1, np.float32) if levels is None else input_scale(levels)
    offset = None if levels is None or levels.offset is None else as_tensor(levels.offset, device)
    bias = as_tensor(layer.bias, device)
    return LayerTensors(
        weight, bias, as_factor(layer, device), levels, as_tensor(scale, device), offset
    )


def input_scale(levels: InputLevels) -> Floats:
    """scale / spread: (1,) or (c_in,)."""
    scale = np.full(1, levels.scale, np.float32)
    return scale if levels.spread is None else scale / levels.spread


def as_factor(layer: QuantizedLayer, device: torch.device) -> Tensor | None:
    """1 / (input scale * weight scale) by output channel; None where nothing is integer."""
    if layer.input is None and layer.weight_scale is None:
        return None
    scales = np.ones(len(layer.bias), np.float32)
    if layer.weight_scale is not None:
        scales = layer.weight_scale
    of_input = 1.0 if layer.input is None else layer.input.scale
    return 1.0 / (of_input * as_tensor(scales, device))


def as_tensor(values: Floats, device: torch.device) -> Tensor:
    """float32 values on a device."""
    return torch.from_numpy(values).to(device)


def by_channel(values: Tensor, like: Tensor) -> Tensor:
    """Values (C,) shaped to go with (N, C, H, W) or (N, C)."""
    return values.reshape(1, -1, *[1] * (like.ndim - 2))


def never_negative(graph: Graph) -> frozenset[str]:
    """Layers whose input is never negative: rounding needs no care for signs there."""
    found: set[str] = set()
    for node in graph.nodes:
        clipped = node.layer is not None and node.layer.activation != "none"
        kept = node.op in KEEP_SIGN and found.issuperset(node.inputs)
        if clipped or kept or node.op in NEVER_NEGATIVE:
            found.add(node.name)
    return frozenset(n.name for n in graph.nodes if n.layer and n.inputs[0] in found)
