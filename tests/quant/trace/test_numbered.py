from __future__ import annotations

import numpy as np
import pytest

from quant.details import Grouping, Limits, Neighbours, Squares
from quant.errors import ModelError
from quant.graph import Node
from quant.trace.builder import Builder
from quant.trace.numbered import (
    clip,
    group_norm,
    pixel_shuffle,
    pixel_unshuffle,
    prelu,
    response_norm,
)


@pytest.fixture
def builder() -> Builder:
    found = Builder()
    found.image("x", (4, 3, 5))
    return found


def made(builder: Builder, name: str) -> Node:
    return builder.nodes[name]


def test_one_slope_is_that_of_every_channel(builder: Builder) -> None:
    node = made(builder, prelu(builder, "p", "x", np.array([0.25], np.float32)))
    assert node.constants is not None
    assert (node.constants.weight.tolist(), node.constants.bias.size) == ([0.25] * 4, 0)
    with pytest.raises(ModelError, match="'q' has 3 slopes for 4 channels"):
        prelu(builder, "q", "x", np.zeros(3, np.float32))


def test_a_norm_without_numbers_has_ones_and_zeros(builder: Builder) -> None:
    node = made(builder, group_norm(builder, "n", "x", Grouping(2, 1e-5), None))
    assert node.constants is not None
    assert (node.constants.weight.tolist(), node.constants.bias.tolist()) == ([1.0] * 4, [0.0] * 4)
    with pytest.raises(ModelError, match="'m': 3 groups do not divide 4 channels"):
        group_norm(builder, "m", "x", Grouping(3, 1e-5), None)


def test_squares_of_pixels(builder: Builder) -> None:
    node = made(builder, pixel_shuffle(builder, "s", "x", 2))
    assert (node.shape, node.detail) == ((1, 6, 10), Squares(2))
    with pytest.raises(ModelError, match="'t': 4 channels make no squares of 3 pixels a side"):
        pixel_shuffle(builder, "t", "x", 3)


def test_channels_of_pixels(builder: Builder) -> None:
    builder.activate("r", "x", "relu")
    wide = builder.resize("w", "r", (4, 4, 6), "nearest")
    node = made(builder, pixel_unshuffle(builder, "u", wide, 2))
    assert (node.shape, node.detail) == ((16, 2, 3), Squares(2))
    assert pixel_unshuffle(builder, "v", "x", 1) == "x"
    with pytest.raises(ModelError, match="'v': 3x5 pixels are no squares of 2 a side"):
        pixel_unshuffle(builder, "v", "x", 2)


def test_neighbours_have_one_in_their_middle(builder: Builder) -> None:
    how = Neighbours(3, 1.0, 0.5, 1.0)
    assert made(builder, response_norm(builder, "n", "x", how)).detail == how
    with pytest.raises(ModelError, match="'m': a local response norm is only of an odd number"):
        response_norm(builder, "m", "x", Neighbours(4, 1.0, 0.5, 1.0))


@pytest.mark.parametrize(
    ("low", "high", "op", "detail"),
    [
        (0, None, "relu", None),
        (0, 6, "relu6", None),
        (0, 1, "clip", Limits(0, 1)),
        (None, 2, "clip", Limits(-np.inf, 2)),
        (-1, None, "clip", Limits(-1, np.inf)),
    ],
)
def test_limits(
    low: float | None, high: float | None, op: str, detail: Limits | None, builder: Builder
) -> None:
    node = made(builder, clip(builder, "c", "x", low, high))
    assert (node.op, node.detail) == (op, detail)
