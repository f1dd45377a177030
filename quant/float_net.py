"""The float network that a `Network` describes, run node by node in torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from quant.attention import multiply
from quant.graph import Graph, Layer, Network, Node
from quant.operations import run_operation

BATCH = 50
PIXELS = 200_000
"""Images at a time, and pixels at a time: larger feature maps leave the caches."""
RunLayer = Callable[[Layer, Tensor], Tensor]
RunProduct = Callable[[Layer, Tensor, Tensor], Tensor]
AfterNode = Callable[[Node, Tensor], Tensor]


@torch.no_grad()
def run_graph(
    graph: Graph,
    x: Tensor,
    run_layer: RunLayer,
    after: AfterNode | None = None,
    run_product: RunProduct = multiply,
) -> Tensor:
    """Logits of normalised images (N, C, H, W), without gradients; see `walk_graph`."""
    return walk_graph(graph, x, run_layer, after, run_product)


def walk_graph(
    graph: Graph,
    x: Tensor,
    run_layer: RunLayer,
    after: AfterNode | None = None,
    run_product: RunProduct = multiply,
) -> Tensor:
    """Logits of normalised images (N, C, H, W); gradients flow.

    `run_layer` computes a layer with weights, without its activation, `run_product` one of two
    values; `after` may change the value of every node.
    """
    image, *others = graph.nodes
    first = {image.name: after(image, x) if after else x}
    return run_nodes(others, first, run_layer, after, run_product)


def run_nodes(
    nodes: Sequence[Node],
    values: Mapping[str, Tensor],
    run_layer: RunLayer,
    after: AfterNode | None = None,
    run_product: RunProduct = multiply,
) -> Tensor:
    """Value of the last of `nodes`, which read one another and `values`; gradients flow.

    Values are dropped after their last reader.
    """
    left = count_readers(nodes)
    known = dict(values)
    for node in nodes:
        value = run_node(node, [known[name] for name in node.inputs], run_layer, run_product)
        known[node.name] = after(node, value) if after else value
        for name in node.inputs:
            left[name] -= 1
            if left[name] == 0:
                del known[name]
    return known[nodes[-1].name]


def count_readers(nodes: Sequence[Node]) -> Counter[str]:
    """How often each node's value is read."""
    return Counter(name for node in nodes for name in node.inputs)


def run_node(
    node: Node, inputs: list[Tensor], run_layer: RunLayer, run_product: RunProduct
) -> Tensor:
    """Value of one node."""
    if node.layer is not None and node.layer.is_product:
        return run_product(node.layer, *inputs)
    if node.layer is not None:
        value = run_layer(node.layer, inputs[0])
        return activate(value, node.layer.activation)
    return run_operation(node, inputs)


def activate(x: Tensor, kind: str) -> Tensor:
    """ReLU, ReLU6 or nothing, in place; for gradients torch keeps the result alone."""
    if kind == "relu6":
        return F.relu6(x, inplace=True)
    return torch.relu_(x) if kind == "relu" else x


def apply_layer(layer: Layer, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolution or matrix product with zero padding."""
    if layer.op == "linear":
        return F.linear(x.flatten(1), weight, bias)
    left, right, top, bottom = layer.pads
    if left == right and top == bottom:
        padding = (top, left)
    else:
        x, padding = F.pad(x, layer.pads), (0, 0)
    return F.conv2d(x, weight, bias, layer.stride, padding, layer.dilation, layer.groups)


def to_tensors(network: Network) -> Mapping[str, tuple[Tensor, Tensor]]:
    """Weights and biases as torch tensors by layer name, convolutions channels-last."""
    tensors = {}
    for name, weights in network.weights.items():
        weight = torch.from_numpy(weights.weight)
        if weight.ndim == 4:
            weight = weight.contiguous(memory_format=torch.channels_last)
        tensors[name] = (weight, torch.from_numpy(weights.bias))
    return tensors


def batch_size(images: Tensor) -> int:
    """How many images (N, C, H, W) to run at a time."""
    height, width = images.shape[2:]
    return max(1, min(BATCH, PIXELS // (height * width)))


class FloatNet:
    """Runs a `Network` in float32."""

    def __init__(self, network: Network) -> None:
        self.graph = network.graph
        self._tensors = to_tensors(network)

    def logits(self, x: Tensor, after: AfterNode | None = None) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        return run_graph(self.graph, x, self._run, after)

    def _run(self, layer: Layer, x: Tensor) -> Tensor:
        return apply_layer(layer, x, *self._tensors[layer.name])
