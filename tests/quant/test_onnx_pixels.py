"""What the nodes are; that they compute the same is seen in `test_operations`."""

from __future__ import annotations

from onnx import numpy_helper

from quant.details import Pads, Rows, Squares
from quant.graph import Node
from quant.onnx_nodes import OnnxNodes
from quant.onnx_pixels import onnx_pads, write_pads, write_slice, write_squares


def integers(onnx: OnnxNodes) -> dict[str, list[int]]:
    return {found.name: numpy_helper.to_array(found).tolist() for found in onnx.initializers}


def test_pads_have_the_order_of_onnx() -> None:
    assert onnx_pads((1, 2, 3, 4)) == (3, 1, 4, 2)
    onnx, pads = OnnxNodes(), Pads((1, 2, 3, 4), "replicate")
    assert write_pads(onnx, Node("x", "pad", ("a",), (2, 9, 9), detail=pads), "a", pads) == "x:0"
    assert integers(onnx) == {"x.pads": [0, 0, 3, 1, 0, 0, 4, 2]}
    assert [a.s for a in onnx.nodes[0].attribute] == [b"edge"]


def test_a_range_of_rows() -> None:
    onnx, rows = OnnxNodes(), Rows(1, 4)
    write_slice(onnx, Node("x", "take", ("a",), (2, 3, 9), detail=rows), "a", rows)
    assert integers(onnx) == {"x.starts": [1], "x.ends": [4], "x.axes": [2]}


def test_channels_of_squares_are_moved_behind_those_of_their_channel() -> None:
    onnx, squares = OnnxNodes(), Squares(2)
    write_squares(
        onnx, Node("x", "pixel_unshuffle", ("a",), (8, 3, 5), detail=squares), "a", squares
    )
    assert [made.op_type for made in onnx.nodes] == ["Reshape", "Transpose", "Reshape"]
    assert integers(onnx) == {"x.split": [0, 2, 3, 2, 5, 2], "x.whole": [0, 8, 3, 5]}
    assert onnx.nodes[-1].name == "x"
