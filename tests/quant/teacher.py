"""ncnn's own values of every layer, and what fake quantization makes of the same inputs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from quant.calibrate import Ranges
from quant.fake_quant import FakeQuantNet
from quant.float_net import activate
from quant.graph import Floats, Layer, Network, Node
from quant.naive import NaiveQuantizer
from quant.ncnn.build import blob_names, dump, float_layers, mixed_layers, plan_policy
from quant.ncnn.centre import centred_inputs
from quant.ncnn.runtime import Engine, capabilities
from quant.ncnn.weights import activation_scale, round_half_away
from quant.operations import run_operation
from quant.policy import Policy
from quant.quantized import InputLevels, QuantizedLayers
from quant.saved import SavedQuantizer


@dataclass(frozen=True)
class Compared:
    """Output of one layer as ncnn and as we compute it.

    `bits` are the layer's; `width` those of an element of the blob that ncnn keeps, integers at 8.
    `largest_sum` is the largest absolute value before bias and activation.
    """

    layer: Layer
    bits: int
    width: int
    ncnn: Floats
    ours: Floats
    largest_sum: float

    @property
    def error(self) -> float:
        """Largest difference by the largest value."""
        return float(np.abs(self.ncnn - self.ours).max() / np.abs(self.ncnn).max())

    @property
    def error_of_sums(self) -> float:
        """Largest difference by the largest sum, of which bias and clip may leave little."""
        return float(np.abs(self.ncnn - self.ours).max() / self.largest_sum)

    @property
    def is_grouped(self) -> bool:
        """Depthwise, or in other groups."""
        return self.layer.groups > 1


@dataclass(frozen=True)
class Operated:
    """Output of a node without layer as ncnn and as we compute it from ncnn's inputs."""

    node: Node
    width: int
    ncnn: Floats
    ours: Floats

    @property
    def error(self) -> float:
        """Largest difference by the largest value."""
        return float(np.abs(self.ncnn - self.ours).max() / max(np.abs(self.ncnn).max(), 1e-9))


class Teacher:
    """A network under one policy in ncnn and in torch."""

    def __init__(self, network: Network, ranges: Ranges, policy: Policy) -> None:
        board, bits = capabilities(), policy.engine_bits()
        layers, thresholds = float_layers(network), ranges.engine_thresholds()
        param, weights = dump(mixed_layers(layers, bits, thresholds, board))
        bits16 = board.bits16 if 16 in bits.values() else "none"
        self.engine = Engine.from_memory(param, weights, bits16)
        self.bits, self.policy = bits, policy
        self.names = blob_names(network.graph)
        widths = plan_policy(layers, bits, thresholds, board).blob_bits
        self.widths = {node: widths[blob] for node, blob in self.names.items()}
        makers = centred_inputs(layers, bits)
        self.halves = {maker: np.float32(thresholds[name] / 2) for name, maker in makers.items()}
        weighted = network.graph.weighted_names
        centred = {name: thresholds[name] / (2 if name in makers else 1) for name in weighted}
        self.scales = {name: activation_scale(centred[name]) for name in weighted}
        made = NaiveQuantizer(network, ranges, "ncnn").layers(policy)
        self.net = FakeQuantNet(network.graph, SavedQuantizer(policy, read_as_kept(made)), board)

    def compare(self, image: Floats) -> Iterator[Compared]:
        """Every layer of the network on one image (C, H, W)."""
        found = self.found(image)
        scales = self.requantized_scales()
        values = {node: value / scales.get(node, 1.0) for node, value in found.items()}
        for node in self.net.graph.nodes:
            if node.layer is not None and node.layer.is_product:
                yield self.compare_product(node.layer, node, found)
            elif node.layer is not None:
                ours, theirs = self.run(node.layer, node, values), found[node.name]
                half = self.halves.get(node.name, np.float32(0))
                if node.name in scales:
                    ours = np.clip(round_half_away((ours - half) * scales[node.name]), -127, 127)
                else:
                    theirs = theirs + half
                width = self.widths[node.name]
                largest = self.largest_sum(node.layer, node, values)
                yield Compared(node.layer, self.bits[node.name], width, theirs, ours, largest)

    def compare_product(self, layer: Layer, node: Node, found: Mapping[str, Floats]) -> Compared:
        """A product, which ncnn computes in float32 whatever the policy says."""
        one, other = (torch.from_numpy(found[name])[None] for name in node.inputs)
        ours = self.net.run_product(layer, one, other, self.policy)[0].numpy()
        return Compared(layer, 32, self.widths[node.name], found[node.name], ours, 1.0)

    def operate(self, image: Floats) -> Iterator[Operated]:
        """Every node without layer on one image (C, H, W), on ncnn's own inputs."""
        found = self.found(image)
        for node in self.net.graph.nodes[1:]:
            if node.layer is None:
                inputs = [torch.from_numpy(found[name])[None] for name in node.inputs]
                ours, width = run_operation(node, inputs), self.widths[node.name]
                ours = self.net.round16(ours) if width == 16 else ours
                yield Operated(node, width, found[node.name], ours[0].numpy())

    def found(self, image: Floats) -> dict[str, Floats]:
        """ncnn's value of every node, in the shape that it has."""
        blobs = self.engine.blobs(image, self.names.values())
        return {
            node.name: blobs[self.names[node.name]].reshape(node.shape)
            for node in self.net.graph.nodes
        }

    def requantized_scales(self) -> dict[str, float]:
        """Scale of every node that ncnn keeps in int8: that of the layer which reads it."""
        nodes = self.net.graph.nodes
        sources = {n.inputs[0]: self.scales[n.name] for n in nodes if n.name in self.scales}
        return {s: scale for s, scale in sources.items() if self.widths[s] == 8}

    def largest_sum(self, layer: Layer, node: Node, values: Mapping[str, Floats]) -> float:
        """Of one layer of ours, without its bias."""
        sums = self.net.run_layer(layer, as_input(node, values), self.policy)[0]
        bias = torch.from_numpy(self.net.layers(self.policy)[layer.name].bias)
        return float((sums - bias.reshape(-1, *[1] * (sums.ndim - 1))).abs().max())

    def run(self, layer: Layer, node: Node, values: Mapping[str, Floats]) -> Floats:
        """One layer of ours with its activation, on ncnn's input."""
        x = as_input(node, values)
        value = activate(self.net.run_layer(layer, x, self.policy), layer.activation)
        if self.widths[node.name] == 16:
            value = self.net.round16(value)
        found: Floats = value[0].numpy()
        return found


def as_input(node: Node, values: Mapping[str, Floats]) -> torch.Tensor:
    """What a node reads, as a batch of one."""
    return torch.from_numpy(values[node.inputs[0]].astype(np.float32))[None]


def read_as_kept(layers: QuantizedLayers) -> QuantizedLayers:
    """Layers for ncnn's own inputs, which it keeps centred: their offset is taken already."""
    return {
        name: replace(layer, input=without_offset(layer.input)) for name, layer in layers.items()
    }


def without_offset(levels: InputLevels | None) -> InputLevels | None:
    if levels is None or levels.offset is None:
        return levels
    return replace(levels, offset=np.zeros_like(levels.offset))
