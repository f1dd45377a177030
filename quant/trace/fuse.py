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
    activation yet, a norm also a group norm; other norms become scales. Raises ModelError where
    nothing is computed.
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
        before = self.only_source(node)
        joined = None if before is None else self.joined(before, node)
        if joined is None:
            self.keep(node)
        else:
            self.kept[joined.name] = joined
            self.names[node.name] = joined.name

    def only_source(self, node: Node) -> Node | None:
        """The one node that `node` reads, if nothing else does."""
        alone = len(node.inputs) == 1 and self.read[node.inputs[0]] == 1
        return self.kept[self.names[node.inputs[0]]] if alone else None

    def joined(self, before: Node, node: Node) -> Node | None:
        """A node that does the work of the one that alone reads it, too; None where it cannot."""
        norm, layer = self.norms.get(node.name), before.layer
        if norm is not None and before.op == "group_norm" and before.constants is not None:
            return replace(before, constants=fold(before.constants, norm))
        if layer is None or layer.is_product or layer.activation != "none":
            return None
        if norm is not None:
            self.weights[layer.name] = fold(self.weights[layer.name], norm)
            return before
        if node.op in FUSED:
            return replace(before, layer=replace(layer, activation=FUSED[node.op]))
        return None

    def keep(self, node: Node) -> None:
        """A node of its own."""
        inputs = tuple(self.names[name] for name in node.inputs)
        norm = self.norms.get(node.name)
        constants = node.constants if norm is None else as_scale(norm)
        self.kept[node.name] = replace(node, inputs=inputs, constants=constants)
        self.names[node.name] = node.name
