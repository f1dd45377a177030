"""What the layers are; that they compute the same is seen in `tests/quant/test_attention.py`."""

from __future__ import annotations

import numpy as np
import pytest

from quant.details import Epsilon, Factor
from quant.graph import Layer, Node, Weights
from quant.ncnn.build import ncnn_layers, products
from quant.ncnn.format import NcnnLayer, dump_bin, load_bin

NONE = np.zeros(0, np.float32)


def written(node: Node) -> list[NcnnLayer]:
    names = {name: name for name in (*node.inputs, node.name)}
    return ncnn_layers(node, names, None)


def types(layers: list[NcnnLayer]) -> list[str]:
    return [layer.type for layer in layers]


def check_chain(node: Node, layers: list[NcnnLayer]) -> None:
    """Everything is read once, and the last layer gives the node's value."""
    given = [blob for layer in layers for blob in layer.outputs]
    read = [blob for layer in layers for blob in layer.inputs]
    assert sorted(read) == sorted([*node.inputs, *given[:-1]])
    assert given[-1] == node.name
    assert len({layer.name for layer in layers}) == len(layers)


def test_scores() -> None:
    layer = Layer("x", "scores", 6, 2, groups=2, in_size=(1, 4), out_size=(4, 5))
    node = Node("x", "scores", ("q", "k"), (2, 4, 5), layer)
    made = written(node)
    check_chain(node, made)
    assert types(made) == ["Reshape", "Permute", "Reshape", "MatMul"]
    assert made[0].params == {0: 4, 1: 3, 2: 2} and made[2].params == {0: 5, 1: 3, 2: 2}
    assert products(made) == {"x"}


def test_a_context() -> None:
    layer = Layer("x", "context", 2, 6, groups=2, in_size=(4, 5), out_size=(1, 4))
    node = Node("x", "context", ("chances", "v"), (6, 1, 4), layer)
    made = written(node)
    check_chain(node, made)
    assert types(made) == ["Reshape", "MatMul", "Reshape"]
    assert (made[1].params, made[2].params) == ({0: 1}, {0: 4, 1: 1, 2: 6})
    assert products(made) == {"x"}


def test_a_softmax_scales_first() -> None:
    node = Node("x", "softmax", ("a",), (2, 4, 5), detail=Factor(0.25))
    made = written(node)
    check_chain(node, made)
    assert made[0].params == {0: 2, 1: 1, 2: 0.25} and made[1].params == {0: 2, 1: 1}


@pytest.mark.parametrize("shape", [(3,), (3, 1, 1)])
def test_a_norm_of_one_pixel_is_of_a_row(shape: tuple[int, ...]) -> None:
    ones = Weights(np.ones(3, np.float32), np.ones(3, np.float32))
    node = Node("n", "layer_norm", ("a",), shape, detail=Epsilon(1e-6), constants=ones)
    made = written(node)
    check_chain(node, made)
    assert types(made) == ["Reshape", "LayerNorm"]


def test_numbers_of_the_file_come_back() -> None:
    norm = Weights(np.arange(3, dtype=np.float32), np.ones(3, np.float32))
    first = Weights(np.arange(6, dtype=np.float32).reshape(3, 2), NONE)
    positions = Weights(np.arange(12, dtype=np.float32).reshape(3, 1, 4), NONE)
    nodes = [
        Node("n", "layer_norm", ("a",), (3, 1, 4), detail=Epsilon(1e-6), constants=norm),
        Node("p", "prepend", ("a",), (3, 1, 6), constants=first),
        Node("s", "shift", ("a",), (3, 1, 4), constants=positions),
    ]
    made = [written(node) for node in nodes]
    for node, layers in zip(nodes, made, strict=True):
        check_chain(node, layers)
    assert [types(layers) for layers in made] == [
        ["Permute", "LayerNorm", "Permute"],
        ["MemoryData", "Concat"],
        ["MemoryData", "BinaryOp"],
    ]
    assert made[1][0].params == {0: 2, 1: 1, 2: 3} and made[2][0].params == {0: 4, 1: 1, 2: 3}
    flat = [layer for layers in made for layer in layers]
    loaded = [layer.payload for layer in load_bin(flat, dump_bin(flat)) if layer.payload]
    weights = [payload.weight for payload in loaded]
    for found, wanted in zip(weights, (norm, first, positions), strict=True):
        assert found is not None and np.array_equal(found, wanted.weight.ravel())
    assert loaded[0].bias is not None and loaded[0].bias.tolist() == [1, 1, 1]
