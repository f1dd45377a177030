"""A quantized network that can be trained: its weights, its steps, its biases.

    net = LearnedNet(graph, layers, policy, targets)      # starts as FakeQuantNet on `layers`
    chosen = net.train_only(("steps", "biases"))          # parameters by kind, for an optimizer
    logits = net(x, drop)                                 # or a part: net.run({node: value}, node)
    layers = net.to_quantized()                           # FakeQuantNet on these equals `net`

Layers of 16 and 32 bits stay float32 and can be trained, too. Products are rounded to the levels
that they have, which are not trained. Run small batches: on a CPU feature
maps that leave the caches cost several times as much (`batch_size` of `quant.float_net`), and the
gradients of batches add up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from torch import Tensor, nn
from torch.nn import Parameter

from quant.attention import multiply
from quant.fake_quant import never_negative, rounded
from quant.float_net import run_nodes
from quant.graph import Floats, Graph, Layer, Node
from quant.learned_layer import KINDS, Kind, LearnedLayer
from quant.policy import Policy
from quant.qdrop import Drop
from quant.quantized import InputLevels, QuantizedLayers

__all__ = ["KINDS", "Drop", "Kind", "LearnedLayer", "LearnedNet", "nodes_between"]


class LearnedNet(nn.Module):
    """Runs a graph with trainable layers; images and values are channels-last for speed."""

    def __init__(
        self,
        graph: Graph,
        layers: QuantizedLayers,
        policy: Policy,
        targets: Mapping[str, Floats] | None = None,
    ) -> None:
        """`targets` by layer name: the float weights that integers stand for (`LearnedWeight`).

        Raises ValueError where integers do not fit the policy's bits.
        """
        super().__init__()
        self.graph = graph
        positive, wanted = never_negative(graph), targets or {}
        self.by_name = {
            layer.name: LearnedLayer(
                layer,
                layers[layer.name],
                policy[layer.name].weight,
                layer.name in positive,
                wanted.get(layer.name),
            )
            for layer in graph.layers
            if not layer.is_product
        }
        self.products = {name: layers[name] for name in graph.products}
        self.layers = nn.ModuleList(self.by_name.values())

    def forward(self, x: Tensor, drop: Drop | None = None) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        return self.run({self.graph.nodes[0].name: x}, self.graph.nodes[-1].name, drop)

    def run(self, values: Mapping[str, Tensor], until: str, drop: Drop | None = None) -> Tensor:
        """Value of the node `until`, from those of the nodes `values`, which are left as they are.

        With `drop` inputs are rounded only in part. Raises KeyError where values are missing.
        """
        nodes = nodes_between(self.graph, values, until)

        def run_layer(layer: Layer, x: Tensor) -> Tensor:
            value: Tensor = self.by_name[layer.name](x, drop)
            return value

        def run_product(layer: Layer, one: Tensor, other: Tensor) -> Tensor:
            made = self.products[layer.name]
            return multiply(layer, straight(one, made.input), straight(other, made.second))

        return run_nodes(nodes, values, run_layer, run_product=run_product)

    def train_only(
        self, kinds: Collection[Kind], layers: Collection[str] | None = None
    ) -> dict[Kind, list[Parameter]]:
        """Parameters of these kinds, of all layers or those named; no others get gradients."""
        self.requires_grad_(False)
        chosen: dict[Kind, list[Parameter]] = {
            kind: [
                parameter
                for name, layer in self.by_name.items()
                if layers is None or name in layers
                for parameter in layer.parameters_of(kind)
            ]
            for kind in KINDS
            if kind in kinds
        }
        for parameters in chosen.values():
            for parameter in parameters:
                parameter.requires_grad_(True)
        return chosen

    def to_quantized(self) -> QuantizedLayers:
        """The layers as they are now, as plain data."""
        trained = {name: layer.to_quantized() for name, layer in self.by_name.items()}
        return trained | self.products


def straight(x: Tensor, levels: InputLevels | None) -> Tensor:
    """A value on its levels, with the gradient of x (Bengio et al. 2013)."""
    return x + (rounded(x, levels) - x).detach()


def nodes_between(graph: Graph, given: Collection[str], until: str) -> tuple[Node, ...]:
    """Nodes that compute `until` from the nodes `given`, in order; `until` is computed anyway.

    Raises KeyError where the image is needed but not given.
    """
    by_name = {node.name: node for node in graph.nodes}
    needed, waiting = set[str](), [until]
    while waiting:
        node = by_name[waiting.pop()]
        if node.op == "input":
            raise KeyError(f"{until} needs the image, or other nodes before it")
        needed.add(node.name)
        waiting += [name for name in node.inputs if name not in needed and name not in given]
    return tuple(node for node in graph.nodes if node.name in needed)
