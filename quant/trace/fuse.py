"""What a layer does to its own output: norms folded, activations fused, unread nodes left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from quant.errors import ModelError
from quant.fold import Norm, as_scale, fold
from quant.graph import Activation, Graph, Network, Node, Weights

FUSED: Mapping[str, Activation] = {"relu": "relu", "relu6": "relu6"}


def fuse(
    nodes: Mapping[str, Node],
    output: str,
    weights: Mapping[str, Weights],
    norms: Mapping[str, Norm],
) -> Network:
    """The network that computes the node `output`.

    A norm or a ReLU joins the layer before it where nothing else reads that and it has no
    activation yet; other norms become scales. Raises ModelError where nothing is computed.
    """
    needed = nodes_for(nodes, output)
    if len(needed) == 1:
        raise ModelError("the network gives the image as it is: there is nothing to run")
    fusing = _Fusing(needed, output, weights, norms)
    for node in needed:
        fusing.take(node)
    kept = tuple(fusing.kept.values())
    graph = Graph(kept)
    return Network(graph, {name: fusing.weights[name] for name in graph.weighted_names})


def nodes_for(nodes: Mapping[str, Node], output: str) -> list[Node]:
    """The input and what is needed to compute `output`, in order."""
    needed = {output, next(iter(nodes))}
    for node in reversed(list(nodes.values())):
        if node.name in needed:
            needed.update(node.inputs)
    return [node for node in nodes.values() if node.name in needed]


class _Fusing:
    """Takes nodes in order; `names` says which node holds each one's value now."""

    def __init__(
        self,
        nodes: Iterable[Node],
        output: str,
        weights: Mapping[str, Weights],
        norms: Mapping[str, Norm],
    ) -> None:
        self.read = Counter([output, *(source for node in nodes for source in node.inputs)])
        self.weights, self.norms = dict(weights), norms
        self.kept: dict[str, Node] = {}
        self.names: dict[str, str] = {}

    def take(self, node: Node) -> None:
        """Keep a node, or let the layer before it do its work."""
        before = self.layer_before(node)
        if before is not None and node.name in self.norms:
            self.weights[before.name] = fold(self.weights[before.name], self.norms[node.name])
            self.names[node.name] = before.name
        elif before is not None and before.layer is not None and node.op in FUSED:
            layer = replace(before.layer, activation=FUSED[node.op])
            self.kept[before.name] = replace(before, layer=layer)
            self.names[node.name] = before.name
        else:
            self.keep(node)

    def layer_before(self, node: Node) -> Node | None:
        """The layer that `node` alone reads, if it has no activation yet."""
        if len(node.inputs) != 1 or self.read[node.inputs[0]] != 1:
            return None
        before = self.kept[self.names[node.inputs[0]]]
        layer = before.layer
        free = layer is not None and not layer.is_product and layer.activation == "none"
        return before if free else None

    def keep(self, node: Node) -> None:
        """A node of its own."""
        inputs = tuple(self.names[name] for name in node.inputs)
        norm = self.norms.get(node.name)
        constants = node.constants if norm is None else as_scale(norm)
        self.kept[node.name] = replace(node, inputs=inputs, constants=constants)
        self.names[node.name] = node.name
