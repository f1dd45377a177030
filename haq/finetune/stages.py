"""Stages of a training: the last blocks alone, then further towards the image."""

from __future__ import annotations

from dataclasses import dataclass

from haq.finetune.recipe import Stages
from quant.graph import Graph
from quant.learned import nodes_between

BLOCK_STAGES = 3


@dataclass(frozen=True)
class Stage:
    """Layers that are trained together: all behind the node `start`, whose value is their input."""

    start: str
    layers: tuple[str, ...]


def plan_stages(graph: Graph, stages: Stages) -> tuple[Stage, ...]:
    """One stage for the whole; else the last third of the layers, the last two, and all."""
    image = graph.nodes[0].name
    starts = [image]
    if stages == "blocks":
        shares = [1.0 - i / BLOCK_STAGES for i in range(1, BLOCK_STAGES + 1)]
        starts = [nearest_cut(graph, share) for share in shares]
    # A small network may have the same cut for two shares.
    return tuple(Stage(start, layers_behind(graph, start)) for start in dict.fromkeys(starts))


def nearest_cut(graph: Graph, share: float) -> str:
    """The cut that has about this share of the layers in front of it."""
    wanted = share * len(graph.layers)
    return min(cuts(graph), key=lambda cut: abs(len(graph.layers) - wanted - behind(graph, cut)))


def cuts(graph: Graph) -> tuple[str, ...]:
    """Nodes whose value alone the logits need, the image first."""
    return tuple(node.name for node in graph.nodes[:-1] if is_cut(graph, node.name))


def is_cut(graph: Graph, name: str) -> bool:
    """Whether the logits can be computed from this node alone."""
    try:
        nodes_between(graph, {name}, graph.nodes[-1].name)
    except KeyError:
        return False
    return True


def behind(graph: Graph, start: str) -> int:
    """Number of layers between a cut and the logits."""
    return len(layers_behind(graph, start))


def layers_behind(graph: Graph, start: str) -> tuple[str, ...]:
    """Names of the layers between a cut and the logits."""
    nodes = nodes_between(graph, {start}, graph.nodes[-1].name)
    return tuple(node.name for node in nodes if node.layer is not None)
