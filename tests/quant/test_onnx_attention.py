"""What the nodes are; that they compute the same is seen in `test_attention.py`."""

from __future__ import annotations

import numpy as np

from quant.details import Epsilon, Factor, Tokens
from quant.graph import Layer, Node, Weights
from quant.onnx_attention import write_product
from quant.onnx_nodes import OnnxNodes
from quant.onnx_operations import write_operation

NUMBERS = Weights(np.zeros((3, 2), np.float32), np.zeros(0, np.float32))
NORM = Weights(np.ones(3, np.float32), np.zeros(3, np.float32))


def kinds(node: Node) -> list[str]:
    onnx = OnnxNodes()
    assert write_operation(onnx, node, ["a"]) == f"{node.name}:0"
    assert onnx.nodes[-1].name == node.name
    return [made.op_type for made in onnx.nodes]


def test_operations() -> None:
    shape = (3, 1, 4)
    softmax = Node("x", "softmax", ("a",), shape, detail=Factor(0.5))
    norm = Node("x", "layer_norm", ("a",), shape, detail=Epsilon(1e-6), constants=NORM)
    assert kinds(softmax) == ["Mul", "Softmax"]
    assert kinds(norm) == ["Transpose", "LayerNormalization", "Transpose"]
    assert kinds(Node("x", "take", ("a",), shape, detail=Tokens(1, 3))) == ["Slice"]
    first = kinds(Node("x", "prepend", ("a",), shape, constants=NUMBERS))
    assert first == ["Shape", "Concat", "Expand", "Concat"]
    assert kinds(Node("x", "shift", ("a",), shape, constants=NUMBERS)) == ["Add"]
    assert kinds(Node("x", "gelu", ("a",), shape))[-1] == "Mul"


def test_products_end_in_the_layer_s_name() -> None:
    for op, last in (("scores", "MatMul"), ("context", "Reshape")):
        onnx = OnnxNodes()
        layer = Layer("x", op, 6, 6, groups=2, in_size=(4, 4), out_size=(4, 4))  # type: ignore[arg-type]
        assert write_product(onnx, layer, "a", "b") == "x:0"
        assert (onnx.nodes[-1].op_type, onnx.nodes[-1].name) == (last, "x")
        assert [node.op_type for node in onnx.nodes].count("MatMul") == 1
