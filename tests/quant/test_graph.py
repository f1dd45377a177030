from __future__ import annotations

from quant.graph import Graph, Layer, Node
from tests.quant.ncnn.small_network import classifier_graph, residual_graph
from tests.quant.networks import case


def test_counts_of_a_strided_convolution() -> None:
    layer = Layer("c", "conv", 3, 16, (3, 5), (2, 2), in_size=(20, 20), out_size=(10, 8))
    assert layer.weight_shape == (16, 3, 3, 5)
    assert layer.weight_count == 16 * 3 * 15
    assert layer.macs == 16 * 3 * 15 * 10 * 8
    assert layer.scale_count == 16
    assert not layer.is_depthwise


def test_counts_of_a_depthwise_convolution() -> None:
    layer = Layer("d", "conv", 8, 8, (3, 3), groups=8, out_size=(4, 4))
    assert layer.weight_shape == (8, 1, 3, 3)
    assert layer.macs == 8 * 9 * 16
    assert layer.scale_count == 8
    assert layer.is_depthwise


def test_counts_of_a_grouped_convolution() -> None:
    layer = Layer("g", "conv", 8, 12, (1, 1), groups=2, out_size=(4, 4))
    assert layer.weight_shape == (12, 4, 1, 1)
    assert layer.scale_count == 2
    assert not layer.is_depthwise


def test_counts_of_a_linear_layer() -> None:
    layer = Layer("l", "linear", 32, 10)
    assert layer.weight_shape == (10, 32)
    assert layer.macs == 320
    assert layer.scale_count == 10


def test_layers_run_in_the_order_of_the_nodes() -> None:
    graph = residual_graph()
    assert graph.layer_names == ("first", "depthwise", "second", "last")
    assert graph.input_shape == (3, 12, 12)


def test_transitions_go_through_the_add() -> None:
    graph = residual_graph()
    assert graph.transitions == (
        ("first", "depthwise"),
        ("depthwise", "second"),
        ("first", "last"),
        ("second", "last"),
    )


def test_transitions_go_through_the_pool() -> None:
    graph = classifier_graph()
    assert graph.transitions == (("first", "last"),)


def test_transitions_are_named_once() -> None:
    layer = Layer("a", "conv", 3, 3), Layer("b", "conv", 3, 3)
    shape = (3, 4, 4)
    graph = Graph(
        (
            Node("x", "input", (), shape),
            Node("a", "conv", ("x",), shape, layer[0]),
            Node("twice", "add", ("a", "a"), shape),
            Node("b", "conv", ("twice",), shape, layer[1]),
        )
    )
    assert graph.transitions == (("a", "b"),)


def test_hand_counted_network() -> None:
    graph = case("mobile").network.graph
    assert {layer.name: layer.macs for layer in graph.layers} == {
        "stem.0": 16 * 27 * 100,
        "widen.0.0": 48 * 16 * 100,
        "depthwise.0.0": 48 * 9 * 100,
        "project.0": 16 * 48 * 100,
        "last.0.0": 32 * 16 * 100,
        "classifier.1": 320,
    }
    assert graph.transitions == (
        ("stem.0", "widen.0.0"),
        ("widen.0.0", "depthwise.0.0"),
        ("depthwise.0.0", "project.0"),
        ("stem.0", "last.0.0"),
        ("project.0", "last.0.0"),
        ("last.0.0", "classifier.1"),
    )
