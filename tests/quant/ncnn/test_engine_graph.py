from __future__ import annotations

import pytest

from quant.details import Pool
from quant.graph import Graph, Layer, Node, Op
from quant.ncnn.engine_graph import engine_graph

SHAPE = (4, 6, 5)
WHOLE = Pool((6, 5), (1, 1), (0, 0, 0, 0))


def graph(*nodes: Node) -> Graph:
    return Graph((Node("image", "input", (), SHAPE), *nodes))


def plain(name: str, op: Op, *inputs: str, shape: tuple[int, ...] = SHAPE) -> Node:
    return Node(name, op, inputs, shape)


def pooled(*readers: Node) -> Node:
    mean = plain("mean", "global_avg_pool", "image", shape=(4, 1, 1))
    found = engine_graph(graph(mean, *readers))
    return next(node for node in found.nodes if node.name == "mean")


def linear(name: str, source: str) -> Node:
    return Node(name, "linear", (source,), (2,), Layer(name, "linear", 4, 2))


def test_a_pool_that_linear_layers_read_gives_a_vector() -> None:
    assert pooled(linear("l", "mean")).op == "global_avg_pool"
    assert pooled(plain("r", "reshape", "mean", shape=(4,))).op == "global_avg_pool"


def test_any_other_pool_keeps_its_pixel() -> None:
    gate = plain("g", "mul", "image", "mean")
    last = pooled()
    assert [pooled(gate), pooled(linear("l", "mean"), gate), last] == [
        Node("mean", "avg_pool", ("image",), (4, 1, 1), detail=WHOLE)
    ] * 3


def test_the_image_is_copied_for_what_must_not_read_it() -> None:
    found = engine_graph(
        graph(
            plain("relu", "relu", "image"),
            plain("sum", "add", "image", "relu"),
            plain("pool", "max_pool", "image"),
        )
    )
    assert [(node.name, node.inputs) for node in found.nodes] == [
        ("image", ()),
        ("image_copy", ("image",)),
        ("relu", ("image_copy",)),
        ("sum", ("image_copy", "relu")),
        ("pool", ("image",)),
    ]


def test_grouped_layers_read_a_copy_and_others_the_image() -> None:
    for groups, expected in ((1, "image"), (2, "image_copy"), (4, "image_copy")):
        layer = Layer("conv", "conv", 4, 4, groups=groups)
        found = engine_graph(graph(Node("conv", "conv", ("image",), SHAPE, layer)))
        assert found.nodes[-1].inputs == (expected,)


def test_usual_networks_are_left_alone() -> None:
    pytest.importorskip("torch")
    from tests.quant.blocks import block

    for kind in ("shuffle", "bottleneck"):
        known = block(kind).network.graph
        assert engine_graph(known) == known
