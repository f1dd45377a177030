from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quant.details import Channels, Groups, Pool, Resize
from quant.errors import ModelError
from quant.fold import norm_of
from quant.graph import Floats, Layer, Weights
from quant.trace.builder import Builder
from quant.trace.seen import Seen
from quant.trace.windows import Window


def ones(*shape: int) -> Floats:
    return np.ones(shape, np.float32)


def weights(*shape: int) -> Weights:
    return Weights(ones(*shape), ones(shape[0]))


def begun() -> Builder:
    """An image x (4, 6, 6) and a vector v (4,)."""
    builder = Builder()
    builder.image("x", (4, 6, 6))
    builder.mean("m", "x")
    builder.linear("v", "m", weights(4, 4))
    return builder


def test_the_example_of_the_module() -> None:
    builder = Builder()
    x = builder.image("x", (3, 32, 32))
    window = Window(stride=(2, 2), pads=(1, 1, 1, 1))
    x = builder.conv("stem", x, (8, 16, 16), weights(8, 3, 3, 3), window)
    norm = norm_of(ones(8), ones(8), ones(8), ones(8), 0.0)
    x = builder.norm("stem_norm", x, norm)
    x = builder.activate("relu", x, "relu")
    network = builder.finish(x, (8, 16, 16))
    (layer,) = network.graph.layers
    assert layer == Layer(
        *("stem", "conv", 3, 8, (3, 3), (2, 2), (1, 1, 1, 1)),
        in_size=(32, 32),
        out_size=(16, 16),
        activation="relu",
    )
    # (x + 1 - 1) * 1 + 1
    assert network.weights["stem"].bias.tolist() == [1.0] * 8


def test_the_gate_becomes_the_second_factor() -> None:
    builder = begun()
    builder.mul("product", ["m", "x"])
    node = builder.nodes["product"]
    assert (node.inputs, node.shape) == (("x", "m"), (4, 6, 6))


def test_shapes_and_details() -> None:
    builder = begun()
    builder.concat("both", ["x", "x"])
    builder.slice("part", "both", 2, 5)
    builder.shuffle("dealt", "both", 2)
    builder.resize("wide", "x", (4, 12, 18), "nearest")
    builder.max_pool("pool", "x", (4, 3, 3), Pool((3, 3), (2, 2), (0, 0, 0, 0)))
    found = {name: builder.nodes[name] for name in ("both", "part", "dealt", "wide", "pool")}
    assert [node.shape for node in found.values()] == [
        *((8, 6, 6), (3, 6, 6), (8, 6, 6), (4, 12, 18), (4, 3, 3)),
    ]
    assert [node.detail for node in found.values()] == [
        *(None, Channels(2, 5), Groups(2), Resize("nearest")),
        Pool((3, 3), (2, 2), (0, 1, 0, 1)),
    ]


def test_a_single_pixel_is_repeated() -> None:
    builder = begun()
    builder.resize("wide", "m", (4, 3, 2), "aligned")
    assert builder.nodes["wide"].detail == Resize("nearest")


def test_what_changes_nothing_vanishes() -> None:
    builder = begun()
    before = dict(builder.nodes)
    assert builder.slice("a", "x", 0, 4) == "x"
    assert builder.concat("b", ["x"]) == "x"
    assert builder.shuffle("c", "x", 1) == builder.shuffle("d", "x", 4) == "x"
    assert builder.resize("e", "x", (4, 6, 6), "bilinear") == "x"
    assert builder.reshape("f", "x", (4, 6, 6)) == "x"
    assert builder.reshape("g", builder.reshape("h", "x", (4, 36)), (4, 6, 6)) == "x"
    assert builder.reshape("i", "m", (4,)) == "m"
    assert builder.nodes == before


def test_a_window_over_the_whole_image_is_the_mean() -> None:
    builder = begun()
    builder.avg_pool("a", "x", (4, 1, 1), Pool((6, 6), (6, 6), (0, 0, 0, 0), True))
    assert (builder.nodes["a"].op, builder.nodes["a"].detail) == ("global_avg_pool", None)


def test_an_output_that_only_looks_like_a_vector_becomes_one() -> None:
    builder = Builder()
    pooled = builder.mean("m", builder.image("x", (4, 6, 6)))
    assert builder.finish(pooled, (4,)).graph.nodes[-1].op == "reshape"
    assert builder.finish(pooled, (4, 1, 1)).graph.nodes[-1].op == "global_avg_pool"


def swapped(builder: Builder) -> str:
    found = builder.permute("p", builder.reshape("r", "x", (2, 2, 36)), (0, 2, 1, 3))
    assert isinstance(found, str)
    return found


Do = Callable[[Builder], object]


@pytest.mark.parametrize(
    ("do", "message"),
    [
        (lambda b: b.image("y", (4, 6, 6)), "inputs x, y"),
        (lambda b: b.linear("l", "x", weights(2, 144)), "l reads 4x6x6, not a vector: flatten it"),
        (lambda b: b.conv("c", "v", (1, 1, 1), weights(1, 4, 1, 1), Window()), "reads a vector"),
        (lambda b: b.add("a", ["x", "v"]), "'a' is not the sum of two values of one shape"),
        (lambda b: b.mul("a", ["x", "v"]), "'a' is not the product"),
        (lambda b: b.concat("a", ["x", "m"]), "'a' joins values of several sizes"),
        (lambda b: b.slice("a", "x", 2, 2), "'a' takes no channels of x"),
        (lambda b: b.slice("a", "x", 2, 5), "'a' takes no channels of x"),
        (lambda b: b.shuffle("a", "x", 3), "'a': 3 groups do not divide 4 channels"),
        (lambda b: b.resize("a", "v", (4, 9, 12), "nearest"), "'a' reads a vector of 4"),
        (lambda b: b.mean("a", "v"), "'a' reads a vector of 4, not an image"),
        (lambda b: b.activate("a", b.reshape("r", "x", (2, 72)), "relu"), "reads a value of shape"),
        (lambda b: b.finish("x", (4, 6, 6)), "there is nothing to run"),
        (
            lambda b: b.reshape("s", swapped(b), (144,)),
            "'s' makes no image of shuffled channels",
        ),
    ],
)  # fmt: skip
def test_refusals(do: Do, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        do(begun())


def test_axes_in_another_order_are_places_of_the_node() -> None:
    builder = begun()
    found = builder.permute("p", "x", (0, 2, 3, 1))
    assert isinstance(found, Seen) and found.source == "x"
    assert np.array_equal(found.places, builder.see("x").places.transpose(0, 2, 3, 1))
