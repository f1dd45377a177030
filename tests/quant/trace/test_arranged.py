from __future__ import annotations

import pytest

from quant.details import Pool, Rows, Side, Tokens
from quant.errors import ModelError
from quant.trace.arranged import COLUMNS, ROWS, concat, cut, settle, split
from quant.trace.builder import Builder
from quant.trace.seen import Seen, whole


@pytest.fixture
def builder() -> Builder:
    found = Builder()
    found.image("x", (4, 6, 5))
    return found


def pixels_in_steps(rows: int, columns: int) -> Pool:
    return Pool((1, 1), (rows, columns), (0, 0, 0, 0))


def test_a_range_in_steps_is_a_range_and_a_pool(builder: Builder) -> None:
    node = builder.node(cut(builder, "c", "x", ROWS, slice(1, 5, 2)))
    assert (node.shape, node.detail) == ((4, 2, 5), pixels_in_steps(2, 1))
    before = builder.node(node.inputs[0])
    assert (before.inputs, before.shape, before.detail) == (("x",), (4, 4, 5), Rows(1, 5))


def test_steps_over_both_axes_are_one_pool(builder: Builder) -> None:
    rows = cut(builder, "r", "x", ROWS, slice(None, None, 2))
    node = builder.node(cut(builder, "c", rows, COLUMNS, slice(None, None, 3)))
    assert (node.inputs, node.shape, node.detail) == (("x",), (4, 3, 2), pixels_in_steps(2, 3))
    again = builder.node(cut(builder, "a", node.name, ROWS, slice(None, None, 2)))
    assert (again.inputs, again.shape) == (("c",), (4, 2, 2))


@pytest.mark.parametrize(
    ("axis", "part", "message"),
    [
        (1, slice(0, 4, 2), "channels are not taken in steps of 2"),
        (2, slice(4, 4), "takes nothing"),
        (3, slice(None, None, -1), "from the end to the start"),
        (0, slice(0, 1), "other than an image or a vector"),
        (4, slice(0, 1), "other than an image or a vector"),
    ],
)
def test_other_parts_are_refused(builder: Builder, axis: int, part: slice, message: str) -> None:
    with pytest.raises(ModelError, match=f"'c'.*{message}"):
        cut(builder, "c", "x", axis, part)


def test_columns_are_split_and_joined(builder: Builder) -> None:
    one, other = split(builder, "s", "x", COLUMNS, (2, 3))
    assert builder.node(other).detail == Tokens(2, 5)
    node = builder.node(concat(builder, "j", (other, one), COLUMNS))
    assert (node.inputs, node.shape, node.detail) == ((other, one), (4, 6, 5), Side(2))
    assert concat(builder, "k", ("x",), ROWS) == "x"
    with pytest.raises(ModelError, match="'k' joins values of several sizes"):
        concat(builder, "k", (one, other), ROWS)


def test_moved_axes_are_pixels_of_channels_only_in_their_order(builder: Builder) -> None:
    wide = builder.resize("w", "x", (4, 6, 4), "nearest")
    split = whole(wide, (4, 6, 4)).moved(lambda places: places.reshape(-1, 4, 3, 2, 2, 2))
    for order, ops in (
        ((0, 1, 3, 5, 2, 4), ["pixel_unshuffle"]),
        ((0, 3, 5, 1, 2, 4), ["pixel_unshuffle", "shuffle"]),
    ):
        made = settle(builder, "m", moved(split, order))
        assert [node.op for node in builder.nodes.values() if node.name.startswith("m")] == ops
        assert builder.node(made).shape == (16, 3, 2)
        builder.nodes = {n: node for n, node in builder.nodes.items() if not n.startswith("m")}
    other = moved(split, (0, 1, 5, 3, 2, 4))
    assert settle(builder, "m", other) is other


def moved(split: Seen, order: tuple[int, ...]) -> Seen:
    return split.moved(lambda places: places.transpose(order).reshape(-1, 16, 3, 2))
