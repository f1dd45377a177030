"""What the layers are; that they compute the same is seen in `tests/quant/test_operations.py`."""

from __future__ import annotations

import pytest

from quant.details import Detail, Exponent
from quant.graph import Node, Op
from quant.ncnn.arithmetic import LEAST
from quant.ncnn.build import ncnn_layers
from quant.ncnn.format import dump_number
from quant.ncnn.plan import needs_range


@pytest.mark.parametrize(
    ("op", "detail", "types"),
    [
        ("softsign", None, ["AbsVal", "BinaryOp", "BinaryOp"]),
        ("log_sigmoid", None, ["UnaryOp", "Softplus", "UnaryOp"]),
        ("power", Exponent(2.5), ["Clip", "BinaryOp"]),
    ],
)
def test_nodes_of_several_layers(op: Op, detail: Detail | None, types: list[str]) -> None:
    """Each reads what is there, and the last gives the node's value under its name."""
    layers = ncnn_layers(
        Node("x", op, ("a",), (4, 2, 3), detail=detail), {"a": "a", "x": "x"}, None
    )
    assert [layer.type for layer in layers] == types
    given = ["a"]
    for layer in layers:
        assert set(layer.inputs) <= set(given)
        given += layer.outputs
    assert (layers[-1].name, given[-1]) == ("x", "x")


def test_a_power_begins_at_a_normal_number() -> None:
    base, raised = ncnn_layers(
        Node("x", "power", ("a",), (4, 2, 3), detail=Exponent(1 / 3)), {"a": "a", "x": "x"}, None
    )
    assert base.params[0] == LEAST and float(dump_number(LEAST)) >= 1.17549435e-38
    assert raised.params == {0: 6, 1: 1, 2: 1 / 3}
    assert needs_range(base) and needs_range(raised)
