from __future__ import annotations

from quant.graph import Node
from quant.ncnn.format import NcnnLayer
from quant.ncnn.writing import Writing


def test_layers_on_the_way_have_blobs_of_their_own_names() -> None:
    writing = Writing(Node("x", "abs", ("a",), (4, 2, 3)), ("a_copy",), "out0")
    first = writing.layer("AbsVal", "size", writing.inputs, {})
    assert first == NcnnLayer("AbsVal", "x_size", ("a_copy",), ("x_size",))
    assert writing.last("ReLU", first.outputs, {}) == NcnnLayer("ReLU", "x", ("x_size",), ("out0",))
