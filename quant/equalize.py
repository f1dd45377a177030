"""A float network rewritten so that ncnn's 8 bits lose less of it; what it computes stays.

These bits are signed, with one scale for all channels of a layer's input. So
- what depthwise layers read has small channels scaled up, free where weights have a scale a channel
  (Nagel et al. 2019, section 4.1). No channel of a ReLU6 may come near the clip by it;
- channels of sums and of linear layers are centred by their range on the images, where what reads
  them pads nothing on (cf. bias absorption, section 4.1.3 there).

Columns of dense layers are not scaled (Xiao et al. 2023): it gives evenness of activations for
unevenness of weights, and lost more than it won on the pretrained MobileNetV2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from quant.float_net import FloatNet, batch_size
from quant.graph import Graph, Layer, Network, Node
from quant.rewrite import Change, Doubles, rewrite

CLIP_OF_6 = 6.0
MARGIN = 3.0
"""Channels of a ReLU6 stay below the clip even if they grow to so many times what was seen."""
MOST = 4.0
"""Channels that are hardly ever active are not scaled by more."""
SMALLEST_PEAK = 1e-6

Extremes = Mapping[str, tuple[Doubles, Doubles]]
"""Least and greatest value of each channel, (C,) and (C,), by node."""


def equalize(network: Network, images: Tensor) -> Network:
    """The network rewritten for values as on normalised images (N, C, H, W)."""
    return rewrite(network, choose_changes(network.graph, find_extremes(network, images)))


def find_extremes(network: Network, images: Tensor) -> Extremes:
    """What the channels of every node reach."""
    found: dict[str, tuple[Tensor, Tensor]] = {}

    def note(node: Node, value: Tensor) -> Tensor:
        pixels = value.flatten(2) if value.ndim == 4 else value[..., None]
        low, high = pixels.amin((0, 2)), pixels.amax((0, 2))
        before = found.get(node.name, (low, high))
        found[node.name] = torch.minimum(low, before[0]), torch.maximum(high, before[1])
        return value

    net = FloatNet(network)
    for batch in torch.split(images, batch_size(images)):
        net.logits(batch, note)
    return {n: (low.double().numpy(), high.double().numpy()) for n, (low, high) in found.items()}


def choose_changes(graph: Graph, seen: Extremes) -> dict[str, Change]:
    """Scales of what depthwise layers read, offsets of what is read without padding."""
    wiring = wire(graph)
    offsets = choose_offsets(graph, wiring, seen)
    changes = {name: Change(np.ones_like(offset), offset) for name, offset in offsets.items()}
    for node in graph.nodes:
        if node.layer is not None and is_read_depthwise(wiring.readers[node.name]):
            scale = choose_scale(node.layer, *seen[node.name])
            changes[node.name] = Change(scale, np.zeros_like(scale))
    return changes


@dataclass(frozen=True)
class Wiring:
    """Readers of every node, and the free branch of each add that has one, by name.

    A free branch is a linear layer that nothing else reads: its bias can move the sum.
    """

    readers: Mapping[str, Sequence[Node]]
    branches: Mapping[str, str]


def wire(graph: Graph) -> Wiring:
    """Who reads whom."""
    readers = {n.name: [r for r in graph.nodes if n.name in r.inputs] for n in graph.nodes}
    branches = {
        readers[node.name][0].name: node.name
        for node in graph.nodes
        if is_linear(node)
        and [(r.op, len(set(r.inputs))) for r in readers[node.name]] == [("add", 2)]
    }
    return Wiring(readers, branches)


def is_read_depthwise(readers: Sequence[Node]) -> bool:
    """Whether depthwise layers read a value, and nothing else does."""
    return bool(readers) and all(r.layer is not None and r.layer.is_depthwise for r in readers)


def choose_scale(layer: Layer, low: Doubles, high: Doubles) -> Doubles:
    """Scale (c_out,) that brings channels up to the largest, or a ReLU6's to a margin below 6."""
    peak = np.maximum(np.maximum(-low, high), SMALLEST_PEAK)
    top = CLIP_OF_6 / MARGIN if layer.activation == "relu6" else peak.max()
    scale: Doubles = np.clip(top / peak, 1.0, MOST)
    return scale


def choose_offsets(graph: Graph, wiring: Wiring, seen: Extremes) -> dict[str, Doubles]:
    """Offsets (C,) of sums and linear layers, and of branches that make up for others."""
    found: dict[str, Doubles] = {}
    for node in graph.nodes:
        readers = wiring.readers[node.name]
        if any(r.layer is not None for r in readers) and is_movable(node, wiring):
            low, high = seen[node.name]
            found[node.name] = (low + high) / 2
    for node in graph.nodes:
        if node.name in wiring.branches:
            branch = wiring.branches[node.name]
            (other,) = set(node.inputs) - {branch}
            zero = np.zeros(node.shape[0])
            found[branch] = found.get(node.name, zero) - found.get(other, zero)
    return found


def is_movable(node: Node, wiring: Wiring) -> bool:
    """Whether a node may have offsets: readers pad nothing on, adds have another branch for it."""
    return (is_linear(node) or node.name in wiring.branches) and all(
        wiring.branches.get(reader.name, node.name) != node.name
        if reader.layer is None
        else takes_offset(reader.layer, node.shape[0])
        for reader in wiring.readers[node.name]
    )


def is_linear(node: Node) -> bool:
    """Whether a node is a layer with weights and without activation."""
    layer = node.layer
    return layer is not None and not layer.is_product and layer.activation == "none"


def takes_offset(layer: Layer, channels: int) -> bool:
    """Whether the bias of a layer can make up for offsets of all that it reads."""
    return not layer.is_product and not any(layer.pads) and layer.c_in == channels
