from __future__ import annotations

import numpy as np
from onnx import numpy_helper

from quant.onnx_nodes import OnnxNodes


def test_names_of_what_is_made() -> None:
    onnx = OnnxNodes()
    assert onnx.node("Relu", ["a"], "x") == "x:0"
    assert onnx.constant("c", np.ones(2, np.float32)) == "c"
    assert onnx.integers("i", 1, 2) == "i"
    assert onnx.clip("x:0", -1.0, 2.0, "y") == "y:0"
    assert [n.op_type for n in onnx.nodes] == ["Relu", "Clip"]
    found = {tensor.name: numpy_helper.to_array(tensor) for tensor in onnx.initializers}
    assert {name: value.tolist() for name, value in found.items()} == {
        "c": [1.0, 1.0],
        "i": [1, 2],
        "y.low": [-1.0],
        "y.high": [2.0],
    }
    assert found["i"].dtype == np.int64
