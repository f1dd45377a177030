"""What the nodes are; that they compute the same is seen in `test_operations` and the parity."""

from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from quant.details import Cells, Groups, Resize, Transposed
from quant.graph import Node, Weights
from quant.onnx_nodes import OnnxNodes
from quant.onnx_operations import write_operation


def write(node: Node) -> OnnxNodes:
    onnx = OnnxNodes()
    assert write_operation(onnx, node, ["a", "b"][: len(node.inputs)]) == f"{node.name}:0"
    return onnx


def test_the_last_node_has_our_name() -> None:
    """So every value can be found again, whatever it is made of."""
    swish = write(Node("x", "silu", ("a",), (4, 2, 2)))
    shuffle = write(Node("x", "shuffle", ("a",), (4, 2, 2), detail=Groups(2)))
    assert [n.op_type for n in swish.nodes] == ["Sigmoid", "Mul"]
    assert [n.op_type for n in shuffle.nodes] == ["Reshape", "Transpose", "Reshape"]
    assert swish.nodes[-1].name == shuffle.nodes[-1].name == "x"


def test_constants_of_a_resizing() -> None:
    onnx = write(Node("x", "resize", ("a",), (4, 4, 6), detail=Resize("nearest")))
    (sizes,) = onnx.initializers
    assert numpy_helper.to_array(sizes).tolist() == [4, 6]


def test_cells_of_an_adaptive_average() -> None:
    cells = Cells((3, 2))
    onnx = write(Node("x", "adaptive_avg_pool", ("a",), (4, 2, 2), detail=cells))
    rows, columns = map(numpy_helper.to_array, onnx.initializers)
    assert rows.tolist() == [[0.5, 0.5, 0], [0, 0.5, 0.5]]
    assert columns.tolist() == [[1, 0], [0, 1]]


def test_a_transposed_convolution_that_pads_its_output() -> None:
    weights = Weights(np.zeros((4, 3, 2, 2), np.float32), np.zeros(3, np.float32))
    how = Transposed((2, 2), (2, 2), (1, -1, 0, 1), (1, 1), 1)
    onnx = write(Node("x", "deconv", ("a",), (3, 4, 4), None, how, weights))
    given = {a.name: list(a.ints) for a in onnx.nodes[0].attribute if a.ints}
    assert (given["pads"], given["output_padding"]) == ([0, 1, 1, 0], [0, 1])
