"""ncnn's int8 layers on Arm compute what whole numbers say, to the bit where it is int8."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quant.graph import Floats, Graph, Layer, Network, Node
from quant.ncnn.build import dump, float_layers, mixed_layers
from quant.ncnn.format import NcnnLayer
from quant.ncnn.runtime import Engine, capabilities
from tests.arm.integers import int8_output, quantize
from tests.arm.machine import arm_only
from tests.arm.pairs import RANGES, Kind, image, mixed, pair, random_weights

pytestmark = arm_only
OF_LARGEST = 1e-6
KINDS = [
    Kind(16, 24),
    Kind(3, 16, 3, 2, activation="relu6"),
    Kind(16, 16, 3, activation="relu"),
    Kind(16, 32, 3, 2),
    Kind(24, 24, 5, activation="relu"),
    Kind(3, 8, 7, 2),
    Kind(7, 5, 3, activation="relu"),
    Kind(13, 6),
    Kind(16, 16, 3, groups=16, activation="relu6"),
    Kind(16, 16, 3, 2, groups=16),
    Kind(8, 8, 5, groups=8, activation="relu"),
    Kind(6, 6, 3, groups=6, activation="relu6"),
    Kind(16, 16, 3, groups=4),
]
"""Full vectors of 4, 8 and 16 channels and none; with winograd (3x3, stride 1) and without."""


def expected(layer: Layer, built: NcnnLayer, x: Floats) -> Floats:
    """Output of an int8 layer in float32."""
    assert built.payload and built.payload.int8 and built.payload.bias is not None
    return int8_output(x, layer, built.payload.int8, built.payload.bias)


def assert_equal_but_for_float32(found: Floats, wanted: Floats) -> None:
    assert np.abs(found - wanted).max() <= OF_LARGEST * np.abs(wanted).max()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_sums_of_integers_are_exact(kind: Kind) -> None:
    """In front of a float layer the output is float32: only its last digits may differ."""
    found = mixed(pair(kind), 8, 32)
    wanted = expected(kind.layer(), found.layers["tested"], image(kind))
    assert found.widths["tested"] == 32
    assert_equal_but_for_float32(found.engine.blobs(image(kind), ["tested"])["tested"], wanted)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_requantized_outputs_are_exact(kind: Kind) -> None:
    """In front of an int8 layer the output is int8, and each number of it is the same.

    Behind a ReLU the reader's input is centred: its levels are twice as fine.
    """
    found = mixed(pair(kind), 8, 8)
    built, linear = found.layers["tested"], replace(kind.layer(), activation="none")
    wanted = clip_as_built(expected(linear, built, image(kind)), built)
    integers = found.engine.blobs(image(kind), ["tested"])["tested"]
    assert found.widths["tested"] == 8
    assert np.abs(integers).max() == 127
    fineness = 1 if kind.activation == "none" else 2
    scale = np.float32(127) / np.float32(RANGES["reader"] / fineness)
    assert np.array_equal(integers, quantize(wanted, float(scale)))


def clip_as_built(x: Floats, built: NcnnLayer) -> Floats:
    """Clipped where the network's file says so."""
    limits = built.params.get(10)
    if built.params.get(9, 0) != 3 or not isinstance(limits, tuple):
        return x
    clipped: Floats = np.clip(x, np.float32(limits[0]), np.float32(limits[1]))
    return clipped


@pytest.mark.parametrize(("c_in", "c_out"), [(40, 10), (37, 11), (64, 32)])
def test_linear_layers_are_exact(c_in: int, c_out: int) -> None:
    layer, rng = Layer("tested", "linear", c_in, c_out), np.random.default_rng(0)
    nodes = (
        Node("image", "input", (), (c_in, 3, 3)),
        Node("pool", "global_avg_pool", ("image",), (c_in,)),
        Node("tested", "linear", ("pool",), (c_out,), layer),
    )
    network = Network(Graph(nodes), {"tested": random_weights(layer, rng)})
    built = mixed_layers(float_layers(network), {"tested": 8}, {"tested": 0.5}, capabilities())
    x = rng.normal(0, 1, (c_in, 3, 3)).astype(np.float32)
    blobs = Engine.from_memory(*dump(built)).blobs(x, ["pool", "out0"])
    wanted = expected(layer, built[-1], blobs["pool"].ravel())
    assert_equal_but_for_float32(blobs["out0"], wanted)
