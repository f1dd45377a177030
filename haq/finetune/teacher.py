"""The float network as a network of float layers, which runs on any device."""

from __future__ import annotations

import torch
from torch import Tensor

from quant.float_net import batch_size
from quant.graph import Network
from quant.learned import LearnedNet
from quant.policy import uniform
from quant.quantized import QuantizedLayer, quantized_product

GPU_BATCH = 256


def make_teacher(network: Network) -> LearnedNet:
    """A network that computes what the float network computes, without gradients."""
    layers = {
        name: QuantizedLayer(weights.weight, None, weights.bias, None)
        for name, weights in network.weights.items()
    } | dict.fromkeys(network.graph.products, quantized_product(None, None))
    floats = uniform(network.graph.layer_names, 32, 32)
    teacher = LearnedNet(network.graph, layers, floats)
    teacher.requires_grad_(False)
    return teacher


@torch.no_grad()
def run_all(net: LearnedNet, x: Tensor, until: str | None = None) -> Tensor:
    """Values of the last node, or of `until`, of normalised images, a few images at a time."""
    graph = net.graph
    image, last = graph.nodes[0].name, until or graph.nodes[-1].name
    if last == image:
        return x
    return torch.cat([net.run({image: part}, last) for part in torch.split(x, part_size(x))])


def part_size(x: Tensor) -> int:
    """How many images (N, C, H, W) to run at a time on their device."""
    return batch_size(x) if x.device.type == "cpu" else GPU_BATCH
