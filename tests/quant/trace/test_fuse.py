from __future__ import annotations

import numpy as np
import pytest

from quant.errors import ModelError
from quant.fold import norm_of
from quant.graph import Floats, Graph, Layer, Network, Node, Op, Weights
from quant.trace.fuse import fuse, nodes_for


def numbers(*values: float) -> Floats:
    return np.array(values, np.float32)


def chain(*ops: Op) -> dict[str, Node]:
    """An image x, then nodes a, b, c... of one channel that read each other in turn."""
    nodes = {"x": Node("x", "input", (), (1, 2, 2))}
    for name, op in zip("abcdef", ops, strict=False):
        layer = Layer(name, "conv", 1, 1) if op == "conv" else None
        nodes[name] = Node(name, op, (list(nodes)[-1],), (1, 2, 2), layer)
    return nodes


WEIGHTS = {n: Weights(numbers(3.0).reshape(1, 1, 1, 1), numbers(1.0)) for n in "abcdef"}
NORMS = {n: norm_of(numbers(2.0), numbers(4.0), numbers(5.0), numbers(7.0), 0.0) for n in "bcd"}


def ops(network: Network) -> list[str]:
    return [node.op for node in network.graph.nodes]


def run(nodes: dict[str, Node], output: str, *norms: str) -> Network:
    return fuse(nodes, output, WEIGHTS, {name: NORMS[name] for name in norms})


def test_a_norm_and_a_relu_join_the_layer_before() -> None:
    network = run(chain("conv", "scale", "relu6", "conv"), "d", "b")
    assert ops(network) == ["input", "conv", "conv"]
    assert network.graph.layers[0].activation == "relu6"
    assert network.graph.nodes[-1].inputs == ("a",)
    assert network.weights["a"].weight.item() == 7.5
    assert set(network.weights) == {"a", "d"}


def test_a_norm_behind_a_relu_stays() -> None:
    network = run(chain("conv", "relu", "scale"), "c", "c")
    assert ops(network) == ["input", "conv", "scale"]
    constants = network.graph.nodes[-1].constants
    assert constants is not None
    assert (constants.weight.item(), constants.bias.item()) == (2.5, 2.0)


def test_other_activations_and_second_ones_stay() -> None:
    network = run(chain("conv", "relu", "relu6", "hardswish"), "d")
    assert ops(network) == ["input", "conv", "relu6", "hardswish"]


def test_the_output_is_a_reader() -> None:
    nodes = chain("conv", "relu")
    nodes["sum"] = Node("sum", "add", ("a", "b"), (1, 2, 2))
    assert ops(run(nodes, "sum")) == ["input", "conv", "relu", "add"]
    assert ops(run(nodes, "a")) == ["input", "conv"]


def test_only_what_is_needed_is_kept() -> None:
    nodes = chain("conv", "sigmoid", "conv")
    assert [node.name for node in nodes_for(nodes, "b")] == ["x", "a", "b"]
    assert set(run(nodes, "b").weights) == {"a"}


def test_the_graph_is_in_order() -> None:
    graph: Graph = run(chain("conv", "sigmoid", "conv"), "c").graph
    seen: set[str] = set()
    for node in graph.nodes:
        assert seen.issuperset(node.inputs)
        seen.add(node.name)


def test_an_image_alone_is_no_network() -> None:
    with pytest.raises(ModelError, match="nothing to run"):
        run(chain("conv"), "x")
