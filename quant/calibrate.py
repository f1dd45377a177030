"""Calibration: run unlabelled images through the float network and note every layer's input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from quant.float_net import FloatNet, batch_size
from quant.graph import Graph, Network, Node
from quant.observers import BINS, Histogram, Method, threshold


@dataclass(frozen=True)
class Ranges:
    """Histograms of every layer's input and the method that turns them into thresholds.

    That of a product's second value has the name that `second_input` gives.
    """

    histograms: Mapping[str, Histogram]
    method: Method
    image_readers: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    _found: dict[tuple[str, int, bool], float] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """Thresholds that were asked for: every policy asks for those of all layers."""

    def threshold(self, name: str, bits: int, signed: bool) -> float:
        """Clipping threshold of a layer's input.

        Images are never clipped: their few distinct values mislead every method but absmax.
        """
        if (name, bits, signed) not in self._found:
            method: Method = "absmax" if name in self.image_readers else self.method
            found = threshold(self.histograms[name], bits, method, signed)
            self._found[name, bits, signed] = found
        return self._found[name, bits, signed]

    def engine_thresholds(self) -> dict[str, float]:
        """Thresholds at ncnn's signed 8 bits by layer name; products have no such bits there."""
        return {
            name: self.threshold(name, 8, signed=True)
            for name in self.histograms
            if name not in self.products
        }


def calibrate(network: Network, images: Tensor, method: Method) -> Ranges:
    """Ranges of normalised images (N, C, H, W): one pass for the peaks, one for the counts."""
    net = FloatNet(network)
    inputs = layer_inputs(network.graph)
    sources = set(inputs.values())
    lows, peaks = dict.fromkeys(sources, 0.0), dict.fromkeys(sources, 0.0)
    counts = {name: torch.zeros(BINS, dtype=torch.float64) for name in sources}

    def note_peak(node: Node, value: Tensor) -> Tensor:
        if node.name in sources:
            lows[node.name] = min(lows[node.name], float(value.min()))
            peaks[node.name] = max(peaks[node.name], float(value.abs().max()))
        return value

    def note_counts(node: Node, value: Tensor) -> Tensor:
        if node.name in sources and peaks[node.name] > 0:
            # Zero is exact at any scale; half of a ReLU's outputs would drown the rest.
            found = torch.histc(value[value != 0].abs(), BINS, 0.0, peaks[node.name])
            counts[node.name] += found.double()
        return value

    for observe in (note_peak, note_counts):
        for batch in torch.split(images, batch_size(images)):
            net.logits(batch, observe)
    seen = {s: Histogram(counts[s].numpy(), peaks[s], lows[s] < 0) for s in sources}
    image = network.graph.nodes[0].name
    image_readers = frozenset(name for name, source in inputs.items() if source == image)
    products = network.graph.products
    both = products | {second_input(name) for name in products}
    return Ranges({n: seen[source] for n, source in inputs.items()}, method, image_readers, both)


def layer_inputs(graph: Graph) -> dict[str, str]:
    """Nodes that layers read, by layer; the second one of a product by `second_input`."""
    layers = [node for node in graph.nodes if node.layer]
    firsts = {node.name: node.inputs[0] for node in layers}
    return firsts | {second_input(node.name): node.inputs[1] for node in layers if node.inputs[1:]}


def second_input(name: str) -> str:
    """What the second value of a product is called among ranges."""
    return f"{name}/second"
