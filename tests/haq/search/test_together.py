from __future__ import annotations

from dataclasses import replace

from haq.search.together import networks_together
from quant.graph import Graph
from tests.haq.subjects import small_subject


def widened(graph: Graph, factor: int) -> Graph:
    """With so many times the weights in every layer."""
    nodes = [
        node
        if node.layer is None
        else replace(node, layer=replace(node.layer, c_out=factor * node.layer.c_out))
        for node in graph.nodes
    ]
    return Graph(tuple(nodes))


def test_large_networks_are_measured_in_smaller_company() -> None:
    graph = small_subject().network.graph
    many = networks_together(graph)
    assert many > 43
    assert networks_together(widened(graph, 100)) == many // 100
    assert networks_together(widened(graph, 10_000_000)) == 1


def test_what_they_take_fits_twice_into_an_agents_measurement() -> None:
    graph = widened(small_subject().network.graph, 40)
    weights = sum(layer.weight_count for layer in graph.layers)
    assert 4 * 4 * weights * networks_together(graph) <= 2**31
