from __future__ import annotations

import numpy as np
import pytest

from quant.errors import ModelError
from quant.trace.builder import Builder
from quant.trace.pending import Affine, Padded, Pending, Rectified, by_channel

SHAPE = (3, 4, 4)


@pytest.fixture
def pending() -> Pending:
    builder = Builder()
    builder.image("x", SHAPE)
    return Pending(builder)


def ops(pending: Pending) -> list[str]:
    return [str(node.op) for node in pending.builder.nodes.values()][1:]


def test_what_does_nothing_is_no_node(pending: Pending) -> None:
    value = pending.plus("b", pending.times("a", "x", 2.0), 1.0)
    value = pending.times("d", pending.plus("c", value, -1.0), 0.5)
    assert pending.plain(value) == "x"
    assert ops(pending) == []


def test_arithmetic_is_one_scale_and_computed_once(pending: Pending) -> None:
    value = pending.plus("b", pending.times("a", "x", np.array([1.0, 2.0, 3.0])), 1.0)
    assert pending.plain(value) == pending.plain(value) == "b"
    assert ops(pending) == ["scale"]


def test_a_hard_swish_of_its_parts(pending: Pending) -> None:
    gate = pending.clip("clip", pending.plus("add", "x", 3.0), 0, 6)
    assert isinstance(gate, Affine)
    value = pending.times("div", pending.product("mul", "x", gate), 1 / 6)
    assert pending.plain(value) == "mul"
    assert pending.builder.nodes["mul"].op == "hardswish"


def test_a_gate_of_another_value_is_a_product(pending: Pending) -> None:
    other = pending.builder.activate("other", "x", "relu")
    gate = pending.clip("clip", pending.plus("add", "x", 3.0), 0, 6)
    value = pending.times("div", pending.product("mul", other, gate), 1 / 6)
    assert pending.builder.nodes[pending.plain(value)].op == "mul"


def test_a_clip_of_two_parts_is_a_relu6(pending: Pending) -> None:
    floor = pending.clip("floor", "x", 0, None)
    assert isinstance(floor, Rectified) and ops(pending) == []
    assert pending.plain(pending.clip("both", floor, None, 6)) == "both"
    assert pending.plain(floor) == "floor"
    assert ops(pending) == ["relu6", "relu"]


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (None, 6), (0, 5), (1, None)])
def test_other_bounds_are_a_clip(pending: Pending, low: float, high: float) -> None:
    floor = pending.clip("floor", "x", 0, None)
    made = [pending.clip("clip", "x", low, high), pending.clip("late", floor, -1, high)]
    assert [pending.plain(value) for value in made] == ["clip", "late"]
    assert ops(pending) == ["clip", "relu", "clip"]


def test_padding_becomes_a_windows(pending: Pending) -> None:
    value = pending.pad("pad", "x", (1, 2, 0, 3))
    assert pending.window(value, (1, 1, 0, 0)) == ("x", (2, 3, 0, 3))
    assert pending.pad("none", "x", (0, 0, 0, 0)) == "x"
    assert pending.plain(Padded("pad", "x", (1, 1, 1, 1))) == "pad"
    assert pending.builder.node("pad").shape == (3, 6, 6)
    with pytest.raises(ModelError, match="'pad' crops its input"):
        pending.pad("pad", "x", (-1, 0, 0, 0))


@pytest.mark.parametrize(
    ("constant", "found"),
    [(np.float32(2), 2.0), (np.full((1, 1, 1, 1), 2), 2.0), (np.ones((3, 1, 1)), [1, 1, 1])],
)
def test_constants_are_a_number_or_one_a_channel(constant: object, found: object) -> None:
    assert by_channel("add", np.asarray(constant), SHAPE).tolist() == found


@pytest.mark.parametrize("shape", [(4,), (3, 4, 4), (2, 3, 1, 1), (3,)])
def test_constants_of_pixels_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelError, match="only a number, or one a channel"):
        by_channel("add", np.ones(shape), SHAPE)
