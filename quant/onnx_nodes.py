"""Nodes and constants of an ONNX graph, collected one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class OnnxNodes:
    """Every method returns the name of the tensor that it makes."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """A node of one output."""
        self.nodes.append(helper.make_node(kind, inputs, [f"{name}:0"], name, **attributes))
        return f"{name}:0"

    def constant(self, name: str, value: NDArray[np.generic]) -> str:
        """A tensor that is known."""
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def integers(self, name: str, *values: int) -> str:
        """int64 numbers, as shapes and indexes are given."""
        return self.constant(name, np.array(values, np.int64))

    def clip(self, x: str, low: float, high: float, name: str) -> str:
        """Values between two limits."""
        limits = [
            self.constant(f"{name}.{word}", np.array(value, np.float32))
            for word, value in (("low", low), ("high", high))
        ]
        return self.node("Clip", [x, *limits], name)
